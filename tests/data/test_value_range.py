"""Stored values become 0..255 by one range per source, found in the data, given, or asked for."""

import io
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from image_samples import encoded, png, rows
from PIL import Image

from kerasexp.config.data_section import Data, Preprocessing
from kerasexp.data.class_selection import add_test_split
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.prepared_data import prepare
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.errors import UserError

GENERATOR = np.random.default_rng(0)
drawn = settings(max_examples=150, derandomize=True, database=None, deadline=None)
INTEGERS = ["u1", "i2", "u2", ">u2", "i4", ">i4", "u4", "i8", ">i8", "u8"]
FLOATS = ["f2", "f4", ">f4", "f8", ">f8"]


def png16(values: np.ndarray) -> bytes:
    """A PNG file of 16-bit grey values [height, width]."""
    return encoded(Image.fromarray(values.astype(np.uint16)))


def folder(images: list[bytes], root: str = "images") -> str:
    """Image files in two classes by turns."""
    for number, content in enumerate(images):
        path = Path(root) / "ab"[number % 2] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def zipped(root: str) -> str:
    with zipfile.ZipFile(f"{root}.zip", "w") as archive:
        for path in sorted(Path(root).rglob("*.png")):
            archive.write(path, path.relative_to(root))
    return f"{root}.zip"


def npz(images: np.ndarray, **more: np.ndarray) -> str:
    np.savez("images.npz", x_train=images, y_train=np.arange(len(images)) % 2, **more)
    return "images.npz"


def table(images: np.ndarray) -> str:
    """A CSV file with the label first."""
    lines = ["label," + ",".join(f"p{i}" for i in range(images[0].size))]
    lines += [f"{i % 2}," + ",".join(map(str, image.ravel().tolist())) for i, image in enumerate(images)]
    Path("images.csv").write_text("\n".join(lines) + "\n")
    return "images.csv"


def load(path: str, value_range: list[float] | None = None) -> Source:
    kind = {".npz": "npz", ".csv": "csv"}.get(Path(path).suffix, "image_folder")
    return load_source(Data(source=kind, path=path, range=value_range))[0]


def pixels(source: Source, split: str = "train") -> np.ndarray:
    """All images [n, height, width] in the order of their names, which is that in which they were written."""
    images = source.splits[split]
    order = sorted(range(len(images)), key=lambda i: images.names[i].rpartition("/")[2])
    return np.stack([images.read(i)[..., 0] for i in order])


@st.composite
def stored_integers(draw) -> tuple[list[int], np.ndarray]:
    """A range, and images of whole numbers in it."""
    low = draw(st.sampled_from([0, 0, 0, -1, -128, 3]))
    high = draw(st.sampled_from([1, 5, 16, 50, 100, 255, 1000, 4095, 16383, 65535]))
    assume(low < high)
    seed = draw(st.integers(0, 10**6))
    return [low, high], np.random.default_rng(seed).integers(low, high + 1, (4, 3, 3))


@drawn
@given(stored_integers(), st.sampled_from(INTEGERS + FLOATS))
def test_a_given_range_gives_the_same_pixels_from_every_type_and_source(tmp_path_factory, stored, dtype):
    (low, high), values = stored
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("range"))
        paths = [table(values)]
        if np.array_equal(values.astype(dtype).astype(np.float64), values):
            paths.append(npz(values.astype(dtype)))
        if low >= 0:
            paths += [folder([png16(image) for image in values]), zipped("images")]
        if 0 <= low < high <= 255:
            paths.append(folder([encoded(image.astype(np.uint8)) for image in values], "bytes"))
        if (low, high) == (0, 65535):
            expected = values >> 8
        else:
            expected = [round(Fraction(255 * (int(v) - low), high - low)) for v in values.ravel()]
        for path in paths:
            found = pixels(load(path, [low, high]))
            assert found.dtype == np.uint8 and found.ravel().tolist() == np.ravel(expected).tolist(), path


