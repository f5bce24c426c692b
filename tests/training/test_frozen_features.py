"""A head on frozen layers is trained on features that are computed once, with the results of training through the network."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.training import frozen_features

HEAD = ("data.augmentation=null", "training.fine_tune=head", "training.epochs=2")
ANNOUNCED = "their features are computed once"
METRIC_LOSS = (
    "model.head.units=[]", "training.class_batches={classes: 3, images: 2}", "training.batch_size=6",
    "training.loss={name: cross_entropy, center: {weight: 0.1}}",
)  # fmt: skip


@pytest.fixture
def run(cli, tiny_yaml):
    """Return a function from changes to a run directory and the console."""

    def ran(*changes: str, folder: str = "run") -> tuple[Path, str]:
        words = [word for change in changes for word in ("--set", change)]
        answer = cli("run", tiny_yaml, *words, "--run-dir", folder)
        assert answer.code == 0, answer.err
        return Path(answer.last_line), answer.out

    return ran


def history(run: Path) -> np.ndarray:
    rows = csv.DictReader((run / "history.csv").open())
    return np.array([[float(row[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")] for row in rows])


# Dropout draws for features as for images: the seeds of layers below the head are not used.
@pytest.mark.parametrize("changes", [(), METRIC_LOSS], ids=["dense", "metric loss"])
def test_the_results_are_those_of_training_through_the_network(run, monkeypatch, changes):
    once, out = run(*HEAD, *changes, folder="once")
    assert ANNOUNCED in out
    monkeypatch.setattr(frozen_features, "MOST_BYTES", 0)
    each, out = run(*HEAD, *changes, folder="each")
    assert ANNOUNCED not in out
    np.testing.assert_allclose(history(once), history(each), rtol=1e-3, atol=1e-4)
    weights = [load_checkpoint(folder).model.get_weights() for folder in (once, each)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)
    accuracies = [json.loads((folder / "metrics.json").read_text())["test"]["accuracy"] for folder in (once, each)]
    assert accuracies[0] == accuracies[1]


def test_the_checkpoint_is_a_whole_network(run):
    folder, _ = run(*HEAD, "training.validate_at=[1]")
    model = keras.models.load_model(folder / "checkpoint" / "model.keras")
    assert model.input_shape == (None, 16, 16, 1) and model.get_layer("block_1_conv_1").kernel.shape == (3, 3, 1, 8)
    assert len(list(csv.DictReader((folder / "curve.csv").open()))) == 3


@pytest.mark.parametrize(
    "changes",
    [
        ("data.augmentation=null",),
        ("training.fine_tune=head",),
        ("data.augmentation=null", "training.fine_tune={unfreeze: 1}"),
        (
            "data.augmentation=null",
            "training.fine_tune=head",
            "model.blocks=[{filters: 4, pool: 4, dropout: 0.1}]",
        ),
        ("data.augmentation=null", "training.fine_tune=head", "model={name: mlp, units: []}"),
    ],
    ids=["all is trained", "augmented", "a block is trained", "dropout below the head", "no weights below the head"],
)
def test_features_that_change_are_not_computed_once(run, changes):
    _, out = run(*changes, "training.epochs=1")
    assert ANNOUNCED not in out


def test_a_stopped_training_continues_as_if_it_had_not_been_stopped(run, cli, tiny_yaml):
    whole, _ = run(*HEAD, "training.epochs=4", folder="whole")
    part, _ = run(*HEAD, folder="part")
    words = [word for change in (*HEAD, "training.epochs=4") for word in ("--set", change)]
    answer = cli("run", tiny_yaml, *words, "--run-dir", part, "--resume")
    assert answer.code == 0, answer.err
    assert (whole / "predictions.csv").read_bytes() == (part / "predictions.csv").read_bytes()
