"""Finished runs side by side: metrics, differences on the same test images, convergence, conclusions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasexp.comparison.comparison_notes import Note
from kerasexp.comparison.convergence_comparison import Convergence, Curve, convergence
from kerasexp.config import Experiment
from kerasexp.config.section_base import Section
from kerasexp.errors import listing
from kerasexp.evaluation.paired_difference import Difference, differences
from kerasexp.runs.finished_run import FinishedRun


@dataclass(frozen=True)
class Comparison:
    """Everything that the table and the page of a comparison show.

    Attributes:
        runs: in the order given; the others are compared with the first.
        labels: a unique name for each.
        differences: one per run; None for the first, and for all if the test sets differ.
        curves: val accuracy and loss of each run, for the convergence: the early curve if all runs have one, else by epoch.
        best: best val accuracy on any of these curves.
        convergences: one per run.
        notes: what a reader has to know before trusting a difference.
    """

    runs: list[FinishedRun]
    labels: list[str]
    differences: list[Difference | None]
    curves: list[Curve]
    best: float
    convergences: list[Convergence]
    notes: list[Note]

    @property
    def same_test(self) -> bool:
        return _same(self.runs, "test")

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "reference": self.labels[0],
            "notes": [note.text for note in self.notes],
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
            "flops": run.manifest.get("flops"),  # runs of the first versions have none
            "epochs": run.metrics["epochs"],
            "train_seconds": run.metrics["train_seconds"],
            "val": _totals(run.metrics["val"]),
            "test": _totals(run.metrics["test"]),
            **training_summary(run),
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
    return Comparison(runs, labels, differences, curves, best, convergences, list(_notes(runs, labels)))


def training_summary(run: FinishedRun) -> dict[str, float]:
    """Return best epoch, lowest loss, last accuracies, and the gap between train and val accuracy in the last epoch.

    The best epoch has the highest accuracy on val; a tie goes to the lowest val_loss, then to the last epoch.
    """
    history = run.history
    accuracy, loss = (np.nan_to_num(x, nan=-np.inf) for x in (history["val_accuracy"], -history["val_loss"]))
    return {
        "best_epoch": int(history["epoch"][np.lexsort((history["epoch"], loss, accuracy))[-1]]),
        "lowest_val_loss": float(np.nanmin(history["val_loss"])),
        "last_train_accuracy": float(history["accuracy"][-1]),
        "last_val_accuracy": float(history["val_accuracy"][-1]),
        "gap": float(history["accuracy"][-1] - history["val_accuracy"][-1]),
    }


def settings_that_differ(runs: list[FinishedRun]) -> dict[str, list[Any]]:
    """Return, by dotted key, each run's value of what differs between the experiments, except for names and papers' metrics.

    An upstream experiment is given by its name; a section by its values that are not the default.
    """
    experiments = [run.experiment for run in runs]
    fields = Experiment.model_fields.keys() - {"name", "reported", "report", "track"}
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


def exclusively_correct(runs: list[FinishedRun]) -> tuple[list[np.ndarray], np.ndarray]:
    """Find the test images that a single run, or no run, classifies correctly.

    Returns:
        Per run, positions in the first run's test split of the images that only this run classifies correctly; and the
        positions of those that no run does. Those on which another run errs most confidently come first.
    """
    order = [{name: i for i, name in enumerate(run.predictions.names)} for run in runs]
    places = [np.array([own[name] for name in runs[0].predictions.names]) for own in order]
    correct = np.array([run.predictions.correct[place] for run, place in zip(runs, places, strict=True)])
    confidence = np.array([run.predictions.confidence[place] for run, place in zip(runs, places, strict=True)])
    ranking = np.argsort(-np.where(correct, 0.0, confidence).max(axis=0), kind="stable")
    alone = [ranking[(correct[i] & ~np.delete(correct, i, axis=0).any(axis=0))[ranking]] for i in range(len(runs))]
    return alone, ranking[~correct.any(axis=0)[ranking]]


def _differences(runs: list[FinishedRun], labels: list[str]) -> list[Difference | None]:
    names = runs[0].predictions.names
    first, *others = ([found[name] for name in names] for found in map(_correct_by_name, runs))
    return [None, *differences(np.array(first), [np.array(other) for other in others], labels)]


def _correct_by_name(run: FinishedRun) -> dict[str, bool]:
    return dict(zip(run.predictions.names, run.predictions.correct.tolist(), strict=True))


def _labels(runs: list[FinishedRun]) -> list[str]:
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    numbered = [f"{run.name} {run.directory.path.name}" for run in runs]
    return numbered if len(set(numbered)) == len(numbered) else [str(run.directory.path) for run in runs]


def _same(runs: list[FinishedRun], split: str) -> bool:
    return len({run.manifest["data"]["identities"][split] for run in runs}) == 1


def _notes(runs: list[FinishedRun], labels: list[str]) -> Iterator[Note]:
    for run, label in zip(runs, labels, strict=True):
        yield from (Note("warning", f"Stand-in in {label}: {sentence}.") for sentence in run.manifest["stand_ins"])
    if not _same(runs, "test"):
        held = "; ".join(
            f"{label}: {len(run.predictions):,} of {run.manifest['data']['origin']}"
            for run, label in zip(runs, labels, strict=True)
        )
        yield Note(
            "warning",
            f"The test sets do not hold the same images ({held}). Their accuracies do not show which run is better, so there is "
            "no difference and no McNemar test.",
        )
    if not _same(runs, "val"):
        yield Note("remark", "The val splits differ, so curves and convergence are of different images.")
    if not _same(runs, "train"):
        yield Note("remark", "The runs were trained on different images.")
    machines = {_machine(run.manifest["hardware"]) for run in runs}
    if len(machines) > 1:
        yield Note("remark", f"Times are of different machines: {listing(sorted(machines))}.")
    yield Note(
        "remark", "Each run is one training: the intervals cover the choice of test images, not the choice of the seed."
    )


def _machine(hardware: dict[str, Any]) -> str:
    """Return what decides the speed of a machine, in words."""
    processor, instructions = hardware["processor"], hardware.get("instructions")
    return ", ".join([f"{processor} ({instructions})" if instructions else processor, *hardware["gpus"]])


def _totals(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if key != "per_class"}