@drawn
@given(st.integers(0, 10**6), st.sampled_from(FLOATS), st.sampled_from([0, 2e-7, -2e-7, 9e-4]), st.booleans())
def test_fractions_in_0_to_1_are_found_from_every_type_and_source(tmp_path_factory, seed, dtype, beyond, is_table):
    levels = np.random.default_rng(seed).integers(0, 256, (4, 3, 3))
    levels[0, 0, :2] = 0, 255
    stored = levels / 255
    # As resizing leaves it: the largest or the smallest value is a little outside.
    stored[0, 0, 1 if beyond > 0 else 0] += beyond
    stored = stored.astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("range"))
        source = load(table(stored) if is_table else npz(stored))
        assert np.array_equal(pixels(source), levels)
        assert source.splits["train"].value_range.bounds == (0, 1)


@drawn
@given(
    st.integers(0, 10**6),
    st.sampled_from([*INTEGERS, *FLOATS, "?"]),
    st.sampled_from([1, 65, 100, 255]),
    st.sampled_from(["npz", "csv"]),
)
def test_whole_numbers_are_0_to_1_or_0_to_255_in_every_type_and_source(tmp_path_factory, seed, dtype, high, kind):
    assume(high == 1 or dtype != "?")
    values = np.random.default_rng(seed).integers(0, high + 1, (4, 3, 3))
    values[0, 0, :2] = 0, high
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("range"))
        stored = values.astype(dtype)
        found = pixels(load(npz(stored) if kind == "npz" else table(stored.astype("u1" if dtype == "?" else dtype))))
    assert np.array_equal(found, values * 255 if high == 1 else values)


@drawn
@given(
    st.integers(0, 10**6), st.sampled_from([*INTEGERS, *FLOATS]), st.integers(2, 64), st.sampled_from(["npz", "csv"])
)
def test_a_small_largest_value_is_asked_about_in_every_type_and_source(tmp_path_factory, seed, dtype, high, kind):
    values = np.random.default_rng(seed).integers(0, high + 1, (4, 3, 3)).astype(dtype)
    values[0, 0, 0] = high
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("range"))
        path = npz(values) if kind == "npz" else table(values)
        with pytest.raises(UserError, match=rf"data\.range: the pixels are \d+ to {high}, .*range: \[0, {high}\]"):
            load(path)


ASKED = {
    "-1 to 1": (np.array([[-1.0, 1], [0, 0.5]]), r"image 0 has the pixel -1; .* range: \[-1, 1\]$"),
    "12 bits": (np.array([[0, 4000]]), r"image 0 has the pixel 4000; .* range: \[0, 4095\] or range: \[0, 65535\]$"),
    "16 bits": (np.array([[0, 60_000]]), r"image 0 has the pixel 60000; .* range: \[0, 65535\]$"),
    "0 to 16": (np.array([[0, 16]]), r"range: \[0, 16\], range: \[0, 31\] or range: \[0, 255\]$"),
    "0 to 63": (np.array([[0, 63]]), r"range: \[0, 63\] or range: \[0, 255\]$"),
    "signed bytes": (np.array([[-128, 127]]), r"range: \[-128, 127\]$"),
    "Hounsfield units": (np.array([[-1000, 2000]]), r"range: \[-1000, 2000\]$"),
    "overshoot": (np.array([[-3.2, 258.1]]), r"has the pixel -3.2"),
}


@pytest.mark.parametrize(("values", "reason"), ASKED.values(), ids=ASKED)
def test_an_unknown_range_is_asked_for_with_examples(values, reason):
    with pytest.raises(UserError, match=r"images\.npz: train: data\.range: .*" + reason):
        load(npz(np.stack([values] * 4)))


def test_all_splits_of_an_array_source_have_one_range():
    dark = np.array([[[0.0, 0.5]]] * 2)
    source = load(npz(np.array([[[0.0, 200]]] * 2), x_val=dark, y_val=[0, 1], x_test=dark, y_test=[0, 1]))
    assert pixels(source).tolist() == [[[0, 200]]] * 2 and pixels(source, "test").tolist() == [[[0, 0]]] * 2
    with pytest.raises(UserError, match=r"images\.npz: test: data\.range: the pixels are 0 to 16"):
        load(npz(dark, x_test=dark * 32, y_test=[0, 1]))


