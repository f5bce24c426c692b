"""Images that a table lists: every row and every file is used or accounted for."""

import importlib.util
import io
import os
from pathlib import Path

import numpy as np
import pytest
from folder_trees import image_file, images, write_folder, write_zip
from PIL import Image
from tables import FILES, HEADER, ROWS, labelled, lines, load, prepared, write_csv_table

from kerasexp.config.data_section import Data, DataSource
from kerasexp.data.new_source import find_source
from kerasexp.data.prepared_data import prepare
from kerasexp.data.source import MissingData
from kerasexp.data.sources import load_source
from kerasexp.data.sources.csv import load_csv
from kerasexp.errors import UserError

HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


# Where the images are


def test_where_everything_is_used_nothing_is_said(made_table):
    path = made_table([HEADER, *ROWS])
    assert lines(path) == []
    assert labelled(load(path)) == {path.removeprefix("scans/"): label for path, label in ROWS}
    assert load(path).splits["train"].read(0).shape == (6, 6, 1)


@pytest.mark.parametrize("place", ["folder", "zip"])
def test_images_elsewhere_give_what_their_folders_give(tmp_path, place):
    content = images("train/S1", "train/S2", each=6)
    where = write_folder(tmp_path / "i", content) if place == "folder" else write_zip(tmp_path / "i.zip", content)
    rows = [[path.replace("train/", ""), "one" if "S1" in path else "two"] for path in content]
    table = write_csv_table(tmp_path / "t.csv", [HEADER, *reversed(rows)])
    # Names from S2 and S1 are the same, so the folder above a file says which one is meant.
    data = prepare(Data(source="table", path=str(table), images=str(where), validation=0.3, test=0.3))
    names = {"S1": "one", "S2": "two"}
    folders = Data(source="image_folder", path=str(where), class_names=names, validation=0.3, test=0.3)
    assert data.fingerprint == prepare(folders).fingerprint
    assert data.split_digests == prepare(folders).split_digests
    assert data.notes[0].startswith("12 files found by name, in other folders: S2/") or place == "folder"


def test_images_may_be_named_relative_to_the_table(tmp_path, monkeypatch):
    write_folder(tmp_path / "data" / "i", images("", each=4))
    path = write_csv_table(tmp_path / "data" / "t.csv", [HEADER, *([f"{n}.png", "ab"[n % 2]] for n in range(4))])
    monkeypatch.chdir("/")
    assert len(load(path, images="i").splits["train"]) == 4


def test_absolute_paths_in_several_folders(tmp_path):
    write_folder(tmp_path / "one", images("", each=2) | {"x.png": image_file(50)})
    write_folder(tmp_path / "two" / "deep", images("", each=2, seed=1) | {".hidden.png": b""})
    rows = [[str(tmp_path / place / f"{n}.png"), "ab"[n]] for place in ("one", "two/deep") for n in range(2)]
    (tmp_path / "tables").mkdir()
    path = write_csv_table(tmp_path / "tables" / "t.csv", rows)
    assert labelled(load(path)) == {"one/0.png": "a", "one/1.png": "b", "two/deep/0.png": "a", "two/deep/1.png": "b"}
    assert lines(path) == [
        "not used: 1 file that are images in no row of the table: one/x.png",
        "not used: 1 file hidden or of macOS",
    ]


