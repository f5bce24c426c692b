"""The checkpoint, history and callbacks of `fit`."""

import csv
import json
from pathlib import Path

import keras
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def run(cli, tiny_yaml, *changes):
    answer = cli("run", tiny_yaml, *(word for change in changes for word in ("--set", change)))
    assert answer.code == 0, answer.err
    return Path(answer.last_line)


def history(run):
    return [{k: float(v) for k, v in row.items()} for row in csv.DictReader((run / "history.csv").open())]


def test_the_history_counts_epochs_and_steps(train, table):
    rows = table(train().run.history)
    assert list(rows[0])[:4] == ["epoch", "step", "seconds", "learning_rate"]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "5"), ("2", "10"), ("3", "15")]


def test_the_epoch_of_the_checkpoint_is_recorded(train, table):
    done = train("training.epochs=6", "training.optimizer.learning_rate=0.05")
    accuracies = [float(row["val_accuracy"]) for row in table(done.run.history)]
    assert done.fitted.kept == 1 + accuracies.index(max(accuracies))
    assert train("training.checkpoint=last").fitted.kept == 3


@pytest.mark.parametrize("ema", ["null", "0.8"])
def test_the_best_epoch_is_saved_and_evaluated(cli, tiny_yaml, ema):
    """Also with a moving average of the weights: the validated weights are the saved ones."""
    done = run(
        cli, tiny_yaml, "training.epochs=6", "training.optimizer.learning_rate=0.05", f"training.optimizer.ema={ema}"
    )
    best = max(row["val_accuracy"] for row in history(done))
    assert json.loads((done / "metrics.json").read_text())["val"]["accuracy"] == pytest.approx(best, abs=1e-6)


def test_keep_last_saves_the_last_epoch(cli, tiny_yaml):
    done = run(cli, tiny_yaml, "training.checkpoint=last", "training.epochs=4")
    assert json.loads((done / "metrics.json").read_text())["val"]["loss"] == pytest.approx(
        history(done)[-1]["val_loss"], abs=1e-5
    )


def test_early_stopping_stops(cli, tiny_yaml):
    done = run(
        cli,
        tiny_yaml,
        "training.epochs=50",
        "training.early_stopping={patience: 1}",
        "training.optimizer.learning_rate=0.2",
    )
    assert json.loads((done / "metrics.json").read_text())["epochs"] == len(history(done)) < 50


def test_a_plateau_lowers_the_rate(cli, tiny_yaml):
    done = run(
        cli, tiny_yaml, "training.epochs=4", "training.reduce_lr_on_plateau={patience: 0, factor: 0.1}",
        "training.optimizer={name: sgd, learning_rate: 1e-5}",
    )  # fmt: skip
    rates = [row["learning_rate"] for row in history(done)]
    assert rates[-1] < rates[0]


def test_tensorboard_holds_the_curves(cli, tiny_yaml):
    done = run(cli, tiny_yaml)
    events = EventAccumulator(str(done / "tensorboard" / "validation"))
    events.Reload()
    assert "epoch_accuracy" in events.Tags()["tensors"]


def test_a_frozen_batch_norm_keeps_its_statistics(cli, tiny_yaml, tmp_path):
    run(cli, tiny_yaml)
    second = tmp_path / "second.yaml"
    second.write_text("base: tiny.yaml\ninit: {experiment: tiny.yaml, freeze: ['block_*']}\n")
    done = run(cli, second)
    ours, theirs = (keras.models.load_model(d / "checkpoint" / "model.keras") for d in (done, Path("runs/tiny/1")))
    name = "block_1_conv_1_norm"
    for one, other in zip(ours.get_layer(name).get_weights(), theirs.get_layer(name).get_weights(), strict=True):
        assert (one == other).all()
