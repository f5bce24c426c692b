"""Runs beside each other: figures, differences on the same test images, convergence, and what may be concluded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasexp.comparison.convergence import Convergence, Curve, convergence
from kerasexp.config import Experiment
from kerasexp.config.base import Section
from kerasexp.errors import listing
from kerasexp.evaluation.intervals import holm, mcnemar, paired_interval
from kerasexp.runs.finished import FinishedRun

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Difference:
    """A run's test accuracy less that of the first run, on the same images.

    Attributes:
        difference: of the accuracies, with `low` and `high`, its 95 % interval.
        only_first, only_this: images that only one of the two gets right.
        p_value: of McNemar's exact test; with more than two runs adjusted for their number (Holm).
        verdict: in words, what that allows to say.
    """

    difference: float
    low: float
    high: float
    only_first: int
    only_this: int
    p_value: float
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """All that is shown of the compared runs.

    Attributes:
        runs: in the order given; the others are compared with the first.
        labels: a name for each that tells it from the others.
        differences: one per run; None for the first, and for all where the test sets differ.
        curves: the records of val that convergence was read from: the early curve where all runs have one, else epochs.
        best: best val accuracy in any of these records.
        convergences: one per run.
        notes: what a reader has to know before believing a difference.
    """

    runs: list[FinishedRun]
    labels: list[str]
    differences: list[Difference | None]
    curves: list[Curve]
    best: float
    convergences: list[Convergence]
    notes: list[str]

    @property
    def same_test(self) -> bool:
        return _same(self.runs, "test")

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "reference": self.labels[0],
            "notes": self.notes,
            "settings_that_differ": {
                key: dict(zip(self.labels, values, strict=True))
                for key, values in settings_that_differ(self.runs).items()
            },
            "best_val_accuracy": self.best,
            "runs": [self._run_json(position) for position in range(len(self.runs))],
        }

    def _run_json(self, position: int) -> dict[str, Any]:
        run, reached = self.runs[position], self.convergences[position]
        difference = self.differences[position]
        return {
            "name": self.labels[position],
            "directory": str(run.directory.path),
            "seed": run.manifest["seed"],
            "parameters": run.manifest["parameters"],
            "flops": run.manifest.get("flops"),  # runs of versions before have none
            "epochs": run.metrics["epochs"],
            "train_seconds": run.metrics["train_seconds"],
            "val": _totals(run.metrics["val"]),
            "test": _totals(run.metrics["test"]),
            **training_quality(run),
            "convergence": {
                "reached": {
                    f"{share:g}": None if at is None else {"step": at[0], "seconds": at[1]}
                    for share, at in reached.reached.items()
                },
                "area": reached.area,
                "biggest_drop": reached.biggest_drop,
            },
            "difference": None if difference is None else dict(vars(difference)),
        }


def compare(runs: list[FinishedRun]) -> Comparison:
    """Compare finished runs with the first of them."""
    labels = _labels(runs)
    differences = _differences(runs, labels) if _same(runs, "test") else [None] * len(runs)
    early = all(run.early is not None for run in runs)
    curves = [run.early if early else run.history for run in runs]
    best, convergences = convergence(curves)
    return Comparison(runs, labels, differences, curves, best, convergences, _notes(runs, labels))


def training_quality(run: FinishedRun) -> dict[str, float]:
    """Return what the history says beside the end: best epoch, loss at its best, distance of train and val at the end."""
    history = run.history
    return {
        "best_epoch": int(history["epoch"][np.nanargmax(history["val_accuracy"])]),
        "lowest_val_loss": float(np.nanmin(history["val_loss"])),
        "last_train_accuracy": float(history["accuracy"][-1]),
        "last_val_accuracy": float(history["val_accuracy"][-1]),
        "gap": float(history["accuracy"][-1] - history["val_accuracy"][-1]),
    }


def settings_that_differ(runs: list[FinishedRun]) -> dict[str, list[Any]]:
    """Return, by dotted key, each run's value of what the experiments do not have in common; names and claims left out.

    An upstream experiment is known by its name; of a section or a list, only what is not the default is said.
    """
    experiments = [run.experiment for run in runs]
    fields = Experiment.model_fields.keys() - {"name", "reported", "report"}
    return _of_fields("", [name for name in Experiment.model_fields if name in fields], experiments)


def _of_fields(prefix: str, fields: Iterable[str], sections: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for field in fields:
        found |= _differing(f"{prefix}{field}", [getattr(section, field) for section in sections])
    return found


def _differing(key: str, values: list[Any]) -> dict[str, list[Any]]:
    plain = [_plain(value) for value in values]
    if all(value == plain[0] for value in plain):
        return {}
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and isinstance(values[0], Section) and not isinstance(values[0], Experiment):
        return _of_fields(f"{key}.", kinds.pop().model_fields, values)
    return {key: plain}


def _plain(value: Any) -> Any:
    if isinstance(value, Experiment):
        return value.name
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Section):
        fields = type(value).model_fields.items()
        parts = {name: getattr(value, name) for name, field in fields if getattr(value, name) != field.get_default()}
        return {name: _plain(part) for name, part in parts.items()}
    return value


def only_right(runs: list[FinishedRun]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return, for each run, positions in the first run's test split that it alone gets right, and those that no run does.

    The others' most confident mistakes come first.
    """
    order = [{name: i for i, name in enumerate(run.predictions.names)} for run in runs]
    places = [np.array([own[name] for name in runs[0].predictions.names]) for own in order]
    right = np.array([run.predictions.correct[place] for run, place in zip(runs, places, strict=True)])
    sure = np.array([run.predictions.confidence[place] for run, place in zip(runs, places, strict=True)])
    certainty = np.where(right, 0.0, sure).max(axis=0)
    by_certainty = np.argsort(-certainty, kind="stable")
    alone = [
        by_certainty[(right[i] & ~np.delete(right, i, axis=0).any(axis=0))[by_certainty]] for i in range(len(runs))
    ]
    return alone, by_certainty[~right.any(axis=0)[by_certainty]]


