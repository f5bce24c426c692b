"""What trackers are sent of run directories, once each, whatever fails in between."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from tracked_runs import FakeTracker, make_run, make_study, running

from kerasexp.runs.directory import RunDirectory
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import exclusive_lock
from kerasexp.tracking import delivery as delivery_module
from kerasexp.tracking.delivery import Delivery
from kerasexp.tracking.delivery_state import read_delivered
from kerasexp.tracking.table import status_text


class Killed(BaseException):
    """The end of a process."""


def kill_at(monkeypatch, tracker, what):
    """Let the process end when it is about to send a part."""
    called = tracker.called

    def call(name, part):
        if part == what:
            raise Killed
        called(name, part)

    monkeypatch.setattr(tracker, "called", call)


def deliver(root, tracker, **options):
    """Make one last round, as `track sync` does."""
    return Delivery(root, make=tracker, **options).round(is_last=True)


@pytest.fixture
def tracker():
    return FakeTracker()


def test_a_finished_run_is_sent_with_all_that_it_left(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    (attempt,) = deliver(run, tracker)
    sent = tracker.named("one")
    assert attempt.delivered.problem is None and attempt.delivered.missing == ""
    assert sent.parameters["model.name"] == "mlp" and sent.parameters["training.epochs"] == 2
    assert not any(key.startswith(("track", "name", "reported", "report")) for key in sent.parameters)
    assert sent.tags["kerasexp.key"] == "abc" and sent.tags["kerasexp.git.commit"] == "c0ffee"
    assert [(point.step, point.values["loss"]) for point in sent.points] == [(1, 1.0), (2, 0.5)]
    # A point sent twice is one point: its time is that of the training.
    assert sent.points[1].time - sent.points[0].time == pytest.approx(0.5)
    assert sent.summary == {"val/accuracy": 0.5, "test/accuracy": 0.25, "epochs": 2}
    assert {"report.html", "plots/curves.png", "checkpoint/model.keras", "requirements.txt"} <= sent.files.keys()
    assert sent.status == "finished"


def test_what_was_sent_is_not_sent_again_and_the_tracker_is_not_even_asked(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    deliver(run, tracker)
    before = list(tracker.calls)
    tracker.down = True
    (attempt,) = deliver(run, tracker)
    assert attempt.delivered.problem is None and tracker.calls == before


def test_epochs_are_sent_as_they_come_and_files_at_the_end(tmp_path, tracker):
    run = make_run(tmp_path / "one", 1, "running")
    delivery = Delivery(run, make=tracker)
    with running(run):
        delivery.round()
        sent = tracker.named("one")
        assert len(sent.points) == 1 and sent.status == "running" and not sent.summary
        assert sent.files.keys() == {"experiment.yaml", "requirements.txt"}
        make_run(run, 2, "running")
        delivery.round()
        assert [point.step for point in sent.points] == [1, 2]
    make_run(run, 2)
    delivery.round()
    assert sent.status == "finished" and "report.html" in sent.files


def test_a_run_whose_process_was_killed_is_sent_as_killed(tmp_path, tracker):
    deliver(make_run(tmp_path / "one", 1, "running"), tracker)
    assert tracker.named("one").status == "killed"


def test_wherever_a_tracker_goes_down_the_rest_arrives_later_and_nothing_twice(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    deliver(study, tracker)
    undisturbed = tracker.content()
    for calls in range(0, len(tracker.calls), 7):
        copy = tmp_path / "copies" / str(calls) / "study"
        shutil.copytree(study, copy)
        for state in copy.rglob("tracking.json"):
            state.unlink()
        failing = FakeTracker()
        failing.left = calls
        assert any(attempt.delivered.problem for attempt in deliver(copy, failing))
        failing.left = None
        assert not any(attempt.delivered.problem for attempt in deliver(copy, failing))
        assert failing.calls.count(("a/0", "points")) == 1
        found = failing.content()
        for run in (*found.values(), *undisturbed.values()):
            run["tags"].pop("kerasexp.run_dir", None)
            run["parameters"] = dict(run["parameters"])
        assert found == undisturbed


def test_a_process_that_is_killed_between_two_parts_sends_none_of_them_again(tmp_path, tracker, monkeypatch):
    run = make_run(tmp_path / "one")
    for what in ("parameters", "tags", "summary", "report.html"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, tracker, what)
            deliver(run, tracker)
    deliver(run, tracker)
    parts = [what for _, what in tracker.calls if what not in ("open", "close")]
    assert sorted(parts) == sorted({*parts}) and tracker.named("one").status == "finished"


def test_what_a_process_had_not_seen_arrive_when_it_was_killed_is_sent_again(tmp_path, tracker, monkeypatch):
    """As W&B, which says so only when a run is closed."""
    run = make_run(tmp_path / "one")
    tracker.confirms = False
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, tracker, "status")
        deliver(run, tracker)
    sent = tracker.named("one")
    sent.points.clear()
    sent.files.clear()
    (row,) = json.loads(status_text(run, "json"))
    assert row["missing"].startswith("parameters, tags, 2 epochs") and row["epochs"] == row["files"] == 0
    (attempt,) = deliver(run, tracker)
    assert attempt.sent == attempt.delivered.count and tracker.named("one") is sent
    assert len(sent.points) == 2 and "report.html" in sent.files and sent.status == "finished"
    # Then the run was closed, and so it is after a part that comes later.
    (run / "tags.json").write_text('{"tags": ["good"]}')
    deliver(run, tracker)
    before = list(tracker.calls)
    deliver(run, tracker)
    assert sent.tags["kerasexp.tags"] == "good" and tracker.calls == before


def test_runs_of_a_study_are_nested_in_it_also_those_that_name_no_tracker(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    deliver(study, tracker)
    parent = tracker.named("study")
    assert parent.parent is None and parent.note == "| variant |"
    assert parent.parameters["variants"] == ["a", "b"] and parent.parameters["data.source"] == "mnist"
    assert "model.name" not in parent.parameters  # in which the variants differ
    assert {run.name for run in tracker.runs.values() if run.parent == parent.id} == {"a/0", "a/1", "b/0", "b/1"}


def test_one_run_of_a_study_takes_the_study_along_and_leaves_the_others(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    deliver(study, tracker, only=study / "b" / "1")
    assert {run.name for run in tracker.runs.values()} == {"study", "b/1"}


def test_a_resumed_run_continues_in_the_same_run_of_the_tracker(tmp_path, tracker):
    run = make_run(tmp_path / "one", 1)
    deliver(run, tracker)
    make_run(run, 3, "running")
    with running(run):
        deliver(run, tracker)
        assert tracker.named("one").status == "running"
    make_run(run, 3)
    deliver(run, tracker)
    sent = tracker.named("one")
    assert [point.step for point in sent.points] == [1, 2, 3] and sent.status == "finished"


def test_an_epoch_that_was_trained_anew_is_sent_anew(tmp_path, tracker):
    """`training.max_minutes` stops within an epoch, which has its row; the run that is resumed returns to before it."""
    run = make_run(tmp_path / "one")
    history = run / "history.csv"
    history.write_text(history.read_text().replace("\n2,20,1.0,0.001,0.5,", "\n2,13,0.6,0.001,0.75,"))
    deliver(run, tracker)
    make_run(run, 1, "running")
    with running(run):
        deliver(run, tracker)
    make_run(run, 3)
    deliver(run, tracker)
    losses = [(point.step, point.values["loss"]) for point in tracker.named("one").points]
    assert losses == [(1, 1.0), (2, 0.75), (2, 0.5), (3, 1 / 3)]
    before = list(tracker.calls)
    deliver(run, tracker)
    assert tracker.calls == before


def test_runs_that_come_later_go_to_where_their_study_is(tmp_path, tracker):
    asked = []

    def make(name, settings, where, place):
        asked.append(where)
        return tracker

    deliver(make_study(tmp_path / "study"), make)
    assert asked == [None, *["http://tracker"] * 4]


def test_another_place_gets_the_whole_run_anew(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    deliver(run, tracker)
    other = FakeTracker("http://other")
    deliver(run, other)
    assert other.content() == tracker.content()


def test_a_copied_run_is_another_run_to_a_tracker(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    (run / "wandb").mkdir()
    deliver(run, tracker)
    RunDirectory(run).copy_to(tmp_path / "two")
    assert not (tmp_path / "two" / "tracking.json").exists() and not (tmp_path / "two" / "wandb").exists()
    assert (tmp_path / "two" / "history.csv").is_file()


def test_a_run_that_is_refused_does_not_keep_the_others_back(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    tracker.refused = {"a/1"}
    failed = [attempt.path for attempt in deliver(study, tracker) if attempt.delivered.problem]
    assert failed == ["a/1"] and tracker.named("b/1").status == "finished"


def test_a_run_whose_manifest_is_damaged_does_not_keep_the_others_back(tmp_path, tracker):
    study = make_study(tmp_path / "study")
    (study / "a/0/manifest.json").write_text('{"status": "finished", "times": null}')
    failed = [attempt.path for attempt in deliver(study, tracker) if attempt.delivered.problem]
    assert failed == ["a/0"] and tracker.named("b/1").status == "finished"


def test_no_password_lands_in_a_file_or_a_tracker(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    tracker.refused = {"one"}
    deliver(run, tracker)
    assert "http://tracker refuses" in (run / "tracking.json").read_text()
    tracker.refused = set()
    deliver(run, tracker)
    sent = tracker.named("one")
    texts = [*sent.tags.values(), sent.files["requirements.txt"], (run / "tracking.json").read_text()]
    assert not any("secret" in text or "token" in text for text in texts)


def test_a_tracker_that_is_down_is_tried_again_after_pauses_that_grow(tmp_path, tracker, monkeypatch):
    now = 0.0
    monkeypatch.setattr(delivery_module.time, "monotonic", lambda: now)
    delivery, tries = Delivery(make_study(tmp_path / "study"), make=tracker), []
    tracker.down = True
    for now in range(200):  # noqa: B007 (the clock reads it)
        if delivery.round():
            tries.append(now)
    # One attempt a try: whoever is down is not asked for each run.
    assert tries[:5] == [0, 5, 15, 35, 75] and {b - a for a, b in zip(tries[4:], tries[5:], strict=False)} == {60}


def test_what_another_process_is_sending_is_left_to_it(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    with exclusive_lock(RunFiles(run).tracking_lock):
        assert deliver(run, tracker) == [] and not tracker.runs


def test_sync_waits_for_another_process_that_sends(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    with exclusive_lock(RunFiles(run).tracking_lock):
        waiting = threading.Thread(target=deliver, args=(run, tracker), kwargs={"waits": True})
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and not tracker.runs
    waiting.join(10)
    assert tracker.named("one").status == "finished"


def test_a_damaged_tracking_json_is_as_none(tmp_path, tracker):
    run = make_run(tmp_path / "one")
    for text in ("{", "[]", '{"mlflow": 3}', '{"mlflow": {"unknown": 1}}'):
        (run / "tracking.json").write_text(text)
        assert read_delivered(run).get("mlflow") in (None, delivery_module.Delivered())
    deliver(run, tracker)
    assert json.loads((run / "tracking.json").read_text())["mlflow"]["id"] == "id0"
