"""Dogs vs. cats in each of its published layouts, with broken files."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_samples import encoded

from kerasexp.config.data_section import Data, DataSource, Preprocessing
from kerasexp.data.prepared_data import decode_split, prepare
from kerasexp.data.source import MissingData
from kerasexp.data.sources import load_source
from kerasexp.data.sources.dogs_vs_cats import load_dogs_vs_cats
from kerasexp.errors import UserError

CAT, DOG, BOTH = 50, 200, range(1, 6)


def photograph(shade: int) -> bytes:
    return encoded(np.full((40, 60, 3), shade, np.uint8), "JPEG", quality=95)


def small() -> dict[str, bytes]:
    """The layout of the archive with 1,000 each."""
    kinds = (("cat", CAT), ("dog", DOG))
    return {f"training_set/{kind}s/{kind}.{n}.jpg": photograph(shade) for kind, shade in kinds for n in BOTH}


def microsofts() -> dict[str, bytes]:
    """The layout of kagglecatsanddogs_5340.zip, with the faults that it has."""
    kinds = (("Cat", CAT), ("Dog", DOG))
    files = {f"PetImages/{kind}/{n}.jpg": photograph(shade) for kind, shade in kinds for n in BOTH}
    faults = {
        "PetImages/Cat/666.jpg": b"",
        "PetImages/Dog/11702.jpg": b"",
        "PetImages/Dog/9500.jpg": photograph(DOG)[:300],
        "PetImages/Cat/140.jpg": encoded(np.zeros((4, 4), np.uint8), "PPM"),
    }
    about = {"readme[1].txt": b"about", "MSR-LA - 3467.docx": b"PK", "PetImages/Cat/Thumbs.db": b"\xd0\xcf\x11\xe0"}
    return {**files, **faults, **about}


def kaggles() -> dict[str, bytes]:
    """The layout of train.zip of the competition."""
    return {f"train/{kind}.{n}.jpg": photograph(shade) for kind, shade in (("cat", CAT), ("dog", DOG)) for n in BOTH}


LAYOUTS = {"small": small, "Microsoft's": microsofts, "Kaggle's": kaggles}


def zipped(files: dict[str, bytes], path: str = "images.zip") -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unzipped(files: dict[str, bytes]) -> str:
    zipfile.ZipFile(zipped(files)).extractall("unpacked")
    return "unpacked"


def load(path: str | None = None, **keys):
    return load_dogs_vs_cats(DataSource(source="dogs_vs_cats", path=path, **keys))


def shades(source, split: str = "train") -> dict[str, list[int]]:
    """Class -> shades of its images that can be read."""
    images, kept = source.splits[split], {name: [] for name in source.class_names}
    split, _ = decode_split(images, Preprocessing(size=[8, 8], channels=1))
    for image, label in zip(split.images, split.labels, strict=True):
        kept[source.class_names[label]].append(round(float(image.mean())))
    return kept


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("store", [zipped, unzipped], ids=["zip", "folder"])
def test_every_layout_is_read_and_the_classes_are_called_cat_and_dog(layout, store):
    source = load(store(LAYOUTS[layout]()))
    assert source.class_names == ["cat", "dog"]
    assert shades(source) == {"cat": [CAT] * 5, "dog": [DOG] * 5}


@pytest.mark.parametrize(("layout", "inner"), [(small, "training_set"), (microsofts, "PetImages"), (kaggles, "train")])
def test_the_inner_folder_may_be_named_too(layout, inner):
    assert shades(load(f"{unzipped(layout())}/{inner}")) == {"cat": [CAT] * 5, "dog": [DOG] * 5}


def test_broken_files_of_microsofts_archive_are_left_out_and_reported():
    how = Preprocessing(size=[8, 8], channels=3)
    data = prepare(Data(source="dogs_vs_cats", path=zipped(microsofts()), test=0.4, validation=0.4, preprocessing=how))
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 3, "val": 3, "test": 4}
    assert sorted(name.rpartition("/")[2] for name, _ in data.faults) == ["11702.jpg", "140.jpg", "666.jpg", "9500.jpg"]
    reasons = {name.rpartition("/")[2]: reason for name, reason in data.faults}
    assert (
        reasons["666.jpg"] == "the file is empty"
        and "cut off" in reasons["9500.jpg"]
        and "Netpbm" in reasons["140.jpg"]
    )


def test_a_folder_test_set_is_the_test_split_if_there_is_another_folder():
    tests = {name.replace("training_set", "test_set"): content for name, content in small().items()}
    both = load(zipped({**small(), **dict(list(tests.items())[:7])}))
    assert {split: len(images) for split, images in both.splits.items()} == {"train": 10, "test": 7}
    alone = load(zipped(tests))
    assert {split: len(images) for split, images in alone.splits.items()} == {"train": 10}


def test_classes_can_be_renamed():
    source = load(zipped(kaggles()), class_names={"dog": "Hund", "cat": "Katze"})
    assert source.class_names == ["Hund", "Katze"] and shades(source) == {"Hund": [DOG] * 5, "Katze": [CAT] * 5}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"readme.txt": b""}, r"has no images .* of cats or dogs; expected: training_set/cats/"),
        ({"train/cat.0.jpg": b"", "test1/1.jpg": b""}, "has no images .* of dogs; "),
        ({"birds/1.jpg": b"", "bobcats/1.jpg": b""}, "of cats or dogs"),
        (
            {"train.zip": b"", "test1.zip": b""},
            r"It contains other archives \(test1\.zip, train\.zip\): unpack it",
        ),
    ],
)
def test_without_cats_or_dogs_it_is_refused(files, message):
    with pytest.raises(UserError, match=message):
        load(zipped(files))


def test_the_dataset_is_found_by_its_names_or_a_stand_in_is_used(monkeypatch):
    monkeypatch.setattr("kerasexp.data.sources.dogs_vs_cats.URL", "http://127.0.0.1:9/kagglecatsanddogs_5340.zip")
    with pytest.raises(MissingData, match=r"Dogs vs\. cats is not at .*dogs_vs_cats\.zip\), and it could not be"):
        load()
    source, sentence = load_source(Data(source="dogs_vs_cats", offline={"source": "digits"}))
    assert len(source.class_names) == 10 and sentence.startswith("'digits' stands in for 'dogs_vs_cats': ")
    zipped(small(), "data/dogs_vs_cats.zip")
    monkeypatch.setenv("KERASEXP_DATA", "data")
    assert load().origin == "dogs and cats from $KERASEXP_DATA"


@pytest.mark.real
def test_the_real_archive_of_1000_each():
    source = load("dogs_vs_cats.zip")
    assert source.class_names == ["cat", "dog"] and list(source.splits) == ["train"]
    train = source.splits["train"]
    assert np.bincount(train.labels).tolist() == [1000, 1000]
    some = train.take(np.array([0, 1, 1998, 1999]))
    split, faults = decode_split(some, Preprocessing(size=[64, 64], channels=3))
    assert split.images.shape == (4, 64, 64, 3) and split.labels.tolist() == [0, 0, 1, 1] and faults == []
    assert some.names[0].startswith("training_set/cats/cat.") and some.read(0).shape[2] == 3
