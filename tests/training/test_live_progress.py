"""`progress.json`: where a training is."""

import json
import math
from pathlib import Path

import pytest

from kerasexp.browser.live_run import live_run
from kerasexp.errors import RunError
from kerasexp.training import live_progress
from kerasexp.training.live_progress import MOST_POINTS, LiveProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def read() -> dict:
    return json.loads(Path("progress.json").read_text())


def test_it_is_written_once_a_second_and_removed_at_the_end(clock):
    with LiveProgress(Path("progress.json"), 3, 100, 32) as live:
        live.on_epoch_begin(1)
        for step in range(50):
            clock[0] = step / 10
            live.on_train_batch_end(step, {"loss": 2.0 - step / 100, "accuracy": step / 100})
        found = read()
        assert (found["phase"], found["epoch"], found["epochs"], found["step"], found["steps"]) == (
            "training",
            2,
            3,
            41,
            100,
        )
        assert (found["loss"], found["accuracy"]) == (1.6, 0.4)
        assert found["steps_per_second"] == pytest.approx(10) and found["images_per_second"] == pytest.approx(320)
        assert [point[0] for point in found["points"]] == [101, 111, 121, 131, 141]
        clock[0] += 1
        live.on_test_begin()
        assert read()["phase"] == "validating" and read()["step"] == 100
    assert not Path("progress.json").exists()


def test_the_curve_stays_short_and_covers_all(clock):
    with LiveProgress(Path("progress.json"), 1, 5000, 1) as live:
        for step in range(3000):
            clock[0] += 1
            live.on_train_batch_end(step, {"loss": 1.0, "accuracy": 0.5})
        steps = [point[0] for point in read()["points"]]
    assert MOST_POINTS / 2 < len(steps) <= MOST_POINTS and steps[0] == 1 and steps[-1] > 2950
    assert len({after - before for before, after in zip(steps, steps[1:], strict=False)}) == 1


def test_what_is_not_finite_and_a_full_disk_do_not_stop_the_training(clock, monkeypatch):
    with LiveProgress(Path("progress.json"), 1, 10, 1) as live:
        live.on_train_batch_end(0, {"loss": math.nan, "accuracy": 0.5})
        assert read()["loss"] is None

        def full(path, content):
            raise RunError("disk full")

        monkeypatch.setattr(live_progress, "write_json", full)
        clock[0] = 5
        live.on_train_batch_end(1, {"loss": 1.0, "accuracy": 0.5})


@pytest.mark.slow
def test_a_training_shows_where_it_is_until_it_ends(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr(live_progress, "SECONDS", 0.0)
    seen = []
    original = live_progress.LiveProgress.on_train_batch_end

    def looking(self, batch, logs=None):
        original(self, batch, logs)
        seen.append(live_run(self._path.parent))

    monkeypatch.setattr(live_progress.LiveProgress, "on_train_batch_end", looking)
    run = Path(cli("run", tiny_yaml, "--set", "training.epochs=2").last_line)
    last = seen[-1]
    assert last["status"] == "running" and len(last["history"]["epoch"]) == 1
    assert last["progress"]["share"] == 1 and last["progress"]["left"] == "0.0 s"
    assert [point[0] for point in last["points"]] == list(range(1, len(seen) + 1))
    assert last["gradients"] and last["progress"]["memory_bytes"] > 2**20
    done = live_run(run)
    assert done["status"] == "finished" and done["progress"] is None and not (run / "progress.json").exists()
    assert len(done["history"]["val_accuracy"]) == 2
