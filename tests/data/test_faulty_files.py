"""Files that are not regular, not readable or change while a run reads them."""

import os
import shutil
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasexp.config.data_section import Data, DataSource, Preprocessing
from kerasexp.data.image_formats import SUPPORTED
from kerasexp.data.prepared_data import decode_split, prepare
from kerasexp.data.source import ChangedImage, Source
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.environment import cache_folder
from kerasexp.errors import UserError
from kerasexp.evaluation.file_predictions import image_files
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.predictions_csv import read_predictions, write_predictions

HOW = Preprocessing(size=[4, 4])
NAMES = [f"{kind}/{number:02d}.png" for kind in ("cat", "dog") for number in range(20)]


def load(path: str = "scans") -> Source:
    return load_image_folder(DataSource(source="image_folder", path=path))


def shades(source: Source) -> dict[str, int]:
    """The shade of each readable image, through the image cache."""
    split, _ = decode_split(source.splits["train"], HOW)
    return dict(zip(split.names, split.images[:, 0, 0, 0].tolist(), strict=True))


def faults(source: Source) -> dict[str, str]:
    return dict(decode_split(source.splits["train"], HOW)[1])


@pytest.fixture
def scans() -> Path:
    """Two folders of twenty 4x4 images, each of the shade of its number."""
    for name in NAMES:
        file = Path("scans", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), int(file.stem)).save(file)
    return Path("scans")


# Other kinds of files


@pytest.mark.parametrize("extension", ["ppm", "tif", "TIFF", "heic", "avif"])
def test_an_unsupported_format_is_reported(scans, extension):
    other = scans / "dog" / f"x.{extension}"
    Image.new("L", (4, 4)).save(other, "PPM")
    source = load()
    assert faults(source) == {
        f"dog/x.{extension}": f"the file is Netpbm; supported formats: {SUPPORTED}; convert it, best to PNG"
    }
    assert len(shades(source)) == 40


def test_an_image_with_an_unsupported_extension_is_read(scans):
    for name in ("a.jfif", "b.jpe", "c.gif", "d.jpg"):
        Image.new("L", (4, 4), 99).save(scans / "cat" / name, "PNG")
    assert [name for name, shade in shades(load()).items() if shade == 99] == [
        "cat/a.jfif",
        "cat/b.jpe",
        "cat/c.gif",
        "cat/d.jpg",
    ]


def test_a_class_of_unsupported_files_is_a_class_without_readable_images(scans):
    (scans / "emu").mkdir()
    Image.new("L", (4, 4)).save(scans / "emu" / "1.pgm")
    source = load()
    assert source.class_names == ["cat", "dog", "emu"]
    assert list(faults(source)) == ["emu/1.pgm"]


def test_an_unsupported_file_elsewhere_is_ignored(scans):
    (scans / "cat" / "deep").mkdir()
    for stray in ("logo.pgm", "cat/deep/x.ppm"):
        Image.new("L", (4, 4)).save(scans / stray)
    assert load().splits["train"].names == NAMES


def test_an_unsupported_file_beside_the_splits_is_ignored():
    of_the_set = [f"top/{split}/{kind}/1.png" for split in ("train", "test") for kind in ("cat", "dog")]
    for place in (*of_the_set, "top/docs/shown/x.pgm", "docs/train/cat/x.pgm", "top/train/x.pgm", "x.pgm"):
        Path("a", place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(Path("a", place))
    source = load("a")
    assert source.class_names == ["cat", "dog"]
    assert {split: images.names for split, images in source.splits.items()} == {
        "train": of_the_set[:2],
        "test": of_the_set[2:],
    }


def test_a_dataset_of_unsupported_files_is_refused_with_their_format():
    for kind in ("cat", "dog"):
        Path("a", kind).mkdir(parents=True)
        Image.new("L", (4, 4)).save(Path("a", kind, "1.pgm"))
    with pytest.raises(UserError, match="none of the 2 images can be read; the first is cat/1.pgm: the file is Netpbm"):
        shades(load("a"))


def test_pipes_sockets_devices_and_circular_links_do_not_block(scans):
    os.mkfifo(scans / "cat" / "pipe.png")
    (scans / "cat" / "device.png").symlink_to("/dev/zero")
    (scans / "cat" / "self.png").symlink_to("self.png")
    (scans / "cat" / "above").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("scans/cat/socket.png")
        source = load()
    assert set(shades(source)) == set(NAMES)
    assert faults(source) == {
        **{f"cat/{name}.png": "is a device, a pipe or a socket" for name in ("pipe", "device", "socket")},
        "cat/self.png": "cannot be read: Too many levels of symbolic links",
    }


def test_a_file_without_permission_is_reported(scans, monkeypatch):
    may = os.open

    def may_not(path, *arguments, **options):
        if str(path).endswith("07.png"):
            raise PermissionError(13, "Permission denied")
        return may(path, *arguments, **options)

    monkeypatch.setattr(os, "open", may_not)
    assert faults(load()) == {name: "cannot be read: Permission denied" for name in ("cat/07.png", "dog/07.png")}


@pytest.mark.parametrize("place", ["pipe", "/dev/zero", "/dev/null"])
def test_predict_does_not_read_from_pipes_and_devices(place):
    if place == "pipe":
        os.mkfifo(place)
    with pytest.raises(UserError, match=f"{place}: is a device, a pipe or a socket"):
        image_files([Path(place)])


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "self.png", "nowhere.zip"])
def test_predict_reports_missing_files(name):
    Path("self.png").symlink_to("self.png")
    with pytest.raises(UserError, match="no such file or folder"):
        image_files([Path(name)])


