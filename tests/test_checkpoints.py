"""The shipped checkpoints predict the moment the project is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted(p.parent for p in (ROOT / "checkpoints").glob("*/model.keras"))


def test_the_promised_checkpoints_are_there_and_small():
    assert {p.name for p in SHIPPED} >= {"part1_scans", "part2_pretrained"}
    assert sum(f.stat().st_size for f in (ROOT / "checkpoints").rglob("*") if f.is_file()) < 10_000_000


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda p: p.name)
def test_each_has_a_card_that_says_how_to_train_it_again(folder):
    card = (folder / "README.md").read_text()
    assert "python -m kerasexp run experiments/" in card and "accuracy" in card


def drawn_one(size: tuple[int, int]) -> np.ndarray:
    """A plain upright stroke with a flag and a foot: the digit 1, black on white."""
    height, width = size
    page = np.full(size, 255, np.uint8)
    unit, middle = height // 8, width // 2
    thick = max(height // 22, 2)
    cv2.line(page, (middle, 2 * unit), (middle, 6 * unit), 0, thick, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("size", [(900, 1200), (28, 28), (300, 200)])
def test_part2_sees_a_one_at_any_size(cli, tmp_path, size):
    cv2.imwrite(str(tmp_path / "one.png"), drawn_one(size))
    answer = cli("predict", ROOT / "checkpoints" / "part2_pretrained", "one.png", "--format", "json")
    assert json.loads(answer.out)[0]["class"] == "1"


@pytest.mark.real
def test_part1_reads_real_scans(cli):
    """Pictures that it was trained on among them: this shows that reading works, not how well it does on others."""
    scans = Path(os.environ["KERASEXP_DATA"]) / "trainPart1.zip"
    answer = cli(
        "evaluate",
        ROOT / "checkpoints" / "part1_scans",
        "--data",
        "image_folder",
        "--data-path",
        scans,
        "--format",
        "json",
    )
    assert json.loads(answer.out)["accuracy"] > 0.9


@pytest.mark.real
def test_part2_reads_mnist(cli):
    answer = cli("evaluate", ROOT / "checkpoints" / "part2_pretrained", "--data", "mnist", "--format", "json")
    assert json.loads(answer.out)["accuracy"] > 0.99


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda p: p.name)
def test_the_model_loads_with_keras_alone(folder):
    script = (
        "import sys; sys.modules['kerasexp'] = None  # as if it were not installed\n"
        "import keras, numpy as np\n"
        f"model = keras.models.load_model({str(folder / 'model.keras')!r})\n"
        "scores = model.predict(np.zeros((1, *model.input_shape[1:]), 'uint8'), verbose=0)\n"
        "assert abs(scores.sum() - 1) < 1e-5"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
