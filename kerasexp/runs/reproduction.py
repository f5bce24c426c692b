"""`reproduce`: run an experiment again from its run directory, and compare surroundings and metrics with those of before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasexp.config import load_experiment
from kerasexp.config.track_section import Track
from kerasexp.console import Console, Finished
from kerasexp.custom.trust import approve
from kerasexp.environment import hardware, versions
from kerasexp.errors import Problem, UserError, listing
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.finished_run import locate
from kerasexp.runs.identity import NUMERICS_VERSION
from kerasexp.runs.provenance import Provenance, find_provenance, remember_provenance
from kerasexp.runs.resume_command import resume_command
from kerasexp.runs.run import run_experiment
from kerasexp.runs.run_request import RunRequest
from kerasexp.storage import digest_of_file, write_json

# Metrics that measure the machine.
OF_THE_MACHINE = ("train_seconds",)
# Packages, or metrics, that a line lists.
LISTED = 8


@dataclass(frozen=True)
class Change:
    """Something that was another way when a run was made; None stands for something that was not there or not known."""

    what: str
    then: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.what}: {_shown(self.then)} then, {_shown(self.now)} now"


@dataclass(frozen=True)
class Reproduction:
    """A run that was made again.

    Attributes:
        run: the directory of the new one.
        surroundings: what differs of versions, packages, repository, hardware, environment and data.
        metrics: the numbers of `metrics.json` that differ, but for times.
        count: how many numbers there are.
        same_predictions: whether `predictions.csv` is the same, byte for byte; None if a run has none, as trials.
    """

    run: RunDirectory
    surroundings: list[Change]
    metrics: list[Change]
    count: int
    same_predictions: bool | None

    @property
    def is_same(self) -> bool:
        return not self.metrics and self.same_predictions is not False

    def lines(self) -> Iterator[str]:
        """Yield the conclusion as lines of text."""
        if self.is_same:
            also = "; predictions.csv is the same, byte for byte" if self.same_predictions else ""
            yield f"the metrics are the same: {self.count} numbers, to the last digit{also}"
            return
        if self.metrics:
            yield f"{len(self.metrics)} of {self.count} metrics differ:"
            yield from (f"  {change}" for change in self.metrics[:LISTED])
            if len(self.metrics) > LISTED:
                yield f"  ... and {len(self.metrics) - LISTED} more, which are in {self.run.manifest}"
        else:
            yield f"the metrics are the same ({self.count} numbers), but predictions.csv differs"
        yield "what differs around it: " + ("; ".join(map(str, self.surroundings)) or "nothing that was recorded")

    def finished_event(self) -> Finished:
        """Return the event of the reproduction: whether all is the same, and what differs."""
        report = self.run.report if self.run.report.is_file() else None
        found = {
            "is_same": self.is_same,
            "same_predictions": self.same_predictions,
            "differing": [asdict(change) for change in self.metrics],
            "surroundings": [asdict(change) for change in self.surroundings],
        }
        name = self.run.read_manifest().get("name", self.run.path.name)
        return Finished("reproduction", name, self.run.path, report, found, text="\n".join(self.lines()))


def read_original(path: Path) -> tuple[RunDirectory, dict[str, Any]]:
    """Return a finished run and its manifest.

    Raises:
        UserError: there is no run, or it is not finished.
    """
    run = locate(path)
    manifest = run.read_manifest()
    if manifest.get("status") != "finished":
        message = f"is not finished, so there is nothing to compare with; continue it with: {resume_command(run)}"
        raise UserError(Problem(message, str(run.path)))
    return run, manifest


def reproduce(path: Path, run_dir: Path | None, console: Console, trust_code: bool = False) -> Reproduction:
    """Run the experiment of a finished run again, in a new directory, and compare the two.

    Args:
        path: the directory of the run, or a folder of numbered runs.
        run_dir: the directory to make; None for the next number below `runs/<name>`.
        console: where progress is shown.
        trust_code: whether code of users that is not trusted yet may run.

    Raises:
        UserError: there is no finished run, or its experiment, data or code are no longer usable.
        RunError: the new run failed.
        Interrupted: it was asked to stop.
    """
    original, before = read_original(path)
    # It is compared here, and the trackers of the original may be those of somebody else.
    experiment = load_experiment(original.experiment).model_copy(update={"track": Track()})
    approve(experiment, original.experiment, trust_code)
    remember_provenance(_provenance_now(before, original))
    is_trial = "test" not in _metrics(original)
    run = run_experiment(RunRequest(experiment, run_dir, is_trial=is_trial), console)
    found = _compare(original, before, run)
    manifest = run.read_manifest()
    content = {
        "of": str(original.path),
        "is_same": found.is_same,
        "surroundings": [asdict(change) for change in found.surroundings],
        "metrics": [asdict(change) for change in found.metrics],
    }
    write_json(run.manifest, {**manifest, "reproduction": content})
    return found


def changes_now(run: RunDirectory, manifest: Mapping[str, Any]) -> list[Change]:
    """Return what differs now from the surroundings of a run, before anything is run again."""
    today = {
        "numerics_version": NUMERICS_VERSION,
        "versions": versions(),
        "hardware": hardware(),
        "provenance": _provenance_now(manifest, run).manifest_entry(),
    }
    return list(_surroundings(manifest, today))


def _provenance_now(manifest: Mapping[str, Any], run: RunDirectory) -> Provenance:
    """Return the provenance of a run that is made again; its repository is that of the experiment's file, if it is there."""
    file = (manifest.get("provenance") or {}).get("file")
    return find_provenance(file if file is not None and Path(file).is_file() else str(run.experiment))