def test_relative_paths_that_leave_the_folder_and_paths_of_windows(tmp_path):
    write_folder(tmp_path / "scans", images("a", each=4))
    rows = [[["../scans/a/", "..\\scans\\a\\"][n % 2] + f"{n}.png", "ab"[n // 2]] for n in range(4)]
    (tmp_path / "tables").mkdir()
    assert len(load(write_csv_table(tmp_path / "tables" / "t.csv", rows)).splits["train"]) == 4


def test_folders_that_hold_no_image_of_the_table_are_not_read(made_table, tmp_path):
    write_folder(tmp_path / "data" / "other", {"1.png": image_file(99)})
    assert lines(made_table([HEADER, *ROWS])) == []


def test_an_edit_of_the_table_changes_no_digest_of_the_images(made_table):
    path = made_table([HEADER, *([Path(path).name, label] for path, label in ROWS)], images("", each=8))
    before = load(path).splits["train"].digest
    path.write_text(path.read_text().replace("cat", "bird"))
    after = load(path)
    assert "bird" in after.class_names and after.splits["train"].digest == before


def test_missing_files_are_named_and_counted(made_table):
    path = made_table([HEADER, *ROWS, ["scans/x.png", "cat"], ["scans/y.png", "dog"]])
    assert lines(path) == ["not used: 2 of 10 rows of labels.csv whose file is not there: scans/x.png, scans/y.png"]


def test_without_any_file_the_place_that_has_them_is_named(tmp_path):
    write_zip(tmp_path / "scans.zip", images("deep", each=4))
    path = write_csv_table(tmp_path / "t.csv", [HEADER, *([f"Img/{n}.png", "ab"[n % 2]] for n in range(4))])
    reason = r"data\.images: none of its 4 images is at its path, such as Img/0\.png; 4 are in scans.zip"
    with pytest.raises(UserError, match=reason) as refusal:
        load(path)
    assert f"write images: {tmp_path / 'scans.zip'}" in str(refusal.value)
    Path("scans.zip").unlink()
    with pytest.raises(UserError, match="images names the folder or archive of the images"):
        load(path)


def test_missing_places_are_named_with_their_keys(made_table):
    with pytest.raises(MissingData, match="'nowhere.csv' is not at"):
        load(Path("nowhere.csv"))
    path = made_table([HEADER, *ROWS])
    with pytest.raises(UserError, match=r"^data\.images: 'nowhere' is not at .*data/nowhere"):
        load_source(Data(source="table", path=str(path), images="nowhere"))
    with pytest.raises(UserError, match="data.path: is a folder; path names the table"):
        load(path.parent)
    with pytest.raises(UserError, match="is neither a folder nor a zip archive"):
        load(path, images=str(path))


# Other sources


def test_each_source_names_the_other_for_its_tables(made_table):
    with pytest.raises(UserError, match=r"data\.source: holds paths of images and no pixels; source: table reads it"):
        load_csv(DataSource(source="csv", path=str(made_table([HEADER, *ROWS]))))
    Path("p.csv").write_text("label," + ",".join(f"p{i}" for i in range(16)) + "\n" + ("7" + ",3" * 16 + "\n") * 4)
    with pytest.raises(UserError, match=r"data\.source: has 17 columns and none of paths; .* read by source: csv"):
        load(Path("p.csv"))


def test_unreadable_images_are_left_out_as_those_of_folders_are(made_table):
    data = prepared(made_table([HEADER, *ROWS, ["scans/bad.png", "cat"]], FILES | {"scans/bad.png": b"no image"}))
    assert [name for name, _ in data.faults] == ["bad.png"]


def test_decoded_images_are_cached_with_those_of_the_folders(tmp_path, monkeypatch):
    content = images("a", "b", each=8)
    where = write_zip(tmp_path / "i.zip", content)
    prepare(Data(source="image_folder", path=str(where)))
    table = write_csv_table(tmp_path / "t.csv", [HEADER, *([path, path[0]] for path in content)])
    monkeypatch.setattr("kerasexp.data.image_files.decode_image", None)
    data = prepare(Data(source="table", path=str(table), images=str(where)))
    assert sum(len(split) for split in data.splits.values()) == 16 and data.faults == []


def test_a_pipe_is_left_out_as_in_a_folder(made_table, tmp_path):
    path = made_table([HEADER, *ROWS, ["scans/pipe.png", "cat"]])
    os.mkfifo(tmp_path / "data" / "scans" / "pipe.png")
    assert prepared(path).faults == [("pipe.png", "is a device, a pipe or a socket")]


def test_values_of_16_bits_have_a_range(made_table):
    import cv2

    rows = []
    for number in range(8):
        Path("data").mkdir(exist_ok=True)
        cv2.imwrite(f"data/{number}.png", np.full((8, 8), 400 * number + 5, np.uint16))
        rows.append([f"{number}.png", "ab"[number % 2]])
    path = write_csv_table(Path("data/labels.csv"), rows)
    assert load(path, range=[0, 4095]).splits["train"].value_range.bounds == (0, 4095)


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow, of the extra `parquet`, is not installed")
@pytest.mark.parametrize("layout", ["bytes", "struct", "struct with paths"])
def test_images_inside_parquet(layout):
    import pyarrow
    import pyarrow.parquet

    stored = [image_file(n) if n else None for n in range(12)]
    if layout != "bytes":
        stored = [
            {"bytes": data, "path": f"{n}.png" if layout.endswith("paths") else None} for n, data in enumerate(stored)
        ]
    content = {"image": stored, "label": [n % 2 for n in range(12)], "boxes": [[1, 2]] * 12}
    pyarrow.parquet.write_table(pyarrow.table(content), "t.parquet")
    data = prepared(Path("t.parquet"), preprocessing=dict(size=[6, 6]))
    name = "0.png" if layout.endswith("paths") else "0000000"
    assert data.faults == [(name, "has no content")] and sum(map(len, data.splits.values())) == 11
    source = load(Path("t.parquet"))
    assert all(int(kind) == int(name.partition(".")[0]) % 2 for name, kind in labelled(source).items())
    images = source.splits["train"]
    last = np.asarray(Image.open(io.BytesIO(image_file(11))))
    assert np.array_equal(images.read(len(images) - 1)[..., 0], last) or layout.endswith("paths")
    assert find_source(Path("t.parquet"), None)[0].images is None
    with pytest.raises(UserError, match="data.images: holds the images itself; remove this key"):
        load(Path("t.parquet"), images="t")


@pytest.mark.real
def test_the_table_of_the_scans_gives_what_their_folders_give():
    """`english.csv` has 55 writers and other folders; the archive has 40 writers, in a folder per class."""
    same = dict(preprocessing=dict(size=[28, 28], framing="center", invert="auto", contrast="stretch"))
    table = prepare(Data(source="table", path="english.csv", images="trainPart1.zip", **same))
    classes = dict(zip([f"Sample{n:03d}" for n in range(1, 63)], table.class_names, strict=True))
    folders = prepare(Data(source="image_folder", path="trainPart1.zip", class_names=classes, **same))
    assert table.fingerprint == folders.fingerprint and table.split_digests == folders.split_digests
    record = table.accounting["data"]["table"]
    assert (record["rows"], record["used"]) == (3410, 2480)
    (missing,) = record["left_out"]
    assert missing["rows"] == 930 and missing["such_as"][0] == "Img/img001-041.png"
    assert table.notes[0] == (
        "2,480 files found by name, in other folders: Img/img001-001.png is train/Sample001/img001-001.png"
    )
