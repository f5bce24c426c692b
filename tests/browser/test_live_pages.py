"""Studies and searches while they run: what their pages show follows from their files."""

import json
import math
import signal
from pathlib import Path

import pytest
from live_folders import RATE, at_step, trial, write_search, write_study
from many_runs import write_run

from kerasexp.browser import search_importance
from kerasexp.browser.live_page import live_importance, live_values
from kerasexp.browser.live_search import live_search
from kerasexp.browser.live_study import live_study
from kerasexp.browser.run_index import status_of
from kerasexp.runs.directory import RunDirectory
from kerasexp.search.results import importance
from kerasexp.studies.seed_statistics import spread


@pytest.fixture(autouse=True)
def nothing_estimated(monkeypatch):
    monkeypatch.setattr(search_importance, "_found", {})


@pytest.fixture
def study() -> Path:
    return write_study(Path("runs/study"))


@pytest.fixture
def search() -> Path:
    scores = [0.5, 0.9, None, 0.7, 0.8]
    return write_search(Path("runs/search"), [trial(k, score) for k, score in enumerate(scores)])


def test_a_study_has_what_each_run_does_and_the_means_so_far(study):
    with RunDirectory(study).locked(), RunDirectory(study / "small/2").locked():
        (study / "large/1.log").write_text("")  # a job that reads its data
        found = live_study(study, "study")
    assert [run.job.status for run in found.runs] == [
        "finished",
        "finished",
        "running",
        "failed",
        "starting",
        "waiting",
    ]
    assert [variant.status for variant in found.variants] == ["running", "starting"]
    assert found.status == "running" and found.finished == 2 and found.share == pytest.approx((2 + 0.15) / 6)
    running, starting = found.jobs
    assert running.doing == "epoch 2 of 10, step 50 of 100, about 1.4 min left" and running.path == "study/small/2"
    assert starting.doing.startswith("preparing") and starting.path == ""
    assert found.runs[3].job.cause == "the disk is <full>"
    small, large = found.variants
    for split in ("val", "test"):
        assert small.means[split] == spread([run.metric(split) for run in small.runs[:2]])
    assert large.means == {"val": None, "test": None} and large.finished == 0
    # Of a run that has not finished, its last epoch on val, and nothing of test.
    assert small.runs[2].metric("val") is not None and small.runs[2].metric("test") is None
    assert found.curves()[0]["y"] == [
        pytest.approx(sum(run.facts.history["val_accuracy"][0] for run in small.runs) / 3)
    ]


def test_a_run_that_failed_before_it_had_a_directory_is_not_prepared_any_more(study):
    content = json.loads((study / "study.json").read_text())
    content["variants"][1]["runs"][1] |= {"status": "failed", "cause": "no such column"}
    (study / "study.json").write_text(json.dumps(content))
    (study / "large/1.log").write_text("error: no such column\n")
    with RunDirectory(study).locked():
        job = live_study(study, "study").runs[4].job
    assert (job.status, job.cause, job.path) == ("failed", "no such column", "")


def test_a_position_changes_no_version_and_the_end_of_a_run_does(study):
    first = live_study(study, "study").version
    at_step(study / "small/2", 3, 1)
    assert live_study(study, "study").version == first
    write_run(study / "large/2", 5, "finished")
    changed = live_study(study, "study")
    assert changed.version != first and changed.variants[1].finished == 1


def test_a_killed_study_is_told_from_one_that_was_stopped(study):
    place = RunDirectory(study)
    with place.locked():
        place.sweep()  # as a run does that is resumed
        assert status_of(study) == "running" and place.process.is_file()
        left = place.process.read_text()
    assert status_of(study) == "unfinished" and not place.process.exists()
    place.process.write_text(left)  # a killed process cannot remove it
    assert status_of(study) == "killed"
    assert live_study(study, "study").runs[2].job.status == "killed"