def test_colour_arrays_have_one_range():
    images = np.zeros((4, 2, 2, 3), np.float32)
    images[..., 1], images[..., 2] = 0.2, 1
    assert load(npz(images)).splits["train"].array[0, 0, 0].tolist() == [0, 51, 255]


def test_a_value_outside_the_given_range_is_refused_with_its_place():
    images = np.zeros((4, 2, 2))
    images[2, 1, 1] = 17
    with pytest.raises(UserError, match="image 2 has the pixel 17, which is outside the range 0..16"):
        load(npz(images), [0, 16])
    with pytest.raises(UserError, match=r"images\.csv: data\.range: line 4 has the pixel 17, which is outside"):
        load(table(images), [0, 16])
    files = folder([png16(image) for image in images * 100])
    for path in (files, zipped(files)):
        with pytest.raises(UserError, match=r"images.*: a/002\.png: data\.range: has the value 1700, which is outside"):
            load(path, [0, 1600])


WAYS = [lambda root: root, zipped]


@pytest.mark.parametrize("way", WAYS, ids=["folder", "zip"])
def test_16_bits_that_are_used_in_full_keep_their_upper_8(way):
    values = GENERATOR.integers(0, 2**16, (4, 5, 5))
    source = load(way(folder([png16(image) for image in values])))
    assert np.array_equal(pixels(source), values >> 8)
    assert source.splits["train"].value_range.bounds == (0, 65535)


