"""Directories of finished runs for tests, written without training: small files with plausible content."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kerasexp.config import experiment_from, resolved_yaml

START = datetime(2026, 1, 1, tzinfo=UTC)
RATES, NAMES = (0.001, 0.003, 0.01), ("cnn", "mlp")
# The other metrics of a split, so that files are as large as real ones.
OTHERS = (
    "loss", "nll", "brier", "ece", "macro_precision", "macro_recall", "macro_f1", "weighted_precision", "weighted_recall",
    "weighted_f1", "macro_auc", "macro_average_precision", "top_3_accuracy", "top_5_accuracy", "majority_accuracy",
)  # fmt: skip


def write_run(place: Path, number: int = 0, status: str = "finished", name: str = "digits") -> Path:
    """Write the files of a run; seed, model, learning rate and metrics follow from its number."""
    place.mkdir(parents=True)
    place.joinpath("experiment.yaml").write_text(_experiment(number % 6, name, number))
    start = START + timedelta(minutes=5 * number)
    manifest = {
        "status": status, "name": name, "key": f"key{number}", "numerics_version": 2, "seed": number, "precision": "float32",
        "parameters": 1000 + number, "flops": 2000, "stand_ins": [], "data": {"origin": "digits", "images": {"train": 100}},
        "versions": {"kerasexp": "0.2.0"}, "hardware": {"processor": "a CPU", "gpus": []},
        "times": {"started": start.isoformat(), "finished": (start + timedelta(minutes=2)).isoformat()},
    }  # fmt: skip
    place.joinpath("manifest.json").write_text(json.dumps(manifest))
    accuracy = 0.8 + 0.19 * float(np.random.default_rng(number).random())
    place.joinpath("history.csv").write_text(
        f"epoch,step,seconds,accuracy,loss,val_accuracy,val_loss\n1,10,1.5,0.5,0.9,{accuracy},0.8\n"
    )
    if status == "finished":
        others = {f"{other}{end}": accuracy for other in OTHERS for end in ("", "_low", "_high")}
        split = {"images": 100, "accuracy": accuracy, "accuracy_low": accuracy - 0.02, "accuracy_high": accuracy + 0.02}
        per_class = {str(label): {"recall": accuracy, "support": 10} for label in range(10)}
        split |= {**others, "per_class": per_class}
        metrics = {"val": split, "test": {**split, "accuracy": accuracy - 0.01}, "epochs": 3, "train_seconds": 60.5}
        place.joinpath("metrics.json").write_text(json.dumps(metrics))
    return place


def write_runs(folder: Path, count: int) -> Path:
    """Write that many runs below a folder, in numbered folders of twenty names."""
    for number in range(count):
        write_run(folder / f"name_{number % 20}" / str(number // 20 + 1), number, name=f"name_{number % 20}")
    return folder


_TEXTS: dict[int, str] = {}


def _experiment(kind: int, name: str, seed: int) -> str:
    """Return a resolved experiment; those of one kind differ in name and seed alone."""
    if kind not in _TEXTS:
        keys = {"name": "NAME", "data": "digits", "model": {"name": NAMES[kind // 3]}}
        keys["training"] = {"optimizer": {"name": "adam", "learning_rate": RATES[kind % 3]}}
        _TEXTS[kind] = resolved_yaml(experiment_from(keys))
    return _TEXTS[kind].replace("name: NAME", f"name: {name}").replace("\nseed: 0\n", f"\nseed: {seed}\n")