def test_a_search_has_its_trials_the_best_first_and_what_runs_now(search):
    with RunDirectory(search).locked(), RunDirectory(search / "trial_0005/run").locked():
        found = live_search(search, "search")
    assert found.status == "running" and found.most == 20
    assert [trial.id for trial, _ in found.rows()] == ["0001", "0004", "0003", "0000", "0002"]
    assert found.results.best.id == "0001" and found.best_so_far()["best"] == [0.5, 0.9, 0.9, 0.9, 0.9]
    assert list(found.names.values()) == ["depth", "blocks.0.filters", "units", "learning_rate", "blocks.1.filters"]
    ((job, values),) = found.jobs
    assert job.doing == "epoch 4 of 10, step 20 of 100, about 1.1 min left" and job.path == "search/trial_0005/run"
    # Values in keras-tuner's terms are decoded, and those that are not active are left out.
    assert values == "depth 1, blocks.0.filters 8, units [16], learning_rate 0.001"


def test_lines_cross_the_axes_at_their_values(search):
    found = live_search(search, "search").parallel()
    assert [axis["name"] for axis in found["axes"]][-2:] == ["blocks.1.filters", "val_accuracy"]
    assert found["axes"][-1]["low"] == 0.5 and found["axes"][-1]["high"] == 0.9
    best = found["trials"][0]
    assert best["id"] == "0001" and best["share"] == 1 and found["trials"][-1]["share"] == 0
    # depth 2 of 1 to 2, 4 of [4, 8], [16] of [[], [16]], half a decade of two, 8 of 4 to 12, the best score
    assert best["at"] == pytest.approx([1, 0, 1, 0.25, 0.5, 1])
    assert found["trials"][-1]["at"][4] is None  # its second block is not active


def test_trials_of_different_epochs_have_an_axis_for_these(search):
    trials = [trial(0, 0.5, epochs=3), trial(1, 0.6)]
    found = live_search(write_search(Path("runs/other"), trials), "other").parallel()
    assert [axis["name"] for axis in found["axes"]][-2:] == ["epochs trained", "val_accuracy"]


@pytest.mark.parametrize("file", ["search.yaml", "search.json", "trial_0005/trial.json"])
def test_a_damaged_search_has_a_page(search, file):
    (search / file).write_text("[")
    found = live_values(search, "search", "")
    assert found["status"] in ("unknown", "unfinished")
    if file == "search.yaml":
        assert live_importance(search, "search") == {"html": "", "scored": 0}


def test_importance_is_that_of_the_page_of_the_search_and_is_not_estimated_all_the_time(monkeypatch):
    trials = [trial(k, 0.5 + 0.1 * math.log10(trial(k, 0.0).values[RATE] / 1e-4)) for k in range(12)]
    place = write_search(Path("runs/search"), trials)
    results = live_search(place, "search").results
    calls = []
    monkeypatch.setattr(search_importance, "importance", lambda given: calls.append(given) or importance(given))
    held = search_importance.importance_so_far(place, results)
    assert held.importance.names[0] == RATE and held.importance.means.tolist() == importance(results).means.tolist()
    results.trials.append(trial(12, 0.1))
    assert search_importance.importance_so_far(place, results).trials == 12
    monkeypatch.setattr(search_importance, "REST", 0)
    assert search_importance.importance_so_far(place, results).trials == 13
    assert search_importance.importance_so_far(place, results).trials == 13 and len(calls) == 2
    page = live_importance(place, "search")
    assert page["scored"] == 13 and "learning_rate</td>" in page["html"]


def test_with_few_trials_the_page_says_why_there_is_no_importance(search):
    assert "from 12 finished trials on; there are 4" in live_importance(search, "search")["html"]


def test_a_lock_says_which_process_holds_it_and_how_it_is_stopped(study):
    """A shell lets what it starts in the background ignore SIGINT."""
    from kerasexp.browser.run_processes import _stop_request

    for handler, expected in ((signal.default_int_handler, signal.SIGINT), (signal.SIG_IGN, signal.SIGTERM)):
        before = signal.signal(signal.SIGINT, handler)
        try:
            with RunDirectory(study).locked():
                assert _stop_request(study)[1] == expected
        finally:
            signal.signal(signal.SIGINT, before)