@pytest.mark.parametrize("way", WAYS, ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("high", "examples"),
    [
        (1, r"range: \[0, 1\] or range: \[0, 65535\]$"),
        (255, r"range: \[0, 255\] or range: \[0, 65535\]$"),
        (4000, r"range: \[0, 4095\] or range: \[0, 65535\]$"),
        (7300, r"range: \[0, 8191\] or range: \[0, 65535\]$"),
        (2**15 - 1, r"range: \[0, 32767\] or range: \[0, 65535\]$"),
    ],
)
def test_16_bits_that_are_not_used_in_full_are_asked_about(way, high, examples):
    path = way(folder([png16(np.array([[0, high - 1 + i // 3]])) for i in range(4)]))
    values = f"has 16 bits and only values from 0 to {high}, as have all 4 that were examined"
    reason = rf"b/003\.png: data\.range: {values}; .*{examples}"
    with pytest.raises(UserError, match=reason):
        load(path)


def test_alpha_of_16_bits_has_all_of_them_whatever_the_range():
    values = np.array([[[4095, 65535], [0, 65535], [4095, 0], [60_000, 0]]], ">u2")
    file = png((4, 1), 16, 4, rows(values))
    source = load(folder([file] * 2), [0, 4095])
    assert pixels(source)[0].tolist() == [[255, 0, 255, 255]]
    with pytest.raises(UserError, match="only values from 0 to 4095"):
        load("images")


def test_the_colours_of_16_bits_have_one_range():
    values = np.array([[[4095, 2048, 0]]], ">u2")
    image = load(folder([png((1, 1), 16, 2, rows(values))] * 2), [0, 4095]).splits["train"].read(0)
    assert image.tolist() == [[[255, 128, 0]]]


def test_files_of_8_bits_beside_those_of_16_are_0_to_255():
    path = folder([png16(np.array([[0, 4000]])), encoded(np.array([[0, 60]], np.uint8))])
    assert pixels(load(path, [0, 4095])).tolist() == [[[0, 249]], [[0, 60]]]


def test_dark_files_of_8_bits_are_0_to_255_and_are_not_decoded_to_find_that_out(monkeypatch):
    images = GENERATOR.integers(0, 61, (6, 5, 5)).astype(np.uint8)
    path = folder([encoded(image) for image in images])
    monkeypatch.setattr("kerasexp.data.image_files.decode_image", None)
    for each in (path, zipped(path)):
        assert load(each).splits["train"].value_range is None
    monkeypatch.setattr("kerasexp.data.image_files.decode_image", decode_image)
    assert np.array_equal(pixels(load(path)), images)


def test_a_range_of_more_than_8_bits_is_refused_for_files_of_8():
    path = folder([encoded(np.array([[0, 60]], np.uint8))] * 2)
    with pytest.raises(UserError, match="data.range: got .0.0, 4095.0., and the files have 8 bits"):
        load(path, [0, 4095])


def test_palettes_and_single_bits_are_0_to_255_whatever_the_range():
    bits = encoded(Image.fromarray(np.array([[False, True]])))
    assert pixels(load(folder([bits] * 2), [0, 1])).tolist() == [[[0, 255]]] * 2


def test_a_file_of_16_bits_that_no_sample_saw_is_left_out_unless_it_uses_them_in_full():
    bright, dark = png16(np.array([[0, 65535]])), png16(np.array([[0, 4000]]))
    path = folder([encoded(np.array([[0, 250]], np.uint8))] * 300)
    Path("images/a/002.png").write_bytes(bright)
    Path("images/a/004.png").write_bytes(dark)
    data = prepare(Data(source="image_folder", path=path, preprocessing=Preprocessing(size=[4, 4])))
    [(name, reason)] = data.faults
    assert name == "a/004.png" and "only values from 0 to 4000; its range is not known" in reason


def test_hardly_any_values_are_reported():
    masks = [encoded(np.eye(8, dtype=np.uint8))] * 40
    data = {"source": "image_folder", "path": folder(masks), "preprocessing": Preprocessing(size=[8, 8])}
    # The second sentence says that they are all the same.
    assert prepare(Data(**data)).notes[:-1] == [
        "the preprocessed images hold only the values 0, 1 of 0..255 (40 examined)",
    ]
    notes = prepare(Data(**data, range=[0, 1])).notes
    assert notes[0] == "values 0..1, scaled by 255 (data.range)" and "only the values 0, 255" in notes[1]


def test_hardly_any_contrast_is_reported():
    images = [png16(GENERATOR.integers(7100, 7400, (8, 8))) for _ in range(40)]
    data = {"source": "image_folder", "path": folder(images), "preprocessing": Preprocessing(size=[8, 8])}
    assert prepare(Data(**data, range=[0, 8191])).notes[1:] == [
        "the preprocessed images hold only the values 221 to 230 of 0..255 (40 examined)",
    ]
    assert len(prepare(Data(**data, range=[7100, 7400])).notes) == 1


def test_the_range_of_a_stand_in_and_of_another_test_split_is_asked_for_under_their_keys():
    path = npz(np.array([[[0, 16]]] * 4), x_test=np.array([[[0, 16]]] * 2), y_test=[0, 1])
    offline = Data.model_validate({"source": "npz", "path": "none.npz", "offline": {"source": "npz", "path": path}})
    with pytest.raises(UserError, match=r"data\.offline\.range: the pixels are 0 to 16"):
        load_source(offline)
    source = load(folder([encoded(np.array([[0, 60]], np.uint8))] * 2))
    with pytest.raises(UserError, match=r"data\.test\.range: the pixels are 0 to 16"):
        load_source(Data(source="npz", path=path), "data.test")
    np.savez(
        "ab.npz",
        x_train=np.array([[[0, 1]]] * 2),
        y_train=["a", "b"],
        x_test=np.array([[[0, 1]]] * 2),
        y_test=["a", "b"],
    )
    both, _ = add_test_split(source, load_source(Data(source="npz", path="ab.npz"), "data.test")[0])
    assert both.splits["train"].value_range is None and both.splits["test"].value_range.bounds == (0, 1)


def test_a_png_of_16_bits_under_another_name_is_found():
    file = io.BytesIO(png16(np.array([[0, 4000]]))).getvalue()
    folder([file] * 2)
    for path in list(Path("images").rglob("*.png")):
        path.rename(path.with_suffix(".jpg"))
    with pytest.raises(UserError, match="only values from 0 to 4000"):
        load("images")