def test_predict_reads_any_given_file_and_the_images_of_folders(scans):
    (scans / "cat" / "x.tif").write_text("x")
    (scans / "cat" / "x.txt").write_text("x")
    assert [f.name for f in image_files([scans / "cat" / "x.txt"])] == ["scans/cat/x.txt"]
    assert [f.name for f in image_files([scans])] == [
        f"scans/{name}" for name in [*NAMES[:20], "cat/x.tif", *NAMES[20:]]
    ]


# Files that change


def rewritten(file: Path) -> None:
    file.write_bytes(file.read_bytes())


def grown(file: Path) -> None:
    before = file.stat()
    file.write_bytes(file.read_bytes() + b"!")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path) -> None:
    shutil.copy2(file, "other.png")
    os.replace("other.png", file)


def made_a_pipe(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


@pytest.mark.parametrize("change", [rewritten, grown, replaced, Path.unlink, made_a_pipe, lambda file: file.chmod(0)])
def test_a_file_that_changes_is_reported_and_not_cached(scans, change):
    digest = load().splits["train"].digest
    source, file = load(), scans / "dog" / "03.png"
    content, mode = file.read_bytes(), file.stat().st_mode
    change(file)
    with pytest.raises(ChangedImage):
        source.splits["train"].read(NAMES.index("dog/03.png"))
    assert list(faults(source).items()) == [
        ("dog/03.png", "the file was changed or removed while the images were being read")
    ]
    assert len(shades(source)) == 39
    # As it was, it is read as it was: nothing was kept under the digest of this content.
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    again = load()
    assert again.splits["train"].digest == digest
    assert shades(again)["dog/03.png"] == 3 and not faults(again)


def test_changes_before_loading_are_no_fault(scans):
    assert shades(load())["dog/03.png"] == 3
    Image.new("L", (4, 4), 200).save(scans / "dog" / "03.png")
    assert shades(load())["dog/03.png"] == 200
    assert not faults(load())


def test_unchanged_files_are_cached(scans):
    shades(load())
    assert len(list((cache_folder() / "images").glob("*/*"))) == 1


@pytest.mark.parametrize("how", ["replaced", "written over", "removed"])
def test_an_archive_that_changes_gives_no_images(scans, how):
    def pack(path: str, shade: int) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in NAMES:
                Image.new("L", (4, 4), shade).save("one.png")
                archive.write("one.png", name)

    pack("scans.zip", 10)
    source = load("scans.zip")
    if how == "removed":
        os.unlink("scans.zip")
    else:
        pack("scans.zip" if how == "written over" else "new.zip", 20)
        if how == "replaced":
            os.replace("new.zip", "scans.zip")
    with pytest.raises(
        UserError, match="none of the 40 images can be read; the first is cat/00.png: the file was changed"
    ):
        shades(source)
    pack("scans.zip", 10)
    assert set(shades(load("scans.zip")).values()) == {10}


def test_a_disk_that_cannot_be_read_for_a_moment_is_read_at_the_next_start(scans, monkeypatch):
    with zipfile.ZipFile("scans.zip", "w") as archive:
        for name in NAMES:
            archive.write(scans / name, name)
    source, may = load("scans.zip"), zipfile.ZipExtFile.read

    def may_not(member, *size):
        if member.name == "dog/03.png":
            raise OSError(5, "Input/output error")
        return may(member, *size)

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipExtFile, "read", may_not)
        assert faults(source) == {"dog/03.png": "cannot be unpacked: [Errno 5] Input/output error"}
    assert shades(load("scans.zip"))["dog/03.png"] == 3


def test_a_run_continues_without_images_that_vanish(scans):
    def remove(done: int, total: int) -> None:
        (scans / "dog" / "19.png").unlink(missing_ok=True)

    data = prepare(Data(source="image_folder", path="scans", preprocessing=HOW, test=0.2, validation=0.2), remove)
    left = sum(len(split) for split in data.splits.values())
    assert left + len(data.faults) == 40 and {name for name, _ in data.faults} <= {"dog/19.png"}


# Names


def test_names_that_are_not_unicode_are_written_and_read_unchanged(scans):
    strange = os.fsdecode(b"\xff\xe9.png")
    for kind in ("cat", "dog"):
        os.rename(scans / kind / "05.png", scans / kind / strange)
    (scans / "dog" / os.fsdecode(b"\xfe.png")).write_bytes(b"<html>")
    for _ in range(2):  # decoded, and from the cache
        source = load()
        found = shades(source)
        assert found[f"cat/{strange}"] == found[f"dog/{strange}"] == 5
        assert list(faults(source)) == ["dog/" + os.fsdecode(b"\xfe.png")]
    names = source.splits["train"].names
    scores = np.full((len(names), 2), 0.5, np.float32)
    write_predictions(Path("p.csv"), Predictions(names, source.splits["train"].labels, scores, source.class_names))
    assert read_predictions(Path("p.csv")).names == names
    assert [file.name for file in image_files([scans / "cat"])][-1] == f"scans/cat/{strange}"


def test_a_class_name_may_be_no_unicode(scans):
    strange = os.fsdecode(b"\xff\xe9")
    os.rename(scans / "dog", scans / strange)
    assert load().class_names == ["cat", strange]
    data = prepare(Data(source="image_folder", path="scans", preprocessing=HOW, test=0.2, validation=0.2))
    assert len(data.fingerprint) == 64
