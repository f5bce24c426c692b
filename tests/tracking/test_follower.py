"""A folder that is followed: what the user is told, each thing once, and what `track sync` and `track status` print."""

from __future__ import annotations

import io
import json
import threading

import pytest
from tracked_runs import FakeTracker, make_run, make_study, running

from kerasexp.config.track_section import read_track
from kerasexp.tracking import follower, sync
from kerasexp.tracking.delivery import Delivery


@pytest.fixture
def tracker(monkeypatch):
    """The tracker of every run."""
    made = FakeTracker()
    monkeypatch.setattr("kerasexp.tracking.delivery.make_tracker", made)
    monkeypatch.setattr(sync, "Delivery", lambda *arguments: Delivery(*arguments, make=made))
    monkeypatch.setattr(sync, "missing_of", lambda extra: [])
    return made


class OpenEnd:
    """A stream that ends when the test says so."""

    def __init__(self):
        self.ended = threading.Event()

    def read(self):
        self.ended.wait(20)
        return ""


def test_the_link_is_said_once_and_the_rest_is_sent_when_the_training_ends(tmp_path, tracker):
    study, said = make_study(tmp_path / "study"), []
    follower.follow(
        Delivery(study, make=tracker), study, io.StringIO(), lambda text, is_warning=False: said.append(text)
    )
    assert said == ["mlflow: http://tracker/id0"]
    assert tracker.named("b/1").status == "finished"


def test_a_tracker_that_is_down_is_told_once_and_so_is_its_return(tmp_path, tracker, monkeypatch):
    monkeypatch.setattr(follower, "SECONDS", 0.01)
    monkeypatch.setattr("kerasexp.tracking.delivery.FIRST_PAUSE", 0.01)
    run, said, end, rounds = make_run(tmp_path / "one", 1, "running"), [], OpenEnd(), []
    tracker.down = True
    delivery = Delivery(run, make=tracker)
    whole_round = delivery.round

    def counted(is_last=False):
        rounds.append(is_last)
        if len(rounds) == 5:
            make_run(run)
            tracker.down = False
            end.ended.set()
        return whole_round(is_last)

    delivery.round = counted
    with running(run):
        follower.follow(delivery, run, end, lambda text, is_warning=False: said.append(text))
    assert len(said) == 3 and rounds[-1]
    assert said[0].startswith("mlflow at http://tracker: connection refused") and "track sync" in said[0]
    assert "secret" not in said[0]
    assert said[1:] == ["mlflow: http://tracker/id0", "mlflow: everything is sent now"]


def test_sync_prints_what_it_sent_and_fails_if_something_is_missing(cli, tmp_path, tracker):
    make_run(tmp_path / "runs" / "one")
    make_run(tmp_path / "runs" / "two")
    tracker.refused = {"two"}
    answer = cli("track", "sync")
    assert answer.code == 1
    assert "runs/one: mlflow: " in answer.out and "parts sent, http://tracker/id0" in answer.out
    assert "runs/two: mlflow: http://tracker refuses; missing: parameters, tags, 2 epochs, metrics" in answer.out
    tracker.refused = set()
    answer = cli("track", "sync", "runs")
    assert answer.code == 0 and "runs/one: mlflow: has everything" in answer.out
    assert tracker.named("two").status == "finished"


def test_sync_sends_runs_without_a_tracker_where_it_is_told_to(cli, tmp_path, tracker):
    make_run(tmp_path / "runs" / "one", track="tensorboard")
    answer = cli("track", "sync", "runs")
    assert answer.code == 0 and "nothing to send" in answer.out and not tracker.runs
    assert cli("track", "sync", "runs", "--to", "mlflow").code == 0
    assert tracker.named("one").status == "finished"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["track", "sync", "nowhere"], "nowhere: no such folder"),
        (["track", "status", "nowhere"], "nowhere: no such folder"),
        (["track", "sync", "--to", "mlfow"], "--to: got 'mlfow'; did you mean 'mlflow'?; allowed: mlflow, wandb"),
    ],
)
def test_mistakes_are_named(cli, arguments, message):
    answer = cli(*arguments)
    assert answer.code == 2 and message in answer.err


def test_a_run_of_a_study_is_synced_as_its_part(cli, tmp_path, tracker):
    study = make_study(tmp_path / "runs" / "both" / "1")
    assert cli("track", "sync", study / "a" / "0").code == 0
    assert {run.name for run in tracker.runs.values()} == {"both/1", "a/0"}


def test_status_says_how_far_each_run_is_and_asks_nobody(cli, tmp_path, tracker):
    assert "no run has a tracker" in cli("track", "status", tmp_path).out
    make_run(tmp_path / "runs" / "one")
    tracker.left = 4  # it opens, takes parameters, tags and the curves
    cli("track", "sync")
    tracker.down = True
    answer = cli("track", "status", "--format", "json")
    (row,) = json.loads(answer.out)
    assert (
        row["path"] == "one" and row["epochs"] == 2 and row["id"] == "id0" and row["problem"].startswith("connection")
    )
    assert row["missing"] == "metrics, 8 files, status"
    assert "metrics, 8 files, status" in cli("track", "status").out


def test_a_parent_comes_before_what_belongs_to_it(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    tracker.refused = {"study"}
    attempts = Delivery(study, make=tracker).round(is_last=True)
    assert attempts[1].delivered.problem == "., which it belongs to, is not there yet"
    assert not tracker.runs


def test_words_for_trackers_without_a_file():
    assert list(read_track({"track": ["mlflow", "wandb"]}).remote) == ["mlflow", "wandb"]
    assert list(read_track({}).remote) == []
