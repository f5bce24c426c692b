"""`progress.json` as other processes read it: of this version, damaged, or a stranger's."""

import json
from pathlib import Path

import pytest

from kerasexp.browser.live_run import live_run
from kerasexp.console import Position
from kerasexp.runs.directory import RunDirectory
from kerasexp.saving.training_progress import TrainingProgress, read_progress
from kerasexp.storage import write_json

FILE = Path("progress.json")
WHERE = {"phase": "training", "epoch": 2, "epochs": 3, "step": 50, "steps": 100}
WRITTEN = {
    **WHERE, "loss": 0.5, "accuracy": None, "steps_per_second": 5.0, "images_per_second": 160.0, "memory_bytes": 2**30,
    "points": [[50, 0.75, 0.25], [150, None, None]],
}  # fmt: skip
HUGE = 10**400
# No position at all.
UNREADABLE = [
    "", "{", "[]", "{}", "3", "[" * 100_000,
    *(json.dumps({**WHERE, **wrong}) for wrong in (
        {"phase": None}, {"phase": ["training"]}, {"phase": "\ud800"}, {"epoch": None}, {"epoch": "2"}, {"epochs": 3.5},
        {"step": -1}, {"step": True}, {"steps": HUGE}, {"steps": []},
    )),
]  # fmt: skip
# A position with less.
STRANGE = [
    {"steps_per_second": "fast"}, {"steps_per_second": {}}, {"steps_per_second": HUGE}, {"steps_per_second": 0},
    {"steps_per_second": -1}, {"steps_per_second": 5e-324}, {"steps_per_second": float("nan")},
    {"images_per_second": "many", "memory_bytes": []}, {"loss": float("inf"), "accuracy": "good"},
    {"points": 3}, {"points": [1, None, [], [1], ["a", 1, 2], [None, 1, 2]]}, {"steps": 0, "epochs": 0},
    {"epoch": 0, "step": 0}, {"unknown": HUGE},
]  # fmt: skip


def test_the_time_left_follows_from_the_speed():
    write_json(FILE, WRITTEN)
    position = Position(**WHERE, loss=0.5, images_per_second=160.0, seconds_left=30.0)
    assert read_progress(FILE) == TrainingProgress(position, 5.0, 2**30, WRITTEN["points"])
    write_json(FILE, {**WRITTEN, "epoch": 4})
    assert read_progress(FILE).position.seconds_left == 0


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_progress_is_none(text):
    FILE.write_text(text)
    assert read_progress(FILE) is None


@pytest.mark.parametrize("values", STRANGE)
def test_strange_values_are_left_out_and_the_page_has_plain_json(values):
    run = RunDirectory(Path("run"))
    run.path.mkdir()
    write_json(run.manifest, {"status": "running"})
    run.progress.write_text(json.dumps({**WHERE, **values}))
    with run.locked():
        found = live_run(run.path)
    json.dumps(found, allow_nan=False)
    assert found["progress"]["left"] is None and found["points"] == []
