"""Sources of a user's own: what their functions may return, and what is said of anything else."""

import cv2
import numpy as np
import pytest

from kerasexp.config import load_experiment
from kerasexp.custom import trust
from kerasexp.data.sources import load_source
from kerasexp.errors import KerasexpError, UserError

START = "import numpy as np\nfrom pathlib import Path\nX = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4)\n"
LABELS = "['a', 'b'] * 4"


@pytest.fixture
def loaded(tmp_path):
    """A function that loads what the body of a function returns."""

    def load(body: str, keys: str = ""):
        (tmp_path / "s.py").write_text(f"{START}\n\ndef load():\n    {body}\n")
        (tmp_path / "exp.yaml").write_text(f"data: {{source: s.py:load{keys}}}\n")
        data = load_experiment(tmp_path / "exp.yaml").data
        trust.remember([data.source])
        return load_source(data)[0]

    return load


@pytest.fixture
def files(tmp_path):
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((5, 4 + number), 30 * number, np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    "body",
    [
        f"return X, {LABELS}",
        f"return X[..., None], np.array({LABELS})",
        f"return list(X), {LABELS}",
        f"return {{'train': (X, {LABELS})}}",
        f"return zip(X, {LABELS})",
        f"yield from zip(X, {LABELS})",
        f"return [(x, l, f'name {{i}}') for i, (x, l) in enumerate(zip(X, {LABELS}))]",
    ],
)
def test_arrays_in_every_form(loaded, body):
    source = loaded(body)
    train = source.splits["train"]
    assert source.class_names == ["a", "b"] and train.labels.tolist() == [0, 1] * 4
    assert train.array.shape == (8, 4, 4, 1) and train.array[1, 0, 0, 0] == 16
    assert train.names[:2] == (["name 0", "name 1"] if "name" in body else ["train/00000", "train/00001"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return X, [['a'], ['a', 'b'], ['a'], ['b'], ['a'], ['b'], ['a'], ['b']]", "labels of different lengths"),
        ("return [f'{i}.png' for i in range(8)], [['a'], ['b']] * 4", "files have one label each, and no lists"),
        ("return [(x, 'ab'[i % 2], 'same') for i, x in enumerate(X)]", "two images have the name 'same'"),
    ],
)
def test_labels_and_names_that_cannot_be_used_are_named(loaded, files, body, message):
    with pytest.raises(UserError, match=message):
        loaded(body)


@pytest.mark.parametrize(
    "body",
    [
        "return [(f'{i}.png', i % 2) for i in range(8)]",
        "return [Path(f'{i}.png') for i in range(8)], [i % 2 for i in range(8)]",
        "yield from ((Path(f'{i}.png').read_bytes(), i % 2) for i in range(8))",
        "return {'train': ((f'{i}.png', i % 2) for i in range(6)), 'test': [('6.png', 0), ('7.png', 1)]}",
    ],
)
def test_files_and_bytes_in_every_form(loaded, files, body):
    source = loaded(body)
    images = [split for split in source.splits.values()]
    read = {int(split.read(i).mean()) for split in images for i in range(len(split))}
    assert read == {30 * number for number in range(8)} and source.class_names == ["0", "1"]
    digest = images[0].digest
    cv2.imwrite(str(files / "0.png"), np.full((5, 4), 255, np.uint8))
    assert loaded(body).splits["train"].digest != digest


def test_a_file_that_cannot_be_read_is_named(loaded, files):
    from kerasexp.config.data_section import Preprocessing
    from kerasexp.data.prepared_data import decode_split

    source = loaded("return [(f'{i}.png', i % 2) for i in range(9)]")
    split, faults = decode_split(source.splits["train"], Preprocessing(size=[8, 8]))
    assert len(split) == 8 and [name for name, _ in faults] == ["8.png"]


def test_ranges_and_class_names_are_keys_of_it_too(loaded):
    source = loaded(f"return X / 127 * 4095, {LABELS}", ", range: [0, 4095], class_names: {b: second, a: first}")
    assert source.class_names == ["second", "first"] and source.splits["train"].array.max() == 255


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "got a NoneType; needed are (images, labels)"),
        ("return X", "got a ndarray; needed are"),
        ("return 'abc'", "got a str"),
        ("return {'training': (X, [1])}", "returned the splits training; needed"),
        ("return {}", "returned the splits none"),
        ("return []", "got nothing"),
        ("return [1, 2]", "got 1 among the pairs"),
        ("return X, ['a']", "8 images and 1 labels"),
        ("return X, [None] * 8", "labels of type object"),
        ("return X[0], ['a'] * 4", "images have shape (4, 4)"),
        ("return [(X[0], 'a'), (X[0, :2], 'b')]", "arrays of 2 shapes"),
        ("return [('0.png', 'a'), (X[0], 'b')]", "image 1 is a ndarray; others are files or bytes"),
        ("return [('0.png', 'a', 'same'), ('1.png', 'b', 'same')]", "two images have the name 'same'"),
        ("return X - 5.5, ['a', 'b'] * 4", "data.range"),
    ],
)
def test_what_is_said_of_anything_else(loaded, files, body, message):
    with pytest.raises(UserError) as error:
        loaded(body)
    assert message in str(error.value)


def test_its_errors_are_its_own_and_a_missing_file_has_a_stand_in(loaded):
    with pytest.raises(KerasexpError, match=r"s.py, line 7, in load: ZeroDivisionError"):
        loaded("1 / 0")
    missing = "open('nothing.db')"
    with pytest.raises(KerasexpError, match=r"s.py, line 7, in load: FileNotFoundError"):
        loaded(missing)
    assert "digits" in loaded(missing, ", offline: digits").origin
