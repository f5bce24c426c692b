"""Tables of images in any dialect: separator, header, encoding, and which column is which."""

import csv
import importlib.util
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import write_csv_table

from kerasexp.config.data_section import Columns
from kerasexp.data import image_zip_checks
from kerasexp.data.image_formats import is_image_name
from kerasexp.data.sources.image_table import names_images, read_image_table
from kerasexp.data.sources.parquet_table import read_parquet
from kerasexp.errors import UserError

HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


def columns(path: Path, **wanted) -> dict[str, list[str]]:
    """Return the values of the columns that are used, by what they are."""
    table = read_image_table(path, Columns(**wanted))
    found = {key: getattr(table.columns, key) for key in ("image", "label", "split", "group")}
    return {key: [row[column] for row in table.rows] for key, column in found.items() if column is not None}


def of_text(text: str | bytes, **wanted) -> dict[str, list[str]]:
    Path("t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return columns(Path("t.csv"), **wanted)


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quoting": st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)),
        "lineterminator": st.sampled_from(("\n", "\r\n", "\r")),
    }
)
WORDS = st.text("ab1é猫 ,;|'\"./\\-", min_size=1, max_size=8).map(str.strip).filter(bool)
PATHS = st.builds("{}.{}".format, WORDS, st.sampled_from(("png", "JPG", "webp")))
LABELS = WORDS.filter(lambda word: not is_image_name(word))


@given(
    st.lists(st.tuples(PATHS, LABELS), min_size=1, max_size=30),
    DIALECTS,
    st.sampled_from(("utf-8", "utf-8-sig", "utf-16")),
    st.booleans(),
)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_a_table_that_the_csv_module_writes_is_read_back(pairs, dialect, encoding, label_first):
    rows = [["image", "label"], *map(list, pairs)]
    with tempfile.TemporaryDirectory() as folder:
        ordered = [row[::-1] if label_first else row for row in rows]
        path = write_csv_table(Path(folder, "t.csv"), ordered, encoding, **dialect)
        found = columns(path)
    assert list(zip(found["image"], found["label"], strict=True)) == pairs


SIMPLE = st.text("abé 1-/", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(st.tuples(SIMPLE.map("{}.png".format), SIMPLE), min_size=2, max_size=30), DIALECTS, st.booleans())
@settings(derandomize=True, deadline=None, max_examples=200)
def test_a_table_without_a_header_is_read_back(pairs, dialect, label_first):
    with tempfile.TemporaryDirectory() as folder:
        ordered = [list(pair[::-1] if label_first else pair) for pair in pairs]
        found = columns(write_csv_table(Path(folder, "t.csv"), ordered, **dialect))
    assert list(zip(found["image"], found["label"], strict=True)) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na b.png,cat\nc.png,dog\n",
        "\ufeffimage,label\r\na b.png,cat\r\nc.png,dog\r\n",
        "image, label\na b.png, cat\n\n\nc.png, dog\n",
        'label;image\n"cat";"a b.png"\n"dog";"c.png"\n',
        "a b.png\tcat\nc.png\tdog\n",
        "id,image,label,\n1,a b.png,cat,\n2,c.png,dog,\n",
        ",File Name,Class\n0,a b.png,cat\n1,c.png,dog\n",
        "image,label\ra b.png,cat\rc.png,dog\r",
    ],
    ids=repr,
)
def test_tables_as_programs_write_them(text):
    assert of_text(text) == {"image": ["a b.png", "c.png"], "label": ["cat", "dog"]}


def test_a_list_separated_by_spaces_as_of_imagenet():
    found = of_text("n01/1.JPEG 0\nn01/2.JPEG 0\nn02/1.JPEG 1\n")
    assert found == {"image": ["n01/1.JPEG", "n01/2.JPEG", "n02/1.JPEG"], "label": ["0", "0", "1"]}


def test_splits_and_groups_are_found_by_name():
    found = of_text("filepath,species,data set,group\na.png,cat,TRAIN,w1\nb.png,dog,Valid,w2\n")
    assert found["label"] == ["cat", "dog"] and found["split"] == ["TRAIN", "Valid"] and found["group"] == ["w1", "w2"]


def test_a_fold_of_numbers_is_no_split():
    table = read_image_table(write_csv_table(Path("t.csv"), [["path", "label", "fold"], ["a.png", "x", "3"]]), None)
    assert table.columns.split is None and table.notes == ["not used: the column 'fold'"]


def test_columns_by_name_in_any_case_and_by_number():
    text = "scan,mask,kind,part,writer\na.png,m.png,cat,test,7\n"
    wanted = dict(image="Scan", label="3", split="part", group=5)
    assert of_text(text, **wanted) == {"image": ["a.png"], "label": ["cat"], "split": ["test"], "group": ["7"]}


def test_false_leaves_a_column_out():
    text = "image,label,split,group\na.png,cat,holdout,7\n"
    assert of_text(text, split=False, group=False) == {"image": ["a.png"], "label": ["cat"]}


def test_names_of_images_without_extension_are_found_by_the_name_of_their_column():
    assert of_text("id,breed\n000bec18,boston bull\n001513df,dingo\n")["image"] == ["000bec18", "001513df"]


