"""Tiny ImageNet in its published layout: order and names of classes, its val split as test, and invalid lists."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_samples import encoded

from kerasexp.config.data_section import Data, DataSource, Preprocessing
from kerasexp.data.prepared_data import decode_split, prepare
from kerasexp.data.source import ChangedImage, MissingData
from kerasexp.data.sources import load_source
from kerasexp.data.sources.tiny_imagenet import load_tiny_imagenet
from kerasexp.errors import UserError

# Neither in alphabetical nor in natural order, and two of one name.
WNIDS = ["n02124075", "n04067472", "n02012849", "n03126707", "n00000009"]
WORDS = (
    "n00000001\tnothing, that is here\nn02012849\tcrane\nn02124075\tEgyptian cat\nn03126707\tcrane, derrick\n"
    "n04067472\treel, spool\n"
)
NAMES = ["Egyptian cat", "reel", "crane (n02012849)", "crane (n03126707)", "n00000009"]
EACH, EACH_VAL = 10, 2
PRE = Preprocessing(size=[64, 64], channels=3)


def shade(number: int, colour: bool = True) -> bytes:
    return encoded(np.full((64, 64, 3) if colour else (64, 64), number, np.uint8), "JPEG", quality=95)


def published() -> dict[str, bytes]:
    """The files: class 2's images have shade 20 to 29 in train, and 120 and 121 in val."""
    files = {"wnids.txt": "\n".join(WNIDS).encode(), "words.txt": WORDS.encode(), "test/images/test_0.JPEG": shade(0)}
    lines, number = [], 0
    for label, wnid in enumerate(WNIDS):
        files[f"train/{wnid}/{wnid}_boxes.txt"] = b"n_0.JPEG\t0\t0\t62\t62\n"
        for i in range(EACH):
            # One in ten is grey, as in the published set.
            files[f"train/{wnid}/images/{wnid}_{i}.JPEG"] = shade(10 * label + i, colour=i > 0)
    for i in range(EACH_VAL):
        for label, wnid in enumerate(WNIDS):
            files[f"val/images/val_{number}.JPEG"] = shade(100 + 10 * label + i)
            lines.append(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n")
            number += 1
    return {**files, "val/val_annotations.txt": "".join(lines).encode()}


def written(top: str = "tiny-imagenet-200/", changed: dict[str, bytes | None] | None = None) -> str:
    """A zip archive of the files, some of them changed or left out."""
    Path("files").mkdir(exist_ok=True)
    with zipfile.ZipFile("files/tiny-imagenet-200.zip", "w") as archive:
        for name, content in {**published(), **(changed or {})}.items():
            if content is not None:
                archive.writestr(top + name, content)
    return "files/tiny-imagenet-200.zip"


def unpacked() -> str:
    zipfile.ZipFile(written()).extractall("unpacked")
    return "unpacked"


def load(path: str | None = None, **keys):
    return load_tiny_imagenet(DataSource(source="tiny_imagenet", path=path, **keys))


def shades(source, split: str) -> list[tuple[int, str]]:
    """Shade and class of each image."""
    images = source.splits[split]
    classes = [source.class_names[label] for label in images.labels]
    return [(round(float(images.read(i).mean())), name) for i, name in enumerate(classes)]


@pytest.mark.parametrize("where", [written, lambda: written(""), unpacked, lambda: unpacked() + "/tiny-imagenet-200"])
def test_classes_have_the_order_of_the_list_and_val_is_the_test_split(where):
    source = load(where())
    assert source.class_names == NAMES and list(source.folders) == WNIDS
    assert shades(source, "train") == [(10 * label + i, NAMES[label]) for label in range(5) for i in range(EACH)]
    assert shades(source, "test") == [
        (100 + 10 * label + i, NAMES[label]) for label in range(5) for i in range(EACH_VAL)
    ]
    assert list(source.splits) == ["train", "test"]


def test_the_first_classes_are_those_of_the_list_under_the_same_names():
    source = load(written(), first_classes=3)
    assert source.class_names == NAMES[:3]
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 30, "test": 6}


def test_without_words_a_class_is_named_by_its_wnid():
    assert load(written(changed={"words.txt": None})).class_names == WNIDS


def test_a_class_map_is_by_wnid():
    source = load(written(), class_names={"n03126707": "machine", "n02012849": "bird"})
    assert source.class_names == ["machine", "bird"]
    assert {name for _, name in shades(source, "test")} == {"machine", "bird"}


def test_a_test_split_may_be_held_out_of_train_instead():
    data = Data(source="tiny_imagenet", path=written(), test=0.3, validation=0.2, preprocessing=PRE)
    splits = prepare(data).splits
    assert {name: len(split) for name, split in splits.items()} == {"train": 28, "val": 7, "test": 15}
    assert np.bincount(splits["test"].labels).tolist() == [3] * 5
    assert all(name.startswith("tiny-imagenet-200/train/") for split in splits.values() for name in split.names)
    own = prepare(data.model_copy(update={"test": None})).splits
    assert {name: len(split) for name, split in own.items()} == {"train": 40, "val": 10, "test": 10}


