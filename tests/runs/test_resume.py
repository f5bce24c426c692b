"""Stopping and going on: the weights of an unbroken run, the history without a gap or a double line."""

import csv
import hashlib
import json
import os
import re
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from digit_pairs import write_pairs

from kerasexp.training.training_state import TrainingState, states

# Nearly each of these makes whole runs.
pytestmark = pytest.mark.slow

LONG = ["--set", "training.epochs=4", "--set", "training.validate_at=[0, 3, 7]"]


def digest(run: Path) -> str:
    total = hashlib.sha256()
    for weight in keras.models.load_model(run / "checkpoint" / "model.keras").get_weights():
        total.update(weight.tobytes())
    return total.hexdigest()


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows without the seconds, which differ."""
    rows = csv.DictReader(path.open())
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same(run: Path, unbroken: Path) -> None:
    assert digest(run) == digest(unbroken)
    for name in ("history.csv", "curve.csv", "gradients.csv"):
        assert table(run / name) == table(unbroken / name), name
    assert (run / "predictions.csv").read_text() == (unbroken / "predictions.csv").read_text()
    one, other = (json.loads((r / "metrics.json").read_text()) for r in (run, unbroken))
    assert (one["val"], one["test"], one["epochs"]) == (other["val"], other["test"], other["epochs"])
    # All that another epoch would begin with, such as the optimizer's state and the centers of classes.
    with np.load(states(run / "state")[0]) as one, np.load(states(unbroken / "state")[0]) as other:
        assert one.files == other.files
        for name in one.files:
            values = [state[name] for state in (one, other)]
            if name.startswith("rows/"):  # without the seconds, which differ
                at = json.loads(one["about"].tobytes())["columns"][name.removeprefix("rows/")].index("seconds")
                values = [np.delete(table, at, axis=1) for table in values]
            assert name == "about" or np.array_equal(*values, equal_nan=True), name


@pytest.fixture
def stop_at(monkeypatch):
    """Return a function that sends this process a signal after so many training steps, once."""

    def arm(step: int, number: int = signal.SIGTERM) -> None:
        original, sent = TrainingState.on_train_batch_end, []

        def watched(self, batch, logs=None):
            if not sent and int(self.model.optimizer.iterations) >= step:
                sent.append(step)
                os.kill(os.getpid(), number)
            original(self, batch, logs)

        monkeypatch.setattr(TrainingState, "on_train_batch_end", watched)

    return arm


METRIC = ["--set", "training.loss={name: cross_entropy, triplet: {}, center: {}}",
          "--set", "training.class_batches={classes: 2, images: 4}"]  # fmt: skip
CROPS = ["--set", "data.augmentation.crop={}"]
RECIPES = {
    "adam": [],
    "plateau": ["--set", "training.reduce_lr_on_plateau={patience: 0, factor: 0.5}"],
    "early stopping": ["--set", "training.early_stopping={patience: 0}"],
    "running mean": ["--set", "training.optimizer.ema=0.9"],
    "cosine": ["--set", "training.schedule=cosine", "--set", "training.optimizer={name: sgd, learning_rate: 0.1, momentum: 0.9}"],
    "metric losses": METRIC,
    "metric losses, running mean": [*METRIC, "--set", "training.optimizer.ema=0.9"],
    "metric losses, half precision": [*METRIC, "--set", "training.precision=mixed_float16"],
    "half precision": ["--set", "training.precision=mixed_float16"],
    "half precision, nadam": ["--set", "training.precision=mixed_float16", "--set", "training.optimizer=nadam"],
    "fine tuning": ["--set", "training.fine_tune={unfreeze: 1, depth_decay: 0.5}"],
    "head first": ["--set", "training.fine_tune={head_epochs: 1, depth_decay: 0.5}"],
    "crops, packed": CROPS,
    "crops, in memory": [*CROPS, "--set", "data.cache=memory"],
    "crops of stored images": [*CROPS, "--set", "data.cache=none"],
    "accumulated gradients": ["--set", "training.accumulate=2", "--set", "training.schedule={name: constant, warmup: 0.3}",
                              "--set", "training.optimizer={name: muon, ema: 0.9}"],
    "sharpness-aware, metric losses": [*METRIC, "--set", "training.sharpness_aware={rho: 0.1}"],
    "stochastic depth": ["--set", "model.blocks=[{filters: 8, pool: 2}, {filters: 8, shortcut: true, batch_norm: true}]",
                         "--set", "model.stochastic_depth=0.4", "--set", "training.optimizer=lion",
                         "--set", "training.schedule={name: step, every: 2, warmup: 0.2}"],
    "average of the last epochs": ["--set", "training.average={name: swa, start: 0.2}"],
    "average of all steps": ["--set", "training.average={name: ema, momentum: 0.9}"],
    "mixed images": ["--set", "data.augmentation={rotation: 5, elastic: {}, blur: 1, erase: 0.5, mixup: 0.4, cutmix: 1}",
                     "--set", "data.augmentation.mix_share=0.8", "--set", "data.augmentation.rand_augment={}",
                     "--set", "training.average={name: swa, start: 0.2}"],
    "last kept": ["--set", "training.checkpoint=last", "--set", "training.loss={name: cross_entropy, label_smoothing: 0.1}"],
}  # fmt: skip


@pytest.mark.parametrize("step", [1, 5, 8])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_stopped_run_goes_on_to_the_same_weights(cli, tiny_yaml, stop_at, recipe, step):
    """An epoch has five steps: step 1 is in the first one, 5 its last, 8 in the middle of the second.

    With metric losses, whose batches are of whole groups, it has six.
    """
    arguments = [tiny_yaml, *LONG, *RECIPES[recipe]]
    unbroken = Path(cli("run", *arguments, "--run-dir", "unbroken").last_line)
    stop_at(step)
    stopped = cli("run", *arguments, "--run-dir", "broken")
    assert stopped.code == 143 and "--run-dir broken --resume" in stopped.err, stopped.err
    assert json.loads(Path("broken/manifest.json").read_text())["status"] == "interrupted"
    resumed = cli("run", *arguments, "--run-dir", "broken", "--resume")
    assert (resumed.code, resumed.err, resumed.last_line) == (0, "", "broken")
    assert_same(Path("broken"), unbroken)
    assert len(states(Path("broken/state"))) == 1
    manifest = json.loads(Path("broken/manifest.json").read_text())
    assert manifest["status"] == "finished" and len(manifest["resumed"]) == 1


def test_a_run_goes_on_without_the_cache_that_it_began_with(cli, tiny_yaml, stop_at):
    unbroken = Path(cli("run", tiny_yaml, *LONG, "--run-dir", "unbroken").last_line)
    stop_at(8)
    assert cli("run", tiny_yaml, *LONG, "--run-dir", "broken").code == 143
    resumed = cli("run", tiny_yaml, *LONG, "--run-dir", "broken", "--resume", "--set", "data.cache=none")
    assert (resumed.code, resumed.err) == (0, "")
    assert_same(Path("broken"), unbroken)


def test_ctrl_c_exits_130_and_says_how_to_go_on(cli, tiny_yaml, stop_at):
    stop_at(2, signal.SIGINT)
    stopped = cli("run", tiny_yaml, "--set", "seed=3")
    assert stopped.code == 130
    assert f"continue with: python -m kerasexp run {tiny_yaml} --set seed=3 --resume" in stopped.err
    resumed = cli("run", tiny_yaml, "--set", "seed=3", "--resume")
    assert resumed.code == 0 and resumed.last_line == "runs/tiny/1" and "resuming runs/tiny/1" in resumed.out


def test_a_new_run_tells_of_the_unfinished_one_and_leaves_it(cli, tiny_yaml, stop_at):
    stop_at(2)
    cli("run", tiny_yaml)
    answer = cli("run", tiny_yaml)
    assert answer.code == 0 and "runs/tiny/1 holds the same run, unfinished; --resume" in answer.out
    assert answer.last_line == "runs/tiny/2"


def test_an_unfinished_directory_says_how_to_resume(cli, tiny_yaml, stop_at):
    stop_at(2)
    cli("run", tiny_yaml, "--run-dir", "here")
    answer = cli("run", tiny_yaml, "--run-dir", "here")
    assert answer.code == 2 and "here: holds an unfinished run" in answer.err and "--resume" in answer.err


def test_a_finished_run_is_not_trained_again(cli, tiny_yaml):
    first = cli("run", tiny_yaml).last_line
    before = Path(first, "manifest.json").read_text()
    again = cli("run", tiny_yaml, "--resume")
    assert again.last_line == first and "has finished already" in again.out
    assert Path(first, "manifest.json").read_text() == before


def test_resume_without_anything_to_resume_begins(cli, tiny_yaml):
    answer = cli("run", tiny_yaml, "--resume", "--run-dir", "new", "--set", "training.epochs=1")
    assert (answer.code, answer.last_line) == (0, "new")


def test_more_epochs_go_on_from_a_finished_run(cli, tiny_yaml):
    """With a constant rate that is the run of so many epochs from the start."""
    cli("run", tiny_yaml, "--run-dir", "grown", "--set", "training.epochs=2")
    more = cli("run", tiny_yaml, "--run-dir", "grown", "--set", "training.epochs=4", "--resume")
    assert more.code == 0 and "training.epochs changes from 2 to 4" in more.out
    cli("run", tiny_yaml, "--run-dir", "whole", "--set", "training.epochs=4")
    assert digest(Path("grown")) == digest(Path("whole"))
    assert table(Path("grown/history.csv")) == table(Path("whole/history.csv"))
    fewer = cli("run", tiny_yaml, "--run-dir", "grown", "--set", "training.epochs=3", "--resume")
    assert fewer.code == 2 and "training.epochs: got 3, and the run there has finished 4" in fewer.err


def test_a_finished_run_without_its_state_stays_as_it_is(cli, tiny_yaml):
    first = Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line)
    assert cli("runs", "clean", "--yes").code == 0 and not (first / "state").exists()
    before, more = digest(first), [tiny_yaml, "--set", "training.epochs=2", "--resume"]
    refused = cli("run", *more, "--run-dir", first)
    assert refused.code == 2 and "runs/tiny/1: --resume: has finished, and has no state" in refused.err
    again = cli("run", *more)
    assert (again.code, again.last_line) == (0, "runs/tiny/2")
    assert "runs/tiny/1 has finished, and has no state from which it could continue" in again.out
    assert digest(first) == before


def test_more_epochs_stretch_the_schedule_and_say_so(cli, tiny_yaml):
    cosine = ["--set", "training.schedule=cosine", "--run-dir", "here"]
    cli("run", tiny_yaml, *cosine, "--set", "training.epochs=2")
    answer = cli("run", tiny_yaml, *cosine, "--set", "training.epochs=4", "--resume")
    assert answer.code == 0 and "the cosine schedule now spans 4 epochs" in answer.out
    assert json.loads(Path("here/manifest.json").read_text())["stretched_from"] == 2


def test_a_run_that_was_stretched_stands_for_no_other(cli, tiny_yaml, tmp_path):
    above, below = tmp_path / "above.yaml", tmp_path / "below.yaml"
    above.write_text(f"base: {tiny_yaml.name}\ntraining: {{schedule: cosine, epochs: 4}}\n")
    below.write_text(f"base: {tiny_yaml.name}\ninit: {{experiment: above.yaml}}\n")
    assert cli("run", above, "--set", "training.epochs=2").code == 0
    stretched = cli("run", above, "--resume", "--run-dir", "runs/above/1")
    assert stretched.code == 0 and Path("runs/above/1/manifest.json").is_file(), stretched.err
    answer = cli("run", below)
    assert answer.code == 0 and "which has run before" not in answer.out, answer.err
    assert "which has run before" in cli("run", below, "--run-dir", "again").out


def test_a_stopped_run_of_more_epochs_is_none_of_fewer(cli, tiny_yaml, stop_at):
    stop_at(12)
    assert cli("run", tiny_yaml, *LONG, "--run-dir", "here").code == 143
    fewer = cli("run", tiny_yaml, "--run-dir", "here", "--set", "training.epochs=1", "--resume")
    assert fewer.code == 2 and "training.epochs: got 1, and the run there has trained 2; give more" in fewer.err


def test_a_run_that_goes_on_has_no_calibration_of_before(cli, tiny_yaml, stop_at):
    cli("run", tiny_yaml, "--run-dir", "here", "--set", "training.epochs=1")
    checkpoint = Path("here/checkpoint")
    assert (checkpoint / "calibration.json").is_file() and (checkpoint / "README.md").is_file()
    stop_at(8)
    assert cli("run", tiny_yaml, "--run-dir", "here", "--set", "training.epochs=3", "--resume").code == 143
    left = {path.name for path in checkpoint.iterdir()}
    assert "model.keras" in left and not left & {"calibration.json", "README.md", "model_raw.keras"}


def test_other_settings_or_data_are_no_resumption(cli, tiny_yaml, images, stop_at):
    stop_at(2)
    cli("run", tiny_yaml, "--run-dir", "here")
    other = cli("run", tiny_yaml, "--run-dir", "here", "--resume", "--set", "training.batch_size=4")
    assert other.code == 2 and "other settings, other data" in other.err
    (images / "disc" / "00.png").unlink()
    assert cli("run", tiny_yaml, "--run-dir", "here", "--resume").code == 2
    Path("no_run").mkdir()
    Path("no_run/file").touch()
    assert "no manifest.json" in cli("run", tiny_yaml, "--run-dir", "no_run", "--resume").err


def test_a_damaged_state_is_left_out_for_the_one_before(cli, tiny_yaml, stop_at):
    unbroken = Path(cli("run", tiny_yaml, *LONG, "--run-dir", "unbroken").last_line)
    stop_at(12)
    cli("run", tiny_yaml, *LONG, "--run-dir", "broken")
    newest, older = states(Path("broken/state"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    resumed = cli("run", tiny_yaml, *LONG, "--run-dir", "broken", "--resume")
    assert resumed.code == 0 and f"{newest}: skipped" in resumed.out
    assert_same(Path("broken"), unbroken)


def test_two_processes_in_one_directory(cli, tiny_yaml, stop_at):
    from kerasexp.runs.directory import RunDirectory

    stop_at(2)
    cli("run", tiny_yaml, "--run-dir", "here")
    with RunDirectory(Path("here")).locked():
        second = cli("run", tiny_yaml, "--run-dir", "here", "--resume")
    assert second.code == 2 and "here: another process is writing to it" in second.err
    assert cli("run", tiny_yaml, "--run-dir", "here", "--resume").code == 0
    assert not Path("here/.lock").exists()


def test_a_loss_that_breaks_names_the_layer(cli, tiny_yaml):
    explode = ["--set", "training.optimizer={name: sgd, learning_rate: 100}", "--set", "training.epochs=20"]
    answer = cli("run", tiny_yaml, *explode)
    assert answer.code == 1 and "The first gradient that is not finite is that of '" in answer.err
    assert re.search(r"in epoch \d+, step [1-5]; .* in epoch \d+, step [1-5]\. ", answer.err)
    assert np.isfinite([float(row["loss"]) for row in table(Path("runs/tiny/1/history.csv"))[:-1]]).all()


def test_an_upstream_run_is_gone_on_with_too(cli, tiny_yaml, stop_at, tmp_path):
    path = tmp_path / "down.yaml"
    path.write_text("base: tiny.yaml\ninit: {experiment: tiny.yaml, layers: all_but_head}\ntraining: {epochs: 2}\n")
    stop_at(7)
    stopped = cli("run", path)
    assert stopped.code == 143 and not Path("runs/down").exists()
    resumed = cli("run", path, "--resume")
    assert resumed.code == 0 and "resuming runs/tiny/1" in resumed.out and resumed.last_line == "runs/down/1"
    Path("runs").rename("broken")
    cli("run", path)
    for name in ("tiny", "down"):
        assert digest(Path("broken", name, "1")) == digest(Path("runs", name, "1"))


def test_a_directory_of_a_run_that_was_killed_at_once_is_begun_in(cli, tiny_yaml):
    for folder in ("checkpoint", "plots", "tensorboard"):
        Path("here", folder).mkdir(parents=True)
    Path("here/.experiment.yaml.abc").write_text("half")
    Path("here/experiment.yaml").write_text("name: tiny")
    answer = cli("run", tiny_yaml, "--run-dir", "here", "--resume", "--set", "training.epochs=1")
    assert (answer.code, answer.last_line) == (0, "here") and not Path("here/.experiment.yaml.abc").exists()


@pytest.mark.parametrize("step", [1, 8])
def test_a_stopped_run_of_several_labels_an_image_goes_on_to_the_same_weights(cli, tmp_path, stop_at, step):
    arguments = [write_pairs(tmp_path, 200), "--set", "training.validate_at=[0, 3, 7]"]
    arguments += [
        "--set",
        "training.loss={class_weights: balanced, label_smoothing: 0.1}",
        "--set",
        "data.augmentation={shift: 0.1, mixup: 0.3, elastic: {}}",
    ]
    unbroken = Path(cli("run", *arguments, "--run-dir", "unbroken").last_line)
    stop_at(step)
    assert cli("run", *arguments, "--run-dir", "broken").code == 143
    resumed = cli("run", *arguments, "--run-dir", "broken", "--resume")
    assert (resumed.code, resumed.err) == (0, "")
    assert_same(Path("broken"), unbroken)
    thresholds = [(run / "checkpoint" / "thresholds.json").read_text() for run in (Path("broken"), unbroken)]
    assert thresholds[0] == thresholds[1]
