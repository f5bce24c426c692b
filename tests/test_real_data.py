"""The chain from 900x1200 scans to MNIST on the real files, in a short form."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import Data
from kerasexp.data.prepared_data import prepare
from kerasexp.diagnosis import label_cross_validation as cross_validation

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
CHECKPOINTS = EXPERIMENTS.parent / "checkpoints"
pytestmark = pytest.mark.real


@pytest.mark.slow
def test_part_2_from_scans_to_mnist_and_back_to_a_raw_scan(cli, tmp_path):
    """A few epochs and the small network; the full runs' figures are in the README."""
    upstream = tmp_path / "upstream.yaml"
    upstream.write_text(f"base: {EXPERIMENTS}/part1_digits_best.yaml\ntraining: {{epochs: 8}}\n")
    chain = tmp_path / "chain.yaml"
    chain.write_text(
        f"base: {EXPERIMENTS}/_base/best_mnist.yaml\ninit: {{experiment: upstream.yaml}}\n"
        "data: {validation: 0.8}\ntraining: {epochs: 1}\n"
    )
    answer = cli("run", chain)
    assert answer.code == 0 and "STAND-IN" not in answer.out
    run = Path(answer.last_line)
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] > 0.95
    with zipfile.ZipFile(Path(os.environ["KERASEXP_DATA"]) / "trainPart1.zip") as archive:
        scans = [f"train/Sample{digit + 1:03d}/img{digit + 1:03d}-040.png" for digit in range(10)]
        archive.extractall(tmp_path / "scans", scans)
    rows = json.loads(cli("predict", run, "scans", "--format", "json").out)
    right = [row["class"] == str(int(row["file"][-11:-8]) - 1) for row in rows]
    assert len(rows) == 10 and sum(right) >= 8


def test_mnist_is_the_standard_set():
    data = prepare(Data(source="mnist"))
    train = np.concatenate([data.splits["train"].images, data.splits["val"].images]) / 255
    assert (len(train), len(data.splits["test"])) == (60_000, 10_000)
    assert train.mean() == pytest.approx(0.1307, abs=1e-4) and train.std() == pytest.approx(0.3081, abs=1e-4)
    assert data.splits["test"].labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_groups_keep_each_writer_on_one_side():
    labels = {"select": ["0", "1"]}
    names = {"Sample001": "0", "Sample002": "1"}
    data = prepare(
        Data.model_validate(
            {
                "source": "image_folder",
                "path": "trainPart1.zip",
                "class_names": names,
                "labels": labels,
                "groups": r"-(\d+)\.",
            }
        )
    )
    writers = {split: {name[-7:-4] for name in part.names} for split, part in data.splits.items()}
    assert sum(map(len, writers.values())) == len(set.union(*writers.values())) == 40


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (["mnistTask3.zip"], "complementary"),
        (["mnist"], "ordinary"),
        (["mnist", "--set", "data.labels.noise=0.2"], "noisy"),
        (["permuted.npz"], "permuted"),
    ],
)
@pytest.mark.parametrize(
    "reference", [[], ["--reference", CHECKPOINTS / "part2_pretrained"]], ids=["alone", "reference"]
)
def test_diagnose_names_the_kind_of_labels(cli, asked, kind, reference, monkeypatch):
    """Alone, models are cross-validated, on fewer images here; permuted names take a shipped checkpoint to be seen."""
    if not os.environ.get("KERASEXP_FULL"):
        monkeypatch.setattr(cross_validation, "MAX_IMAGES", 6000)
        monkeypatch.setattr(cross_validation, "IMAGES_SEEN", 20_000)
    moved = np.roll(np.arange(10), 3)
    if kind == "permuted":
        with np.load(Path(os.environ["KERASEXP_DATA"]) / "mnist.npz") as mnist:
            labels = {f"y_{split}": moved[mnist[f"y_{split}"]] for split in ("train", "test")}
            np.savez("permuted.npz", x_train=mnist["x_train"], x_test=mnist["x_test"], **labels)
    answer = cli("diagnose", *asked, *reference, "--format", "json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["verdict"] == kind
    judged = next(labels for labels in found["labels"] if labels["verdict"] == kind and labels["split"] == "train")
    if kind == "noisy":
        assert judged["rate"] == pytest.approx(0.2, abs=0.02)
    if kind == "permuted":
        assert judged["moved"] == {str(moved[digit]): str(digit) for digit in range(10)}


def test_photos_are_classified_by_the_imagenet_outputs_alone(cli):
    """All 228; three are antelopes in the place of deer, which no output means."""
    answer = cli(
        "run",
        EXPERIMENTS / "stl10" / "photos_zero_shot.yaml",
        "--variant",
        "among the mapped",
        "--set",
        "report.plots=false",
    )
    assert answer.code == 0, answer.err
    metrics = json.loads(next(Path(answer.last_line).glob("*/0/metrics.json")).read_text())
    assert sum(row["support"] for row in metrics["test"]["per_class"].values()) == 228
    assert metrics["test"]["accuracy"] > 0.95


@pytest.mark.slow
def test_imagenet_features_tell_cats_from_dogs(cli):
    answer = cli("run", EXPERIMENTS / "dogs_vs_cats" / "fine_tuned_head.yaml", "--set", "report.plots=false")
    assert answer.code == 0, answer.err
    assert json.loads((Path(answer.last_line) / "metrics.json").read_text())["val"]["accuracy"] > 0.97
