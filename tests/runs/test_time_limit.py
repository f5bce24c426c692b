"""`training.max_minutes`: the training stops after a step, is evaluated, and can be continued bit for bit."""

import csv
import hashlib
import json
from pathlib import Path

import keras
import pytest

from kerasexp.training.training_clock import Clock
from kerasexp.training.training_state import TrainingState

pytestmark = pytest.mark.slow


def digest(run: Path) -> str:
    total = hashlib.sha256()
    for weight in keras.models.load_model(run / "checkpoint" / "model.keras").get_weights():
        total.update(weight.tobytes())
    return total.hexdigest()


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows without the seconds, which differ."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(path.open())]


@pytest.fixture
def time_of_steps(monkeypatch):
    """Let each step take a second, so that a limit means a step."""
    done, original = [0.0], TrainingState.on_train_batch_end

    def counted(self, batch, logs=None):
        done[0] = float(self.model.optimizer.iterations)
        original(self, batch, logs)

    monkeypatch.setattr(TrainingState, "on_train_batch_end", counted)
    monkeypatch.setattr(Clock, "seconds", lambda self: done[0])


def minutes(steps: int) -> list[str]:
    return ["--set", f"training.max_minutes={steps / 60}"]


LAST, EMA = ["--set", "training.checkpoint=last"], ["--set", "training.optimizer.ema=0.9"]


@pytest.mark.parametrize(("recipe", "steps"), [([], 2), ([], 5), ([], 8), (LAST, 8), (EMA, 8)])
def test_a_run_that_its_limit_stopped_is_evaluated_and_continues_bit_for_bit(
    cli, tiny_yaml, time_of_steps, steps, recipe
):
    """An epoch has five steps: step 2 is in the first one, 5 its last, 8 in the middle of the second."""
    first = cli("run", tiny_yaml, *recipe, *minutes(steps), "--run-dir", "limited")
    assert first.code == 0, first.err
    epoch, step = (steps - 1) // 5 + 1, (steps - 1) % 5 + 1
    said = f"training.max_minutes {steps / 60:g} stopped the training in epoch {epoch} of 3, after step {step} of 5"
    assert said in first.out and said in Path("limited/report.html").read_text()
    manifest = json.loads(Path("limited/manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["time_limit"] == {"minutes": steps / 60, "epoch": epoch, "step": step, "epochs": 3, "steps": 5}
    metrics = json.loads(Path("limited/metrics.json").read_text())
    assert metrics["epochs"] == epoch == len(table(Path("limited/history.csv"))) and metrics["test"]["accuracy"] >= 0

    again = cli("run", tiny_yaml, *recipe, *minutes(steps), "--run-dir", "limited", "--resume")
    assert again.code == 0 and "has finished already" in again.out
    less = cli("run", tiny_yaml, *recipe, *minutes(1), "--run-dir", "limited", "--resume")
    assert less.code == 2 and "training.max_minutes: got 0.0166667, and the run there has used" in less.err

    more = cli("run", tiny_yaml, *recipe, "--run-dir", "limited", "--resume")
    assert more.code == 0, more.err
    cli("run", tiny_yaml, *recipe, "--run-dir", "whole")
    assert digest(Path("limited")) == digest(Path("whole"))
    assert table(Path("limited/history.csv")) == table(Path("whole/history.csv"))
    assert Path("limited/predictions.csv").read_text() == Path("whole/predictions.csv").read_text()
    assert "time_limit" not in json.loads(Path("limited/manifest.json").read_text())
    assert not list(Path("limited/state").glob("*.keras"))


def test_a_limit_that_is_not_reached_changes_nothing(cli, tiny_yaml):
    cli("run", tiny_yaml, "--run-dir", "whole")
    answer = cli("run", tiny_yaml, "--set", "training.max_minutes=60", "--run-dir", "limited")
    assert "max_minutes" not in answer.out and digest(Path("limited")) == digest(Path("whole"))


def test_the_last_step_is_no_stop(cli, tiny_yaml, time_of_steps):
    answer = cli("run", tiny_yaml, *minutes(15), "--run-dir", "whole")
    assert answer.code == 0 and "stopped the training" not in answer.out


def test_a_limited_run_is_not_taken_for_the_whole_one(cli, tiny_yaml, time_of_steps, tmp_path):
    (tmp_path / "down.yaml").write_text("base: tiny.yaml\ninit: {experiment: tiny.yaml}\n")
    cli("run", tiny_yaml, *minutes(2))
    answer = cli("run", "down.yaml")
    assert answer.code == 0 and "run directory: runs/tiny/2" in answer.out


def test_hyperband_takes_no_limit(cli, tiny_yaml, tmp_path):
    (tmp_path / "s.yaml").write_text(
        "base: tiny.yaml\nmodel: {head: {dropout: {float: [0.0, 0.5]}}}\ntraining: {max_minutes: 1}\n"
        "search: {algorithm: hyperband}\n"
    )
    answer = cli("search", "s.yaml")
    assert answer.code == 2 and "training.max_minutes: cannot be combined with hyperband" in answer.err


def test_what_no_gradient_trains_takes_no_limit(cli, tmp_path):
    (tmp_path / "svm.yaml").write_text(
        "data: digits\nmodel: {name: cnn, head: {svm: {}}}\ntraining: {max_minutes: 1}\n"
    )
    answer = cli("check", "svm.yaml")
    assert answer.code == 2 and "training.max_minutes" in answer.err
