"""Sources: layouts, class names, stand-ins and errors."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasexp.config.data_section import Data, DataSource, Labels
from kerasexp.data.class_selection import select_classes
from kerasexp.data.handwriting import render_character
from kerasexp.data.source import BrokenImage, MissingData, Source
from kerasexp.data.sources import load_source
from kerasexp.data.sources.digits import load_digits
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.data.sources.rendered_scans import load_rendered_scans
from kerasexp.errors import UserError

pytestmark = pytest.mark.usefixtures("nothing_is_downloaded")

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3


def asked(**keys) -> DataSource:
    return DataSource(**keys)


def stored(source: Source, split: str = "train") -> np.ndarray:
    images = source.splits[split]
    return np.stack([images.read(i) for i in range(len(images))])


def classes_of(source: Source, split: str = "train") -> list[str]:
    return [source.class_names[label] for label in source.splits[split].labels]


# digits


def test_digits_need_no_download():
    source = load_digits(asked(source="digits"))
    assert source.class_names == list("0123456789")
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 1437, "test": 360}
    image = source.splits["train"].read(0)
    assert image.shape == (28, 28, 1) and image.dtype == np.uint8
    frame = np.ones((28, 28), bool)
    frame[4:24, 4:24] = False
    assert (source.splits["train"].array[:, frame] == 0).all() and source.splits["train"].array.max() > 200


def test_digits_are_split_the_same_way_each_time():
    one, other = load_digits(asked(source="digits")), load_digits(asked(source="digits"))
    assert one.splits["test"].digest == other.splits["test"].digest != one.splits["train"].digest


def test_some_of_the_digits_under_other_names():
    source = load_digits(asked(source="digits", class_names={"7": "seven", "1": "one"}))
    assert source.class_names == ["seven", "one"]
    whole = load_digits(asked(source="digits"))
    assert classes_of(source, "test").count("one") == classes_of(whole, "test").count("1")


# image_folder


def folder(*paths: str, root: str = "scans") -> str:
    """A folder with an image at each path (1x1, its shade the path's number), and text where it is no image."""
    for shade, path in enumerate(paths):
        file = Path(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() in (".png", ".bmp"):
            Image.new("L", (1, 1), shade).save(file)
        else:
            file.write_text("no image")
    return root


def zipped(root: str) -> str:
    with zipfile.ZipFile("scans.zip", "w") as archive:
        for file in sorted(Path(root).rglob("*")):
            archive.write(file, file.relative_to(root))
    return "scans.zip"


def load_folder(path: str, class_names: dict[str, str] | None = None) -> Source:
    return load_image_folder(asked(source="image_folder", path=path, class_names=class_names))


@pytest.mark.parametrize("top", ["", "scans/", "a/b/c/"])
@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
def test_each_class_is_a_folder_and_single_top_folders_are_entered(top, as_zip):
    path = folder(f"{top}cat/2.png", f"{top}cat/10.png", f"{top}dog/1.bmp", f"{top}dog/2.PNG", root="files")
    source = load_folder(zipped(path) if as_zip else path)
    assert source.class_names == ["cat", "dog"]
    assert list(source.splits) == ["train"]
    assert sorted(zip(source.splits["train"].names, classes_of(source), strict=True)) == [
        (f"{top}cat/10.png", "cat"),
        (f"{top}cat/2.png", "cat"),
        (f"{top}dog/1.bmp", "dog"),
        (f"{top}dog/2.PNG", "dog"),
    ]
    shade = dict(zip(source.splits["train"].names, stored(source).ravel(), strict=True))
    assert shade[f"{top}cat/10.png"] == 1 and shade[f"{top}dog/1.bmp"] == 2


def test_a_folder_and_its_zip_are_the_same_source():
    path = folder("cat/1.png", "cat/2.png", "dog/1.png", "notes.txt")
    one, other = load_folder(path), load_folder(zipped(path))
    assert one.splits["train"].names == other.splits["train"].names
    assert one.folders == other.folders
    assert np.array_equal(stored(one), stored(other))


@pytest.mark.parametrize("top", ["", "scans/"])
@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("training", "validation", "testing"), ("train", "valid", "test")]
)
def test_folders_named_as_splits_are_the_splits(top, names):
    path = folder(*(f"{top}{split}/{kind}/{n}.png" for split in names for kind in ("cat", "dog") for n in (1, 2)))
    source = load_folder(path)
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 4, "val": 4, "test": 4}
    assert classes_of(source, "test") == ["cat", "cat", "dog", "dog"]


def test_train_and_test_alone_are_splits_too():
    source = load_folder(folder("train/cat/1.png", "train/dog/1.png", "test/dog/1.png"))
    assert {split: classes_of(source, split) for split in source.splits} == {"train": ["cat", "dog"], "test": ["dog"]}


def test_classes_named_train_and_test_are_classes():
    assert load_folder(folder("train/1.png", "test/1.png")).class_names == ["test", "train"]


def test_classes_are_in_natural_order():
    source = load_folder(folder(*(f"Sample{n}/1.png" for n in (10, 9, 1))))
    assert source.class_names == ["Sample1", "Sample9", "Sample10"]


def test_a_class_map_renames_orders_and_selects():
    path = folder("Sample001/1.png", "Sample002/1.png", "Sample003/1.png")
    source = load_folder(path, {"Sample003": "2", "Sample001": "0"})
    assert source.class_names == ["2", "0"]
    assert dict(zip(source.splits["train"].names, classes_of(source), strict=True)) == {
        "Sample001/1.png": "0",
        "Sample003/1.png": "2",
    }
    assert source.folders == {"Sample003": "2", "Sample001": "0"}