def test_the_test_split_may_come_from_another_copy():
    other = DataSource(source="tiny_imagenet", path=written(), first_classes=3)
    data = Data(source="tiny_imagenet", path=unpacked(), first_classes=2, test=other, preprocessing=PRE)
    assert prepare(data).splits["test"].labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_have_the_requested_channels(channels):
    train = load(written(), first_classes=2).splits["train"]
    split, faults = decode_split(train, Preprocessing(size=[64, 64], channels=channels))
    assert split.images.shape == (20, 64, 64, channels) and faults == []
    assert train.read(10).shape == (64, 64, 1) and abs(split.images[10].astype(int) - 10).max() <= 1


def test_a_copy_with_fewer_classes_than_listed_is_reported():
    lacking = {name: None for name in published() if name.startswith((f"train/{WNIDS[1]}", f"train/{WNIDS[4]}"))}
    source = load(written(changed=lacking))
    assert source.class_names == [NAMES[0], NAMES[2], NAMES[3]] and len(source.splits["test"]) == 6
    assert source.origin.endswith("with 3 of its 5 classes")
    with pytest.raises(UserError, match=f"has no images of {WNIDS[1]} in tiny-imagenet-200/train/<class>/images"):
        load(written(changed=lacking), first_classes=2)


@pytest.mark.parametrize("is_unpacked", [False, True])
def test_annotated_but_missing_images_are_reported(is_unpacked):
    place = written(changed={"val/images/val_3.JPEG": None})
    if is_unpacked:
        zipfile.ZipFile(place).extractall("unpacked")
    test = load("unpacked" if is_unpacked else place).splits["test"]
    _, faults = decode_split(test, PRE)
    assert [name for name, _ in faults] == ["tiny-imagenet-200/val/images/val_3.JPEG"]


def test_an_image_that_changes_after_the_listing_is_reported():
    train = load(unpacked()).splits["train"]
    Path("unpacked", train.names[0]).write_bytes(shade(200) + b"longer")
    with pytest.raises(ChangedImage):
        train.read(0)


@pytest.mark.parametrize(
    ("changed", "keys", "message"),
    [
        ({"wnids.txt": None}, {}, "has no wnids.txt"),
        ({"wnids.txt": b""}, {}, "has no images of "),
        ({"wnids.txt": b"\xff"}, {}, r"wnids\.txt cannot be read: 'utf-8'"),
        (
            {},
            {"first_classes": 6},
            r"data\.first_classes: 6 is more than the 5 classes in tiny-imagenet-200/wnids\.txt",
        ),
        ({"val/val_annotations.txt": None}, {}, r"val/val_annotations\.txt cannot be read"),
        (
            {"val/val_annotations.txt": b"val_0.JPEG n02124075\n"},
            {},
            r"val_annotations\.txt: line 1 is not the name of",
        ),
        (
            {"val/val_annotations.txt": b"../../x.JPEG\tn02124075\n"},
            {},
            "line 1 is not the name of a file in val/images",
        ),
        ({}, {"class_names": {"n02124076": "cat", "n04067472": "reel"}}, "did you mean 'n02124075'"),
    ],
)
def test_invalid_lists_are_refused(changed, keys, message):
    with pytest.raises(UserError, match=message):
        load(written(changed=changed), **keys)


def test_without_val_a_test_split_can_be_held_out_of_train():
    path = written(changed={"val/val_annotations.txt": None})
    assert list(load_source(Data(source="tiny_imagenet", path=path, test=0.3))[0].splits) == ["train"]


def test_the_dataset_is_found_by_its_names_or_a_stand_in_is_used(monkeypatch):
    monkeypatch.setattr("kerasexp.data.sources.tiny_imagenet.URL", "http://127.0.0.1:9/tiny-imagenet-200.zip")
    with pytest.raises(MissingData, match=r"Tiny ImageNet is not at .*tiny-imagenet-50\.zip\), and it could not be"):
        load()
    offline = Data(source="tiny_imagenet", first_classes=50, test=0.3, offline={"source": "digits"})
    assert len(prepare(offline).splits["test"]) == 360  # the stand-in's own
    monkeypatch.setenv("KERASEXP_DATA", os.path.dirname(written()))
    assert load().origin == "Tiny ImageNet from $KERASEXP_DATA"


@pytest.mark.real
def test_the_real_archive_of_the_first_50_classes():
    source = load("tiny-imagenet-50.zip", first_classes=50)
    assert source.class_names[:3] == ["Egyptian cat", "reel", "volleyball"] and len(set(source.class_names)) == 50
    assert list(source.folders)[:2] == ["n02124075", "n04067472"]
    for split, each in (("train", 500), ("test", 50)):
        assert np.bincount(source.splits[split].labels).tolist() == [each] * 50
    test = source.splits["test"]
    read = [test.read(i) for i in range(300)]
    assert {image.shape for image in read} == {(64, 64, 3), (64, 64, 1)}
    grey = [i for i, image in enumerate(read) if image.shape[2] == 1]
    split, faults = decode_split(test.take(np.array(grey)), PRE)
    assert faults == [] and split.images.shape == (len(grey), 64, 64, 3)
    assert (split.images == np.stack([read[i] for i in grey])).all()
