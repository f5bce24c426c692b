"""A damaged or a stranger's study.json or search.json: the pages go on, and nothing outside the folder is read."""

import json
from pathlib import Path

import pytest
from live_folders import RATE, trial, write_search, write_study
from many_runs import write_run

from kerasexp.browser.live_page import live_values
from kerasexp.browser.live_search import live_search
from kerasexp.browser.live_study import live_study
from kerasexp.browser.run_entries import as_value
from kerasexp.browser.run_index import RunIndex
from kerasexp.storage import write_json

HUGE = 10**400
# A byte that is no UTF-8, as Python reads it, and what is no character.
NO_TEXT = "\udcff\ud800"
VARIANTS = {
    "no list": 3,
    "no mappings": [1, "a", None],
    "no name": [{"runs": [{"folder": "small/0"}], "metrics": 1, "reported": [], "seed": "x"}],
    "no runs": [{"name": "a", "runs": {"a": 1}, "metrics": {"val_accuracy": 1}}],
    "runs of no kind": [{"name": ["a"], "runs": [1, {"seed": [], "folder": {}, "variant": 1, "status": 2}]}],
    "no text": [
        {
            "name": NO_TEXT,
            "runs": [{"variant": NO_TEXT, "seed": 1, "folder": "a/1", "status": "failed", "cause": NO_TEXT}],
        },
        {"name": "a", "runs": [{"variant": "a", "seed": 1, "folder": NO_TEXT}]},
    ],
    "huge": [
        {"name": "a", "runs": [], "reported": {"test_accuracy": HUGE}, "metrics": {"val_accuracy": {"mean": HUGE}}}
    ],
    "texts": [
        {"name": "a", "runs": [{"train_seconds": "x"}], "metrics": {"val_accuracy": {"mean": "best", "low": []}}}
    ],
}
TRIALS = {
    "no list": 3,
    "no mappings": [1, "a"],
    "other keys": [{"id": "0000", "of": 1}],
    "text score": [{**vars(trial(0, 0.5)), "score": "best"}, vars(trial(1, 0.4))],
    "no score": [{**vars(trial(0, 0.5)), "score": None}],
    "huge score": [{**vars(trial(0, 0.5)), "score": HUGE}],
    "values of another search": [{**vars(trial(0, 0.5)), "values": {"depth": "deep"}}],
    "no values": [{**vars(trial(0, 0.5)), "values": 4}],
    "no time": [{**vars(trial(0, 0.5)), "ended": "yesterday"}],
    "no text": [{**vars(trial(0, 0.5)), "id": NO_TEXT}],
    "no text for the cause": [{**vars(trial(0, 0.5, status="failed")), "cause": NO_TEXT}],
    "no number in the curve": [{**vars(trial(0, 0.5)), "curve": [0.1, "x"]}],
}


def change(file: Path, **keys: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


def assert_shown(place: Path) -> None:
    """Assert that page and list have a directory, in JSON that browsers read."""
    json.dumps(live_values(place, place.name, ""), allow_nan=False, ensure_ascii=False).encode()
    index = RunIndex(place.parent)
    index.refresh()
    assert place.name in [row["path"] for row in index.rows(["path"])]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_damaged_study_has_a_page(name):
    place = write_study(Path("runs/study"))
    change(place / "study.json", variants=VARIANTS[name])
    assert_shown(place)


@pytest.mark.parametrize("name", TRIALS)
def test_a_damaged_search_has_a_page(name):
    place = write_search(Path("runs/search"), [trial(0, 0.5)])
    change(place / "search.json", trials=TRIALS[name])
    assert_shown(place)


def test_a_trial_that_cannot_be_drawn_does_not_hide_the_others():
    place = write_search(Path("runs/search"), [trial(0, 0.5), trial(1, 0.6)])
    trials = json.loads((place / "search.json").read_text())["trials"]
    trials[0]["values"]["depth"] = "deep"
    trials[1]["values"][RATE] = 0.010000000000000002  # past the end, by rounding
    change(place / "search.json", trials=trials)
    assert_shown(place)
    (left,) = live_search(place, "search").results.trials
    assert left.id == "0001" and left.values[RATE] == 0.01


@pytest.mark.parametrize("identity", [3, {"search": 3}, {"search": {"objective": 3}}])
def test_a_search_of_no_objective_is_in_the_list(identity):
    place = write_search(Path("runs/search"), [trial(0, 0.5)])
    change(place / "search.json", identity=identity)
    assert_shown(place)


def test_texts_that_are_no_utf_8_are_shown_with_question_marks():
    run = write_run(Path("runs/run"), 1)
    change(run / "manifest.json", status=NO_TEXT, cause=NO_TEXT, name=[NO_TEXT], hardware={"processor": NO_TEXT})
    change(run / "metrics.json", val={NO_TEXT: 1.0})
    (run / "tags.json").write_text(json.dumps({"tags": [NO_TEXT], "note": NO_TEXT}))
    assert_shown(run)
    assert live_values(run, "run", "")["status"] == "??"
    for place in (write_study(Path("runs/study")), write_search(Path("runs/search"), [trial(0, 0.5)])):
        change(next(place.glob("s*.json")), status=NO_TEXT, name=NO_TEXT)
        assert_shown(place)


def test_a_score_that_is_not_finite_is_none():
    place = write_search(Path("runs/search"), [trial(0, 0.5)])
    strange = {**vars(trial(1, float("nan"), status="failed")), "curve": [0.5, float("inf")]}
    content = json.loads((place / "search.json").read_text())
    (place / "search.json").write_text(json.dumps({**content, "trials": [*content["trials"], strange]}))
    assert_shown(place)
    last = live_search(place, "search").results.trials[1]
    assert last.score is None and last.curve == [0.5]


@pytest.mark.parametrize("kind", ["above", "absolute", "link"])
def test_a_study_reads_nothing_outside_its_folder(kind):
    place, other = write_study(Path("runs/study")), write_run(Path("elsewhere/run"), 1)
    (place / "linked").symlink_to(other.parent.resolve())
    folder = {"above": "../../elsewhere/run", "absolute": str(other.resolve()), "link": "linked/run"}[kind]
    change(place / "study.json", variants=[{"name": "a", "runs": [{"variant": "a", "seed": 1, "folder": folder}]}])
    assert live_study(place, "study").runs == []
    assert_shown(place)


def test_the_confirmation_of_a_search_is_in_its_folder():
    write_study(Path("elsewhere"))
    found = trial(0, 0.5)
    place = write_search(Path("runs/search"), [found])
    (place / "confirmation").mkdir()
    change(place / "search.json", trials=[{**vars(found), "id": "../../../elsewhere"}])
    assert live_search(place, "search").confirmation is None


def test_a_whole_number_that_no_float_can_hold_has_no_place_in_the_list():
    assert as_value(HUGE) is None and as_value(-HUGE) is None and as_value(2**70) == float(2**70)
    run = write_run(Path("runs/run"), 1)
    metrics = json.loads((run / "metrics.json").read_text())
    write_json(run / "metrics.json", {**metrics, "val": {**metrics["val"], "accuracy": HUGE}, "epochs": HUGE})
    assert_shown(run)