def _differences(runs: list[FinishedRun], labels: list[str]) -> list[Difference | None]:
    first = _right_by_name(runs[0])
    tables = []
    for run in runs[1:]:
        mine = _right_by_name(run)
        only_first = sum(right and not mine[name] for name, right in first.items())
        only_this = sum(mine[name] and not right for name, right in first.items())
        tables.append((only_first, only_this))
    p_values = holm([mcnemar(*table) for table in tables])
    found: list[Difference | None] = [None]
    for label, (only_first, only_this), p_value in zip(labels[1:], tables, p_values, strict=True):
        difference = (only_this - only_first) / len(first)
        low, high = paired_interval(only_first, only_this, len(first))
        verdict = (
            "no difference can be claimed"
            if p_value >= SIGNIFICANT
            else f"{label if difference > 0 else labels[0]} is better on these images"
        )
        found.append(Difference(difference, low, high, only_first, only_this, p_value, verdict))
    return found


def _right_by_name(run: FinishedRun) -> dict[str, bool]:
    return dict(zip(run.predictions.names, run.predictions.correct.tolist(), strict=True))


def _labels(runs: list[FinishedRun]) -> list[str]:
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    numbered = [f"{run.name} {run.directory.path.name}" for run in runs]
    return numbered if len(set(numbered)) == len(numbered) else [str(run.directory.path) for run in runs]


def _same(runs: list[FinishedRun], split: str) -> bool:
    return len({run.manifest["data"]["identities"][split] for run in runs}) == 1


def _notes(runs: list[FinishedRun], labels: list[str]) -> list[str]:
    notes = []
    for run, label in zip(runs, labels, strict=True):
        notes += [f"Stand-in in {label}: {sentence}." for sentence in run.manifest["stand_ins"]]
    if not _same(runs, "test"):
        held = "; ".join(
            f"{label}: {len(run.predictions):,} of {run.manifest['data']['origin']}"
            for run, label in zip(runs, labels, strict=True)
        )
        notes.append(
            f"The test sets do not hold the same images ({held}), so that the test accuracies say nothing about which is "
            "better: no difference and no McNemar test."
        )
    if not _same(runs, "val"):
        notes.append("The val splits differ, so that curves and convergence are of different images.")
    if not _same(runs, "train"):
        notes.append("The runs learned from different training images.")
    machines = {(run.manifest["hardware"]["processor"], str(run.manifest["hardware"]["gpus"])) for run in runs}
    if len(machines) > 1:
        notes.append(f"Times are of different machines: {listing([m[0] for m in sorted(machines)])}.")
    notes.append(
        "One training each: the intervals say what other test images might change, not what another seed would."
    )
    return notes


def _totals(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if key != "per_class"}
