"""The script that writes the images of experiments/multi_label/two_digits.yaml."""

import runpy
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import Data
from kerasexp.data.prepared_data import prepare

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "multi_label" / "two_digits.py"


def test_two_digits_lie_side_by_side_and_none_is_used_twice():
    images = np.arange(20, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((1, 4, 3, 1), np.uint8)
    labels = np.arange(20) % 10
    pairs, both = runpy.run_path(str(SCRIPT))["two_digits"](images, labels, 100, 0)
    assert pairs.shape == (10, 4, 6) and sorted(pairs[:, 0, [0, -1]].ravel().tolist()) == list(range(20))
    for pair, row in zip(pairs, both, strict=True):
        assert set(np.flatnonzero(row)) == {int(pair[0, 0]) % 10, int(pair[0, -1]) % 10}


def test_without_mnist_the_digits_are_scikit_learns(nothing_is_downloaded, capsys):
    runpy.run_path(str(SCRIPT))["write"](Path("two_digits.npz"))
    assert "STAND-IN: 'digits' stands in for 'mnist'" in capsys.readouterr().out
    data = prepare(Data(source="npz", path="two_digits.npz", multi_label=True))
    assert data.splits["test"].labels.sum(axis=1).max() == 2 and len(data.class_names) == 10