def test_a_class_map_with_an_unknown_folder_is_refused_with_the_closest():
    with pytest.raises(UserError, match=r"data\.class_names: 'Sample01' .*did you mean 'Sample001'\?; stored labels: "):
        load_folder(folder("Sample001/1.png", "Sample002/1.png"), {"Sample01": "0", "Sample002": "1"})


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["1.png", "2.png"], "2 images are not directly in a class folder"),
        (["notes.txt"], "has no image"),
        ([".hidden/1.png"], "has no image"),
        (["cat/1.png", "dog/1.png", "1.png", "2.png"], r"2 images are not directly in a class folder, .*'1\.png'"),
        (["cat/1.png", "dog/deep/1.png"], r"such as 'dog/deep/1\.png'"),
        (["train/cat/1.png", "train/dog/1.png", "test/1.png"], "not directly in a class folder"),
    ],
    ids=["no folders", "no images", "hidden", "as many beside", "deeper", "half split"],
)
def test_a_folder_without_class_folders_is_refused(paths, reason):
    with pytest.raises(UserError, match=reason):
        load_folder(folder(*paths))


def test_an_empty_folder_is_refused():
    Path("scans").mkdir()
    with pytest.raises(UserError, match="has no image"):
        load_folder("scans")


def test_files_that_are_not_images_are_left_out():
    path = folder(
        "cat/1.png", "cat/Thumbs.db", "dog/1.png", "dog/notes.txt", "labels.csv", "empty/readme.md", ".git/1.png"
    )
    source = load_folder(path)
    assert source.splits["train"].names == ["cat/1.png", "dog/1.png"]


def test_an_unreadable_image_is_reported_when_it_is_read():
    path = folder("cat/1.png", "dog/1.png")
    Path(path, "dog", "1.png").write_text("no image")
    images = load_folder(path).splits["train"]
    assert images.read(0).shape == (1, 1, 1)
    with pytest.raises(BrokenImage):
        images.read(1)


def test_a_missing_folder_is_missing_data():
    with pytest.raises(MissingData, match="'nowhere' is not at "):
        load_folder("nowhere")


def test_a_file_that_is_not_an_archive_is_refused():
    Path("scans.zip").write_text("no archive")
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        load_folder("scans.zip")


# Stand-ins


def test_a_stand_in_is_used_and_reported_with_the_reason():
    source, sentence = load_source(Data(source="mnist", offline=dict(source="digits")))
    assert len(source.splits["train"]) == 1437
    assert sentence.startswith("'digits' stands in for 'mnist': MNIST is not at ")
    assert "could not be downloaded" in sentence


def test_a_stand_in_for_a_file_names_the_file():
    data = Data(source="image_folder", path="scans.zip", offline=dict(source="digits"))
    assert load_source(data)[1].startswith("'digits' stands in for 'image_folder scans.zip': ")


def test_a_stand_in_is_not_used_if_the_source_is_available():
    np.savez("images.npz", x=IMAGES, y=LABELS)
    source, sentence = load_source(Data(source="npz", path="images.npz", offline=dict(source="digits")))
    assert sentence is None and len(source.splits["train"]) == 12


def test_a_stand_in_takes_the_class_names_of_the_source_unless_it_has_its_own():
    names = {"0": "zero", "1": "one"}
    source, _ = load_source(Data(source="mnist", class_names=names, offline=dict(source="digits")))
    assert source.class_names == ["zero", "one"]
    own = dict(source="digits", class_names={"5": "five", "6": "six"})
    source, _ = load_source(Data(source="mnist", class_names=names, offline=own))
    assert source.class_names == ["five", "six"]


def test_without_a_stand_in_missing_data_are_a_user_error():
    with pytest.raises(UserError, match=r"offline: digits") as caught:
        load_source(Data(source="mnist"))
    assert caught.value.problems[0].key == "data.source"


def test_a_missing_stand_in_is_reported():
    with pytest.raises(UserError, match="MNIST is not at .*; nor is its stand-in available: 'nowhere.npz'"):
        load_source(Data(source="mnist", offline=dict(source="npz", path="nowhere.npz")))


# rendered_scans


def test_rendered_scans_are_62_classes_of_40_writers_in_the_folders_of_the_scans():
    source = load_rendered_scans(asked(source="rendered_scans"))
    images = source.splits["train"]
    assert len(source.class_names) == 62 and source.class_names[10] == "A"
    assert source.folders["Sample011"] == "A"
    assert np.bincount(images.labels).tolist() == [40] * 62
    assert images.names[0] == "Sample001/img001-001.png" and images.names[-1] == "Sample062/img062-040.png"
    assert np.array_equal(images.read(401), render_character("A", 2))


def test_rendered_scans_under_a_class_map_and_selected():
    names = {"Sample011": "big a", "Sample001": "zero", "Sample037": "small a"}
    source = load_rendered_scans(asked(source="rendered_scans", class_names=names))
    assert source.class_names == ["big a", "zero", "small a"]
    assert np.bincount(source.splits["train"].labels).tolist() == [40, 40, 40]
    selected = select_classes(source, Labels(select=["small a", "big a"]).select)
    assert selected.class_names == ["small a", "big a"]
    images = selected.splits["train"]
    of = dict(zip(images.names, (selected.class_names[label] for label in images.labels), strict=True))
    assert of["Sample037/img037-003.png"] == "small a" and of["Sample011/img011-003.png"] == "big a" and len(of) == 80
    assert np.array_equal(images.read(images.names.index("Sample037/img037-003.png")), render_character("a", 3))
