"""STL-10 in its published format: orientation, labels, folds, the archive, and invalid files."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from stl10_files import CLASSES, IMAGES, LABELS, published, written

from kerasexp.config.data_section import Data, DataSource, Preprocessing
from kerasexp.data.prepared_data import prepare
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import MissingData
from kerasexp.data.sources import load_source
from kerasexp.data.sources.stl10 import load_stl10
from kerasexp.errors import RunError, UserError


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def archive(*first: tuple[tarfile.TarInfo, bytes], name: str = "stl10_binary.tar.gz", leave_out: str = "") -> str:
    """The archive as it is published, the large file that nothing reads in its middle; `first` come before."""
    files = {**published(), "unlabeled_X.bin": bytes(3_000_000)}
    order = ["test_X", "test_y", "train_X", "train_y", "unlabeled_X", "class_names", "fold_indices"]
    with tarfile.open(name, "w:gz", compresslevel=1) as tar:
        for info, content in first:
            tar.addfile(info, io.BytesIO(content))
        tar.addfile(member("stl10_binary", kind=tarfile.DIRTYPE))
        for stem in order:
            file = next(file for file in files if file.startswith(stem))
            if file != leave_out:
                tar.addfile(member(f"stl10_binary/{file}", len(files[file])), io.BytesIO(files[file]))
    return name


def load(path: str | None = None, **keys):
    return load_stl10(DataSource(source="stl10", path=path, **keys))


def test_images_are_upright_and_in_colour():
    image = np.zeros((96, 96, 3), np.uint8)
    image[0] = [255, 0, 0]  # the top row is red
    image[1:, 0] = [0, 0, 255]  # and the rest of the left column blue
    stored = np.stack([image, *IMAGES["train"][1:]]).transpose(0, 3, 2, 1).tobytes()
    train = load(written(train_X=stored)).splits["train"]
    for got in (train.read(0), train.array[0]):
        assert got.shape == (96, 96, 3) and got.dtype == np.uint8
        assert (got[0] == [255, 0, 0]).all() and (got[1:, 0] == [0, 0, 255]).all() and got[1:, 1:].max() == 0


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar.gz"])
def test_splits_and_labels_are_the_published_ones(packed):
    source = load(archive() if packed else written())
    assert source.class_names == CLASSES
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 40, "test": 20}
    for split, images in source.splits.items():
        assert np.array_equal(images.array, IMAGES[split])
        assert np.array_equal(images.labels, LABELS[split] - 1)
    assert source.class_names[source.splits["train"].labels[3]] == "airplane"


def test_the_parent_folder_may_be_given():
    written("downloads/stl10_binary")
    assert len(load("downloads").splits["train"]) == 40


@pytest.mark.parametrize("size", [96, 40])
def test_images_are_preprocessed(size):
    how = Preprocessing(size=[size, size], channels=3)
    data = prepare(Data(source="stl10", path=written(), validation=0.25, preprocessing=how))
    train = data.splits["train"]
    for position in (0, len(train) - 1):
        number = int(train.names[position].rpartition("/")[2])
        assert np.array_equal(train.images[position], preprocess(IMAGES["train"][number], how))
    assert len(data.splits["test"]) == 20 and len(data.splits["val"]) == 10


def test_a_fold_selects_its_positions_from_train():
    source = load(written(), fold=3)
    train = source.splits["train"]
    assert train.names == ["train/00003", "train/00013", "train/00023", "train/00033"]
    assert np.array_equal(train.array, IMAGES["train"][3::10]) and train.labels.tolist() == [0, 0, 0, 0]
    assert len(source.splits["test"]) == 20 and source.origin.endswith("fold 3 of train")


def test_a_fold_of_some_classes_counts_positions_in_the_file():
    folds = b"0 1 2 3 4 5\n" * 10
    source = load(written(fold_indices=folds), fold=9, class_names={"airplane": "plane", "bird": "bird"})
    assert source.class_names == ["plane", "bird"]
    assert source.splits["train"].names == ["train/00003", "train/00004"]


def test_it_is_found_in_the_data_folder_then_in_the_cache_of_keras(monkeypatch, tmp_path):
    written("keras/datasets/stl10_binary")
    assert load().origin == "STL-10 from Keras's cache"
    written("data/stl10_binary")
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    assert load().origin == "STL-10 from $KERASEXP_DATA"


def test_an_archive_is_unpacked_once_without_unused_files(tmp_path, capfd):
    load(archive())
    (unpacked,) = (tmp_path / "cache" / "unpacked").iterdir()
    assert sorted(file.name for file in unpacked.iterdir()) == sorted(published())
    assert "unpacking stl10_binary.tar.gz" in capfd.readouterr().err
    load("stl10_binary.tar.gz")
    assert "unpacking" not in capfd.readouterr().err


def test_an_archive_that_was_replaced_is_unpacked_again(tmp_path):
    load(archive())
    Path("stl10_binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"stl10_binary\.tar\.gz: is not a readable tar\.gz archive"):
        load("stl10_binary.tar.gz")


def test_an_unwritable_cache_is_reported_with_advice(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(
        RunError, match=r"cannot be unpacked into .*cache/unpacked: .*unpack it elsewhere and name its fo"
    ):
        load(archive())


def test_it_is_downloaded_if_it_is_not_found(monkeypatch):
    monkeypatch.setattr("kerasexp.data.sources.stl10.URL", "http://127.0.0.1:9/stl10_binary.tar.gz")
    with pytest.raises(
        MissingData, match=r"STL-10 is not at .*datasets/stl10_binary \(nor, .*\.tar\.gz\), and it could not be"
    ):
        load()
    stand_in = load_source(Data(source="stl10", offline={"source": "digits"}))[1]
    assert stand_in.startswith("'digits' stands in for 'stl10': STL-10 is not at ")


X, Y = IMAGES["train"].tobytes(), LABELS["train"].astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    ("changed", "keys", "message"),
    [
        (dict(train_X=None), {}, r"stl10_binary/train_X\.bin: cannot be read: No such file"),
        (dict(class_names=None), {}, r"class_names\.txt: cannot be read: No such file"),
        (
            dict(train_X=X[:-1]),
            {},
            r"train_X\.bin: has 1,105,919 bytes; the 40 labels in train_y\.bin need 27,648 per image",
        ),
        (dict(train_y=Y[:-1]), {}, r"train_X\.bin: has 1,105,920 bytes; the 39 labels"),
        (dict(test_X=b"", test_y=b""), {}, r"test_X\.bin: has 0 bytes; the 0 labels"),
        (dict(train_y=Y[:7] + b"\0" + Y[8:]), {}, r"train_y\.bin: image 7 has the label 0; labels are 1 to 10"),
        (dict(train_y=Y[:7] + b"\x0b" + Y[8:]), {}, "image 7 has the label 11; labels are 1 to 10"),
        (dict(class_names=b"cat\ncat\n"), {}, r"class_names\.txt: contains a duplicate class"),
        (dict(class_names=b"\xff\xfe"), {}, r"class_names\.txt: cannot be read: "),
        (dict(fold_indices=None), dict(fold=0), r"fold_indices\.txt: cannot be read: No such file"),
        (dict(fold_indices=b"1 2\n3 4\n"), dict(fold=2), r"data\.fold: has no fold 2; its 2 folds"),
        (dict(fold_indices=b"1 2\n3 x\n"), dict(fold=1), "line 2 is not a list of positions: .*'x'"),
        (dict(fold_indices=b"1 2\n3 40\n"), dict(fold=1), "line 2 has a position outside 0 to 39"),
        (dict(fold_indices=b"-1 2\n"), dict(fold=0), "line 1 has a position outside"),
    ],
)
def test_invalid_files_are_refused(changed, keys, message):
    with pytest.raises(UserError, match=message):
        load(written(**changed), **keys)


def test_fold_files_are_not_needed_without_a_fold():
    assert len(load(written(fold_indices=None)).splits["train"]) == 40


# Archives from strangers


def test_links_and_upward_paths_are_skipped(tmp_path):
    link = member("stl10_binary/train_X.bin", kind=tarfile.SYMTYPE)
    link.linkname = "/etc/passwd"
    hard = member("x/class_names.txt", kind=tarfile.LNKTYPE)
    hard.linkname = "/etc/passwd"
    above = member("../../escaped.bin", 3)
    source = load(archive((link, b""), (hard, b""), (above, b"out"), (member("fifo", kind=tarfile.FIFOTYPE), b"")))
    assert np.array_equal(source.splits["train"].array, IMAGES["train"])
    assert not list(tmp_path.parent.glob("**/escaped.bin"))


def changed_header(info: tarfile.TarInfo, size: bytes) -> bytes:
    """A block that describes a member, with another size, and the checksum that it must have."""
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def headed(header: bytes) -> str:
    """An archive of a header and what follows it in the published one."""
    Path("strange.tar.gz").write_bytes(gzip.compress(header + gzip.decompress(Path(archive()).read_bytes()), 1))
    return "strange.tar.gz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: archive((member("b/train_y.bin", 3), b"abc")), r"train_y\.bin appears twice"),
        (lambda: archive(leave_out="test_X.bin"), r"lacks test_X\.bin"),
        (
            lambda: headed(changed_header(member("train_X.bin"), b"\x80" + (2**40).to_bytes(11, "big"))),
            "at most 268",
        ),
        (
            lambda: headed(changed_header(member("other"), b"\x80" + (2**40).to_bytes(11, "big"))),
            "more than 8,589,934,592",
        ),
        (lambda: headed(changed_header(member("other"), b"\xff" * 10 + b"\xf0\0")), "below zero|readable"),
        (
            lambda: headed(changed_header(member("x", kind=tarfile.XHDTYPE), b"%011o\0" % 2**32)),
            "a member declares a header of 4,294,967,296 bytes",
        ),
        (
            lambda: headed(changed_header(member("x", kind=tarfile.GNUTYPE_LONGNAME), b"%011o\0" % 2**32)),
            "declares a header",
        ),
    ],
    ids=["twice", "missing", "too large", "bomb", "size below zero", "huge description", "huge name"],
)
def test_an_unsafe_archive_is_refused(make, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load(make())
    assert list((tmp_path / "cache" / "unpacked").iterdir()) == []


@pytest.mark.parametrize("kept", [0, 10, 1000, 500_000])
def test_a_truncated_archive_is_refused(kept):
    path = Path(archive())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"stl10_binary\.tar\.gz"):
        load(str(path))
