"""The checkpoint, history and callbacks of `fit`."""

import csv
import json
import re
import tempfile
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasexp.config.training_section import Checkpoint
from kerasexp.training.callbacks import AtomicCheckpoint, History


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


def best_epoch(rows, monitor):
    """The rule: the best value of the metric; of equals the lowest val_loss; of equals in both the last."""
    sign = 1 if monitor.endswith("accuracy") else -1

    def rank(row):
        return sign * float(row[monitor]), -float(row["val_loss"]), int(row["epoch"])

    return int(max(rows, key=rank)["epoch"])


def test_the_epoch_of_the_checkpoint_is_recorded(train, table):
    done = train("training.epochs=6", "training.optimizer.learning_rate=0.05")
    assert done.fitted.kept == best_epoch(table(done.run.history), "val_accuracy")
    assert train("training.checkpoint=last").fitted.kept == 3


@pytest.mark.parametrize("folder", ["a {3: 4}", "{epoch}"])
def test_a_run_directory_may_have_braces_in_its_name(cli, tiny_yaml, tmp_path, folder):
    answer = cli("run", tiny_yaml, "--run-dir", tmp_path / folder, "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    assert (tmp_path / folder / "checkpoint/model.keras").is_file()


VALUES = st.sampled_from([0.0, 0.25, 0.5])
EPOCHS = st.lists(
    st.fixed_dictionaries({"val_accuracy": VALUES, "val_loss": VALUES, "loss": VALUES}), min_size=1, max_size=8
)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(epochs=EPOCHS, monitor=st.sampled_from(["val_accuracy", "val_loss", "loss"]), stopped=st.integers(0, 8))
def test_ties_go_to_the_lower_val_loss_then_to_the_later_epoch_over_a_resume_too(epochs, monitor, stopped):
    """The training is stopped after `stopped` epochs, and another process has only what the state holds."""
    rows = [{"epoch": number, **epoch} for number, epoch in enumerate(epochs, start=1)]
    classifier = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path, saved = Path(folder) / "model.keras", []

        def save(self, epoch, logs=None):
            saved.append(epoch + 1)
            Path(self.filepath).touch()

        patch.setattr(keras.callbacks.ModelCheckpoint, "on_epoch_end", save)
        history = History(None, None)
        checkpoint = AtomicCheckpoint(path, classifier, Checkpoint(monitor=monitor), history)
        for row in rows:
            if row["epoch"] == stopped + 1:
                kept, history = checkpoint.kept, History(None, None)
                checkpoint = AtomicCheckpoint(path, classifier, Checkpoint(monitor=monitor), history)
                checkpoint.kept, history.rows = kept, rows[:stopped]
            checkpoint.on_epoch_end(row["epoch"] - 1, row)
            history.rows = [*history.rows, row]
    assert checkpoint.kept == saved[-1] == best_epoch(rows, monitor)


def test_epochs_that_tie_are_counted_and_reported(cli, tiny_yaml):
    """At a learning rate of 0 all epochs are equally good, apart from the statistics of batch normalisation."""
    tiny_yaml.write_text(tiny_yaml.read_text().replace("batch_norm: true", "batch_norm: false"))
    done = run(cli, tiny_yaml, "training.optimizer={name: sgd, learning_rate: 1e-30}", "report.plots=true")
    sentence = "3 of 3 epochs tie in val_accuracy; the one with the lowest val_loss, epoch 3, is kept"
    assert sentence in (done / "report.html").read_text()
    metrics, manifest = (json.loads((done / name).read_text()) for name in ("metrics.json", "manifest.json"))
    assert (metrics["kept_epoch"], metrics["tied_epochs"]) == (3, 3)
    assert manifest["kept_epoch"] == {"epoch": 3, "keep": "best", "monitor": "val_accuracy", "tied_epochs": 3}


def test_a_training_in_two_parts_keeps_the_epoch_of_an_unbroken_one(train):
    changes = ["training.optimizer.learning_rate=0.05"]
    half = train("training.epochs=3", *changes)
    resumed, unbroken = train("training.epochs=6", *changes, run=half.run), train("training.epochs=6", *changes)
    assert resumed.fitted.tied == unbroken.fitted.tied > 1
    assert resumed.fitted.kept == unbroken.fitted.kept


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
    assert rates == pytest.approx([1e-5, 1e-5, 1e-6, 1e-6])


RATES = {
    "plateau": ["training.reduce_lr_on_plateau={patience: 0, factor: 0.1}", "training.optimizer={name: sgd, learning_rate: 1e-5}"],
    "step": ["training.schedule={name: step, every: 1, factor: 0.5}"],
    "cosine": ["training.schedule=cosine"],
    "half precision": ["training.schedule={name: step, every: 1, factor: 0.5}", "training.precision=mixed_float16"],
}  # fmt: skip


@pytest.mark.parametrize("name", RATES)
def test_console_tensorboard_and_history_show_the_rate_that_the_epoch_was_trained_with(cli, tiny_yaml, name):
    words = [word for change in [*RATES[name], "training.epochs=4"] for word in ("--set", change)]
    answer = cli("run", tiny_yaml, *words)
    assert answer.code == 0, answer.err
    done = Path(answer.last_line)
    rates = [row["learning_rate"] for row in history(done)]
    shown = re.findall(r"learning_rate (\S+)", answer.err + answer.out)
    assert shown == [f"{rate:.2g}" for rate in rates]
    events = EventAccumulator(str(done / "tensorboard" / "train"))
    events.Reload()
    assert [float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("epoch_learning_rate")] == pytest.approx(
        rates
    )
    if name in ("step", "half precision"):
        assert rates == pytest.approx([0.01, 0.005, 0.0025, 0.00125])
    assert rates[0] > rates[-1] > 0


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