@pytest.mark.parametrize(
    ("text", "wanted", "reason"),
    [
        (
            "image,label,class\na.png,1,cat\n",
            {},
            "'label', 'class' may all be the labels; write columns: {label: NAME}",
        ),
        ("image,age,sex\na.png,1,f\n", {}, "columns.label: which column holds the labels.*one of 'age', 'sex'"),
        (
            "scan,mask,label\na.png,b.png,1\n",
            {},
            "'scan', 'mask' all hold paths of images; write columns: {image: NAME}",
        ),
        ("a,label\n1,2\n", {}, "columns.image: no column holds the paths of images"),
        ("image\na.png\n", {}, "has paths of images and no column of labels"),
        ("image,label\na.png,1\n", {"label": "lable"}, "columns.label: no column 'lable'; did you mean 'label'"),
        ("image,label\na.png,1\n", {"label": "image", "image": "image"}, "names one column twice"),
        ("a.png,1\n", {"label": "kind"}, "got 'kind', and the file has no header; allowed: first, last, or a number"),
        ("a.png,1\n", {"label": "3"}, "a number from 1 to 2"),
        ("image,label\n", {}, "has no row below its header"),
        ("", {}, "has no row"),
        (b"\xff\xfe\x00", {}, "cannot be read as CSV"),
        (b"image,label\n\xe9.png,1\n", {}, "cannot be read as CSV"),
        (
            "label," + ",".join(f"p{i}" for i in range(64)) + "\n7" + ",3" * 64 + "\n",
            {},
            "pixels is read by source: csv",
        ),
        ("7" + ",3" * 64 + "\n", {}, "65 columns and none of paths; a table of pixels is read by source: csv"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_found_is_asked_for(text, wanted, reason):
    with pytest.raises(UserError, match=reason):
        of_text(text, **wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,label\na.png,1\n", True),
        ("a.png 1\n", True),
        ("label,p0,p1\n1,2,3\n", False),
        ("Look at a.png first.\nThen see how b.png differs\nfrom c.png\n", False),
        ("", False),
    ],
)
def test_tables_of_images_are_told_from_others(text, expected):
    Path("t.txt").write_text(text)
    assert names_images(Path("t.txt")) is expected


def test_a_table_may_name_images_that_are_known_without_their_extension():
    table = write_csv_table(Path("t.csv"), [["lesion", "Image ID", "dx"], ["L1", "i_1", "nv"], ["L2", "x\\i_2", "mel"]])
    assert names_images(table, {"i_2"})
    assert not names_images(table, {"i_3", "L1", "nv"}) and not names_images(table)


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow, of the extra `parquet`, is not installed")
def test_parquet_is_read_as_csv_is():
    import pyarrow
    import pyarrow.parquet

    content = {"path": ["a.png", "b.png", None], "label": [0, 1, 1], "split": ["train", "test", "train"]}
    pyarrow.parquet.write_table(pyarrow.table(content), "t.parquet")
    assert columns(Path("t.parquet")) == {
        "image": ["a.png", "b.png", ""],
        "label": ["0", "1", "1"],
        "split": content["split"],
    }
    Path("bad.parquet").write_text("no")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        columns(Path("bad.parquet"))


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow, of the extra `parquet`, is not installed")
def test_of_parquet_only_the_first_rows_are_read_to_see_what_it_is(monkeypatch):
    import pyarrow
    import pyarrow.parquet

    content = {"path": [f"{n}.png" for n in range(200)], "label": [n % 2 for n in range(200)]}
    pyarrow.parquet.write_table(pyarrow.table(content), "t.parquet", row_group_size=50)
    pyarrow.parquet.write_table(pyarrow.table(content).slice(0, 0), "empty.parquet")
    original, read = pyarrow.parquet.ParquetFile.iter_batches, []

    def counted(file, **how):
        for batch in original(file, **how):
            read.append(len(batch))
            yield batch

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", counted)
    assert read_parquet(Path("t.parquet"), 2).rows == [["0.png", "0"], ["1.png", "1"]] and read == [2]
    assert names_images(Path("t.parquet")) and not names_images(Path("empty.parquet"))


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow, of the extra `parquet`, is not installed")
@pytest.mark.parametrize("is_stored_once", [True, False])
def test_parquet_that_unpacks_to_far_more_than_the_file_has_is_refused(monkeypatch, is_stored_once):
    import pyarrow
    import pyarrow.parquet

    monkeypatch.setattr(image_zip_checks, "MAX_TOTAL", 10**6)
    table = pyarrow.table({"path": ["a" * 1000] * 20_000})
    pyarrow.parquet.write_table(table, "t.parquet", use_dictionary=is_stored_once, compression="zstd")
    with pytest.raises(UserError, match=r"t\.parquet: unpacks from [\d,]+ to [\d,]+ bytes, as a zip bomb does"):
        read_parquet(Path("t.parquet"))


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    Path("t.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"pip install 'kerasexp\[parquet\]'"):
        columns(Path("t.parquet"))
