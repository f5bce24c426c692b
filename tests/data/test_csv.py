"""CSV files of images: accepted formats and errors."""

import contextlib
import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasexp.config.data_section import DataSource
from kerasexp.data.source import MissingData
from kerasexp.data.sources.csv import load_csv, read_csv, write_csv
from kerasexp.data.value_range import arrays_to_uint8
from kerasexp.errors import UserError

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3


def read(label_column: str | None = None, value_range: list[float] | None = (0, 255)) -> tuple[np.ndarray, np.ndarray]:
    """The images of p.csv as uint8, and their labels."""
    found = read_csv(Path("p.csv"), label_column)
    return arrays_to_uint8([found.pixels], value_range)[0][0], found.labels


@pytest.mark.parametrize("shape", [(8, 8, 1), (4, 16, 1), (4, 4, 3), (1, 2, 1)], ids=str)
def test_written_csv_is_read_unchanged(shape):
    images = GENERATOR.integers(0, 256, (5, *shape), np.uint8)
    labels = ["0", "word", "with, comma", "ünï", "10"]
    write_csv(Path("p.csv"), images, labels)
    found, read_labels = read()
    assert np.array_equal(found, images) and found.dtype == np.uint8
    assert read_labels.tolist() == labels


def test_csv_without_a_header_has_the_label_first():
    Path("p.csv").write_text("7,0,1,2,3\n8,4,5,6,255\n")
    images, labels = read("first")
    assert labels.tolist() == ["7", "8"]
    assert images[..., 0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 255]]]


def test_csv_with_a_header_has_the_label_anywhere():
    Path("p.csv").write_text("a,b,label,c,d\n0,1,cat,2,3\n0,1,dog,2,200\n")
    images, labels = read()
    assert labels.tolist() == ["cat", "dog"]
    assert images[0, ..., 0].tolist() == [[0, 1], [2, 3]]


def test_csv_as_spreadsheets_write_it_is_read():
    """Excel's `CSV UTF-8` begins with a byte order mark and ends its lines with \\r\\n."""
    Path("p.csv").write_bytes(b"\xef\xbb\xbflabel,a,b,c,d\r\n7,0,1,2,3\r\n8,0,1,2,200\r\n")
    assert read()[1].tolist() == ["7", "8"]


def test_csv_with_numbers_as_the_names_of_its_columns_has_a_header():
    Path("p.csv").write_text("label,0,1,2,3\n7,4,5,6,7\n8,0,1,2,3\n")
    images, labels = read()
    assert labels.tolist() == ["7", "8"] and images[0].ravel().tolist() == [4, 5, 6, 7]


def test_csv_in_quotes_and_with_spaces_is_read():
    Path("p.csv").write_bytes(b'"7","0","1","2","3"\r\n"8", 4, 5, 6, 7\r\n\r\n')
    images, labels = read("first")
    assert labels.tolist() == ["7", "8"] and images[1].ravel().tolist() == [4, 5, 6, 7]


def test_csv_labels_with_a_decimal_zero_are_integers():
    Path("p.csv").write_text("7.0,0,1,2,3\n8.0,0,1,2,3\n08,0,1,2,3\n7,0,1,2,3\n")
    assert read("first")[1].tolist() == ["7", "8", "08", "7"]


def test_csv_of_fractions_becomes_uint8():
    Path("p.csv").write_text("7,0,0.2,0.4,1.0\n")
    assert read("first", None)[0].ravel().tolist() == [0, 51, 102, 255]


def test_white_space_around_labels_is_not_part_of_them():
    Path("p.csv").write_text("a,b,c,d,label\n0,1,2,3,cat \n0,1,2,3,cat\n0,1,2,3, 7\n")
    assert read()[1].tolist() == ["cat", "cat", "7"]


