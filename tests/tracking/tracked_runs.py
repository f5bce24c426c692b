"""Directories as trainings leave them, made in no time, and a tracker that remembers what it was sent."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from kerasexp.config import load, resolved_yaml
from kerasexp.storage import exclusive_lock
from kerasexp.tracking.tracker import TrackerDown

STARTED = "2026-01-01T00:00:00+00:00"


def make_run(place: Path, epochs: int = 2, status: str = "finished", track: str = "mlflow") -> Path:
    """Write the files of a run with this many epochs; one that is not running has metrics, a report and a checkpoint."""
    place.mkdir(parents=True, exist_ok=True)
    source = place.parent / "source.yaml"
    source.write_text(f"{{track: {track}, name: tiny, model: mlp, training: {{epochs: {epochs}}}}}\n")
    (place / "experiment.yaml").write_text(resolved_yaml(load(source)))
    source.unlink()
    rows = [f"{n},{10 * n},{0.5 * n},0.001,{1 / n},{1 - 1 / (n + 1)}" for n in range(1, epochs + 1)]
    (place / "history.csv").write_text("\n".join(["epoch,step,seconds,learning_rate,loss,accuracy", *rows]) + "\n")
    times = {"started": STARTED}
    manifest = {"status": status, "name": "tiny", "key": "abc", "numerics_version": 2, "times": times}
    git = {"commit": "c0ffee", "branch": "main", "remote": "https://me:secret@example.org/x.git", "changed": True}
    packages = ["keras==3.15", "own @ https://token@example.org/own"]
    manifest["provenance"] = {"command": ["kerasexp", "run", "tiny"], "git": git, "packages": packages}
    if status != "running":
        times["finished"] = "2026-01-01T00:01:00+00:00"
        content = {"val": {"accuracy": 0.5}, "test": {"accuracy": 0.25, "per_class": {"a": {}}}, "epochs": epochs}
        (place / "metrics.json").write_text(json.dumps(content))
        (place / "report.html").write_text("<p>report</p>")
        for folder, name in (("plots", "curves.png"), ("checkpoint", "model.keras")):
            (place / folder).mkdir(exist_ok=True)
            (place / folder / name).write_bytes(b"content")
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


def make_study(place: Path, track: str = "mlflow") -> Path:
    """Write a finished study of two variants and two seeds; its runs name no tracker themselves."""
    place.mkdir(parents=True)
    source = place / "source.yaml"
    source.write_text(f"{{track: {track}, name: both, variants: {{a: {{}}, b: {{model: mlp}}}}, seeds: [0, 1]}}\n")
    (place / "experiment.yaml").write_text(resolved_yaml(load(source)))
    source.unlink()
    content = {"name": "both", "key": "k", "status": "finished", "seeds": [0, 1], "variants": []}
    (place / "study.json").write_text(json.dumps(content))
    (place / "table.md").write_text("| variant |\n")
    for variant in "ab":
        for seed in "01":
            make_run(place / variant / seed, track="tensorboard")
    return place


def running(place: Path):
    """Return a block in which a run counts as running."""
    return exclusive_lock(place / ".lock")


class FakeTracker:
    """What all runs that were sent have; `down`, `refused` and `left` let calls fail.

    Attributes:
        runs: by id.
        calls: every call, in order.
        down: whether it does not answer.
        refused: names of runs that it refuses.
        left: after how many calls it goes down; None for never.
        confirms: whether what is sent has arrived at once; else when the run is closed.
    """

    def __init__(self, where: str = "http://tracker"):
        self.where = where
        self.runs: dict[str, FakeRun] = {}
        self.calls: list[tuple[str, str]] = []
        self.down, self.refused, self.left = False, set(), None
        self.confirms = True

    def __call__(self, name, settings, where, place):
        return self

    def open(self, record, id, parent):
        self.called(record.name, "open")
        if record.name in self.refused:
            raise ValueError("http://me:secret@tracker refuses")
        if id is None:
            id = f"id{len(self.runs)}"
            self.runs[id] = FakeRun(self, id, record.name, parent)
        return self.runs[id]

    def called(self, name, what):
        if self.left is not None:
            self.left -= 1
        if self.down or (self.left is not None and self.left < 0):
            raise TrackerDown("connection refused by http://me:secret@tracker")
        self.calls.append((name, what))

    def named(self, name):
        """Return the one run of this name."""
        (found,) = [run for run in self.runs.values() if run.name == name]
        return found

    def content(self):
        """Return all that it has, without ids."""
        return {run.name: run.content() for run in self.runs.values()}


class FakeRun:
    def __init__(self, tracker, id, name, parent):
        self.tracker, self.id, self.name, self.parent, self.link = tracker, id, name, parent, f"http://tracker/{id}"
        self.parameters, self.tags, self.note, self.points, self.summary = {}, {}, "", [], {}
        self.files, self.status = {}, "running"

    @property
    def is_confirmed(self):
        return self.tracker.confirms or self.tracker.calls[-1] == (self.name, "close")

    def content(self):
        values = dict(vars(self))
        for key in ("tracker", "id", "parent", "link"):
            del values[key]
        return values

    def send_parameters(self, parameters):
        self.tracker.called(self.name, "parameters")
        self.parameters |= parameters

    def send_tags(self, tags, note):
        self.tracker.called(self.name, "tags")
        self.tags, self.note = dict(tags), note

    def send_points(self, points):
        self.tracker.called(self.name, "points")
        self.points += points

    def send_summary(self, end):
        self.tracker.called(self.name, "summary")
        self.summary = dict(end.values)

    def send_file(self, file):
        self.tracker.called(self.name, file.name)
        self.files[file.name] = file.text if file.path is None else file.path.read_bytes()

    def set_status(self, status, ended):
        self.tracker.called(self.name, "status")
        self.status = status

    def close(self):
        with suppress(TrackerDown):
            self.tracker.called(self.name, "close")