def _compare(original: RunDirectory, before: dict[str, Any], run: RunDirectory) -> Reproduction:
    then, now = dict(_numbers(_metrics(original))), dict(_numbers(_metrics(run)))
    metrics = [
        Change(key, then.get(key), now.get(key))
        for key in dict.fromkeys([*then, *now])
        if then.get(key) != now.get(key)
    ]
    digests = digest_of_file(original.predictions), digest_of_file(run.predictions)
    after = run.read_manifest()
    surroundings = [*_surroundings(before, after), *_data(before, after)]
    return Reproduction(run, surroundings, metrics, len(then), None if digests[0] is None else digests[0] == digests[1])


def _metrics(run: RunDirectory) -> dict[str, Any]:
    try:
        return json.loads(run.metrics.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError) as error:
        raise UserError(Problem(f"cannot be read: {error}", str(run.metrics))) from None


def _numbers(node: Any, above: str = "") -> Iterator[tuple[str, float]]:
    """Yield the dotted key and the value of every number that does not measure the machine."""
    if isinstance(node, dict):
        for key, value in node.items():
            if f"{above}{key}" not in OF_THE_MACHINE:
                yield from _numbers(value, f"{above}{key}.")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _numbers(value, f"{above}{position}.")
    elif isinstance(node, int | float):
        yield above.removesuffix("."), node


def _surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what differs between two manifests, apart from experiment, data and results."""
    for key in ("numerics_version", "precision", "devices"):
        if key in now and then.get(key) != now[key]:
            yield Change(key, then.get(key), now[key])
    for key, name in {
        "stretched_from": "epochs that were planned at first",
        "time_limit": "training.max_minutes",
    }.items():
        if then.get(key) != now.get(key):
            yield Change(name, then.get(key), now.get(key))
    for section in ("versions", "hardware"):
        old = then.get(section, {})
        yield from (Change(key, old.get(key), new) for key, new in now[section].items() if old.get(key) != new)
    old, new = then.get("provenance"), now["provenance"]
    if not old:
        yield Change("packages, git and environment", "not recorded", "recorded")
        return
    yield from _packages(old["packages"], new["packages"])
    names = dict.fromkeys([*old["environment"], *new["environment"]])
    for name in names:
        if old["environment"].get(name) != new["environment"].get(name):
            yield Change(f"${name}", old["environment"].get(name), new["environment"].get(name))
    yield from _repository(old["git"], new["git"])


def _packages(then: list[str], now: list[str]) -> Iterator[Change]:
    gone, come = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    if gone or come:
        yield Change("packages", listing(gone, LISTED) or "none", listing(come, LISTED) or "none")


def _repository(then: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[Change]:
    """Yield how repositories differ; an untracked file is no difference, for nothing is known of its content."""
    for key, name in (("commit", "git commit"), ("diff_sha256", "uncommitted changes")):
        values = [None if git is None else git.get(key) for git in (then, now)]
        if values[0] != values[1]:
            yield Change(name, *(value and value[:12] for value in values))


def _data(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for key in ("origin", "fingerprint"):
        old, new = then["data"].get(key), now["data"].get(key)
        if old != new:
            yield Change(f"data {key}", old, new)
    old, new = ((manifest.get("init") or {}).get("key") for manifest in (then, now))
    if old != new:
        yield Change("upstream run", old, new)


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value) if isinstance(value, float) else str(value)