HEADED = [
    ("label,a,b,c,d\n7,0,1,2,3\n8,0,1,2,3,4\n", "line 3 has 6 values"),
    ("label,a,b,c,d\n7,0,1,,3\n", "line 2 contains '', which is not a number"),
    ("label;a;b;c;d\n7;0;1;0,5;3\n", "line 2 contains '0,5'; write decimals with a point"),
    ('label,a,b,c,d\n7,0,1,"0,5",3\n', "line 2 contains '0,5'; write decimals with a point"),
    ("label,a,b,c,d\n7,0,1,2,nan\n", "line 2 has the pixel nan"),
    ("label,pixel_0_0,pixel_0_1,pixel_3_3\n7,0,1,2\n", "3 pixels per line form neither a square"),
    ("label,pixel_0_0,pixel_1_0,pixel_0_1,pixel_1_1\n7,1,2,3,4\n", "not in order"),
    ("a,b,label,c,d\n0,1,7,2,3\n0,1,7.5,2,3\n", "line 3 has the label 7.5; labels are words or integers"),
    (",".join(map(str, range(65))) + "\n", "has no line with pixels"),
    ("label\ncat\ndog\n", "pixels"),
    ("label,a,b,c,d\n", "has no line with pixels"),
    ("", "has no line with pixels"),
    (b"\xff\xfe\x00", "cannot be read as CSV"),
    ("7," + "1" * 200_000, "cannot be read as CSV"),
]
WITHOUT_HEADER = [
    ("7,0,1,2,3\n8,0,1,2\n", "line 2 has 4 values; 5 are expected"),
    ("7,0,1,2,3\n8,0,1,x,3\n", "line 2 contains 'x', which is not a number"),
    ("7,0,1,2,3\n\n\n8,0,1,x,3\n", "line 4 contains 'x'"),
    ("7,0,1,2,3\n\n8,0,1\n", "line 3 has 3 values"),
    ("7,0,1,2,3\n7,0,1,2,256\n", "line 2 has the pixel 256; pixels are 0 to 255, or 0 to 1, unless you write range: "),
    ("7,0,1,2,3\n\n7,0,1,2,-1\n", "line 3 has the pixel -1"),
    ("7,0,1,2,1e999\n", "line 1 has the pixel inf"),
    ("7,0,1,2\n", "3 pixels per line form neither a square"),
    ("7,0,1,2,3\n,0,1,2,3\n", "line 2 has no label"),
    ("7,0,1,2,3\nNaN,0,1,2,3\n", "line 2 has no label"),
    ("7,0,1,2,3\n-1,0,1,2,3\n", "line 2 has the label -1"),
    ('7,0,1,2,3\n"8,0,1,2,3\n', "line 2 has 1 values"),
    ("7;0,5;0,5;0,5;1\n", "line 1 contains '0,5'; write decimals with a point"),
    ("7\n8\n", "pixels"),
    (
        "7 0 1 2 3\n8 0 1 2 3\n",
        "has one value in each line; a label and its pixels are separated by: semicolon, tab, comma",
    ),
]


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [(*case, None) for case in HEADED] + [(*case, "first") for case in WITHOUT_HEADER],
    ids=lambda value: repr(value)[:40],
)
def test_invalid_csv_is_refused(text, reason, column):
    Path("p.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=reason):
        read(column, None)


def test_a_missing_csv_is_missing_data():
    with pytest.raises(MissingData, match=r"'nowhere\.csv'"):
        load_csv(DataSource(source="csv", path="nowhere.csv"))


def test_csv_labels_can_be_given_names():
    with Path("p.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[label, 1, 2, 3, 4] for label in (1, 2, 3)])
    names = {"3": "drei", "1": "eins"}
    section = DataSource(source="csv", path="p.csv", range=[0, 255], label_column="first", class_names=names)
    source = load_csv(section)
    assert source.class_names == ["drei", "eins"] and source.splits["train"].labels.tolist() == [1, 0]
    assert source.splits["train"].names == ["train/00000", "train/00002"]


# What the reader makes of separators, headers and label columns: text, labels, pixels of the first image.
RNG = np.random.default_rng(1)
SHAPES = {
    "semicolons": "label;a;b;c;d\n7;0;1;2;3\n8;4;5;6;7\n",
    "tabs": "label\ta\tb\tc\td\n7\t0\t1\t2\t3\n8\t4\t5\t6\t7\n",
    "Windows line ends": "label;a;b;c;d\r\n7;0;1;2;3\r\n8;4;5;6;7\r\n",
    "byte order mark": "\ufefflabel;a;b;c;d\n7;0;1;2;3\n8;4;5;6;7\n",
    "quotes": '"label";"a";"b";"c";"d"\n"7";"0";"1";"2";"3"\n"8";"4";"5";"6";"7"\n',
    "blank lines": "\nlabel,a,b,c,d\n\n7,0,1,2,3\n,,,,\n8,4,5,6,7\n\n",
    "trailing separators": "label,a,b,c,d,\n7,0,1,2,3,\n8,4,5,6,7,\n",
    "trailing separators below the header": "label,a,b,c,d\n7,0,1,2,3,,\n8,4,5,6,7,,\n",
    "capitals": "Label,a,b,c,d\n7,0,1,2,3\n8,4,5,6,7\n",
    "class": "a,b,c,d,Class\n0,1,2,3,7\n4,5,6,7,8\n",
    "target": "a,b,c,d,TARGET\n0,1,2,3,7\n4,5,6,7,8\n",
    "y": "y,0,1,2,3\n7,0,1,2,3\n8,4,5,6,7\n",
    "an odd name": "digit,pixel0,pixel1,pixel2,pixel3\n7,0,1,2,3\n8,4,5,6,7\n",
    "an index": ",label,a,b,c,d\n0,7,0,1,2,3\n1,8,4,5,6,7\n",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_separator_header_and_label_are_found(text):
    Path("p.csv").write_bytes(text.encode())
    images, labels = read()
    assert labels.tolist() == ["7", "8"]
    assert images.reshape(2, 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def digits(side: int = 4, corner: int = 0) -> list[list[int]]:
    """Rows of ten classes: pixels whose first and last are `corner`, and the label last."""
    pixels = RNG.integers(0, 256, (60, side * side))
    pixels[:, [0, -1]] = corner
    return np.hstack([pixels, np.arange(60)[:, np.newaxis] % 10]).tolist()


def written(rows: list[list], separator: str = ",") -> None:
    with Path("p.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("words", [False, True])
def test_without_a_header_the_label_is_found_first_or_last_and_reported(where, words, separator):
    rows = [[*row[:-1], "abcdefghij"[row[-1]] if words else row[-1]] for row in digits()]
    written([row[-1:] + row[:-1] if where == "first" else row for row in rows], separator)
    found = read_csv(Path("p.csv"))
    assert found.labels.tolist() == [str(row[-1]) for row in rows]
    assert found.column == where
    assert found.notes == [f"the labels are the {where} column (data.label_column changes that)"]


def with_corners(low: int, high: int) -> list[list[int]]:
    return [[*row[:-1], row[-1]] if i % 2 else [high, *row[1:-2], low, row[-1]] for i, row in enumerate(digits(4, low))]


UNCLEAR = {
    "a corner of few values": [[i % 3, *row[1:]] for i, row in enumerate(digits())],
    "two values at the corner": with_corners(0, 1),
    "as many classes as lines": [[*row[:-1], i] for i, row in enumerate(digits())],
    "one class": [[*row[:-1], 3] for row in digits()],
    "words at both ends": [["a", *row[1:-1], "b"] for row in digits()],
    "fractions at both ends": [[0.5 + i, *row[1:-1], 0.25 + i] for i, row in enumerate(digits())],
}


@pytest.mark.parametrize("rows", UNCLEAR.values(), ids=UNCLEAR)
def test_a_label_column_that_may_be_a_pixel_is_asked_about(rows):
    written(rows)
    with pytest.raises(UserError, match=r"p\.csv: data\.label_column: has no header.* write label_column: first, or"):
        read_csv(Path("p.csv"))


@pytest.mark.parametrize("where", ["first", "last"])
def test_the_given_label_column_is_taken(where):
    rows = UNCLEAR["a corner of few values"]
    written(rows)
    found = read_csv(Path("p.csv"), where)
    assert found.labels.tolist() == [str(row[0 if where == "first" else -1]) for row in rows] and not found.notes


def test_a_label_column_that_is_given_by_number_is_the_same_in_all_files():
    rows = [[*row[:2], row[-1] % 3, *row[2:-1]] for row in digits()]
    written(rows)
    first = read_csv(Path("p.csv"), "3")
    assert first.labels.tolist() == [str(row[2]) for row in rows] and first.column == "3"
    assert read_csv(Path("p.csv"), first.column).labels.tolist() == first.labels.tolist()


def test_a_label_column_is_given_by_name():
    Path("p.csv").write_text("a,b,c,d,Kind\n0,1,2,3,7\n4,5,6,7,8\n")
    assert read("kind")[1].tolist() == read("Kind")[1].tolist() == ["7", "8"]
    with pytest.raises(UserError, match="no column 'kin'; did you mean 'Kind'.*allowed: first, last, a, b, c, d, Kind"):
        read("kin")
    Path("p.csv").write_text("0,1,2,3,7\n4,5,6,7,8\n")
    with pytest.raises(
        UserError, match="data.label_column: got 'kind', and the file has no header; allowed: first, last"
    ):
        read("kind")


@st.composite
def tables(draw) -> tuple[list[list], int | None, str]:
    """Rows of a label and 16 pixels, the position of the label, and whether the text says it: by `name`, `word` or not."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    classes = draw(st.sampled_from([[0, 1], [1, 2, 3], list(range(10)), [3, 8], [0, 150], list("abc"), ["1", "b"]]))
    count = draw(st.integers(len(classes), 60))
    pixels = rng.integers(0, 256, (count, 16))
    for corner in (0, -1):
        most = draw(st.sampled_from([0, 1, 2, 9, 255]))
        pixels[:, corner] = rng.integers(0, most + 1, count)
    position = draw(st.sampled_from([0, 16]))
    rows = [[*row[:position], classes[i % len(classes)], *row[position:]] for i, row in enumerate(pixels.tolist())]
    return rows, position, draw(st.sampled_from(["label", "Class", "TARGET", "y", None]))


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(
    tables(),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["p{}", "{}", "pixel_{}"]),
)
def test_any_table_is_read_as_it_was_written_or_its_label_is_asked_for(
    tmp_path_factory, table, separator, end, mark, is_quoted, has_trailing, names
):
    rows, position, label = table
    lines = list(map(list, rows))
    if label is not None:
        header = [names.format(i) for i in range(16)]
        lines.insert(0, [*header[:position], label, *header[position:]])
    quote = '"{}"' if is_quoted else "{}"
    text = end.join(separator.join(map(quote.format, line)) + separator * has_trailing for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("table"))
        Path("p.csv").write_bytes((mark + text + end).encode())
        try:
            images, labels = read()
        except UserError as error:
            assert error.problems[0].key == "data.label_column" and label is None
            return
    assert labels.tolist() == [str(row[position]) for row in rows]
    assert images.reshape(-1, 16).tolist() == [row[:position] + row[position + 1 :] for row in rows]


def test_several_columns_of_labels_are_asked_about():
    Path("p.csv").write_text("label,a,b,c,d,class\n7,0,1,2,3,7\n")
    with pytest.raises(UserError, match="data.label_column: the columns 'label', 'class' may all hold the labels"):
        read()


def test_val_and_test_have_the_label_column_of_train():
    Path("digits").mkdir()
    for split, rows in (("train", digits()), ("test", digits()[:3])):
        written(rows)
        Path("p.csv").rename(f"digits/{split}.csv")
    source = load_csv(DataSource(source="csv", path="digits"))
    assert source.splits["test"].labels.tolist() == [0, 1, 2]
    assert source.notes == ("the labels are the last column (data.label_column changes that)",)


@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000 + ",1,2,3,4\n1,2,3,4,5\n0,2,3,4,5\n",
        f"label,pixel_{'9' * 5000}_0\n1,2\n0,3\n",
        "a\na\na\n",
        "\u00b2,1,2,3,4\n1,2,3,4,5\n0,2,3,4,5\n",
    ],
    ids=["a number of 5,000 digits", "a pixel of 5,000 digits", "one column of words", "a superscript"],
)
def test_odd_digits_are_read_or_refused(text):
    Path("x.csv").write_text(text)
    with contextlib.suppress(UserError):
        load_csv(DataSource(source="csv", path="x.csv"))
