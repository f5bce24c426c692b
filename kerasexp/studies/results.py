"""The results of a study by variant: metrics over seeds, differences from the first variant, failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kerasexp.comparison.comparison_notes import Note
from kerasexp.config import Experiment, Study
from kerasexp.errors import listing
from kerasexp.runs.finished_run import Curve, FinishedRun
from kerasexp.studies.seed_statistics import SeedDifference, Spread, differences_from_first, spread

# Shown side by side; papers' metrics have the same names. As in Keras, a name without a split is of the training images.
ACCURACIES = ("accuracy", "val_accuracy", "test_accuracy")
METRICS = (*ACCURACIES, "test_macro_recall", "test_macro_f1", "epochs", "train_seconds")
COMPARED = {"test": "test_accuracy", "val": "val_accuracy"}


@dataclass(frozen=True)
class RunOutcome:
    """How one run of a study ended.

    Attributes:
        variant, seed: which run.
        folder: its directory, relative to the study's.
        status: finished, failed, interrupted, or waiting if it has not started.
        cause: why it failed.
    """

    variant: str
    seed: int
    folder: str
    status: str
    cause: str | None = None


@dataclass(frozen=True)
class VariantResults:
    """The runs of one variant.

    Attributes:
        name: of the variant.
        experiment: with the first seed.
        outcomes: one per seed.
        metrics: those of `METRICS`, over the seeds that have finished; empty if none has.
        by_seed: the same metrics by name and seed.
        histories: the columns of `history.csv` of each finished run.
        parameters, flops: of the network; None if no run has finished.
        differences: for each of `COMPARED`, this variant minus the first; None for the first, without common seeds, and where
            the two were measured on different images.
    """

    name: str
    experiment: Experiment
    outcomes: list[RunOutcome]
    metrics: dict[str, Spread]
    by_seed: dict[str, dict[int, float]]
    histories: list[Curve]
    parameters: int | None
    flops: int | None
    differences: dict[str, SeedDifference | None]

    @property
    def reported(self) -> dict[str, float | str]:
        """The metrics of the paper."""
        return self.experiment.reported

    def difference_from_paper(self, metric: str) -> float | None:
        """Return the mean of a metric minus the paper's value, or None if either is missing."""
        reported, measured = self.reported.get(metric), self.metrics.get(metric)
        return None if measured is None or not isinstance(reported, int | float) else measured.mean - reported


@dataclass(frozen=True)
class StudyResults:
    """Everything that the table and the page of a study show.

    Attributes:
        study: what was run.
        variants: in the order of the study.
        notes: what a reader has to know before trusting the metrics.
    """

    study: Study
    variants: list[VariantResults]
    notes: list[Note]

    @property
    def failed(self) -> list[RunOutcome]:
        return [outcome for variant in self.variants for outcome in variant.outcomes if outcome.status == "failed"]

    @property
    def unfinished(self) -> int:
        """The number of runs that have not finished."""
        return sum(outcome.status != "finished" for variant in self.variants for outcome in variant.outcomes)

    def to_json(self, is_over: bool = True) -> dict[str, Any]:
        """Return everything as plain JSON values; a study that is not over is unfinished, whatever its runs are."""
        status = "failed" if self.failed else "unfinished" if self.unfinished else "finished"
        return {
            "name": self.study.name,
            "status": status if is_over else "unfinished",
            "quick": self.study.quick,
            "seeds": self.study.seeds,
            "reference": self.variants[0].name,
            "notes": [note.text for note in self.notes],
            "variants": [_variant_json(variant) for variant in self.variants],
        }


def gather_results(
    study: Study, outcomes: Iterable[RunOutcome], finished: dict[tuple[str, int], FinishedRun]
) -> StudyResults:
    """Return the results of a study so far.

    Args:
        study: what is being run.
        outcomes: one per run.
        finished: the runs that have finished, by variant and seed.
    """
    outcomes = list(outcomes)
    metrics = {name: metrics_by_seed(name, finished) for name in study.variants}
    elsewhere = {split: _measured_elsewhere(split, study, finished) for split in COMPARED}
    compared = {
        metric: differences_from_first(
            {name: {} if name in elsewhere[split] else found.get(metric, {}) for name, found in metrics.items()}
        )
        for split, metric in COMPARED.items()
    }
    variants = []
    for name, experiment in study.variants.items():
        runs = [run for (variant, _), run in finished.items() if variant == name]
        variants.append(
            VariantResults(
                name,
                experiment,
                [outcome for outcome in outcomes if outcome.variant == name],
                {metric: spread(list(values.values())) for metric, values in metrics[name].items()},
                metrics[name],
                [run.history for run in runs],
                runs[0].manifest["parameters"] if runs else None,
                runs[0].manifest.get("flops") if runs else None,
                {metric: differences[name] for metric, differences in compared.items()},
            )
        )
    return StudyResults(study, variants, list(_notes(study, outcomes, list(finished.values()), elsewhere)))


def _measured_elsewhere(split: str, study: Study, finished: dict[tuple[str, int], FinishedRun]) -> list[str]:
    """Return the variants whose runs have other images in a split than those of the first."""
    sets: dict[str, set[str]] = {name: set() for name in study.variants}
    for (name, _), run in finished.items():
        sets[name].add(run.manifest["data"]["identities"][split])
    first, *others = study.variants
    return [name for name in others if sets[first] and sets[name] and len(sets[first] | sets[name]) > 1]


def metrics_by_seed(name: str, finished: dict[tuple[str, int], FinishedRun]) -> dict[str, dict[int, float]]:
    """Return the metrics of a variant's finished runs, each with its values by seed.

    Args:
        name: of the variant.
        finished: the runs that have finished, by variant and seed.
    """
    found: dict[str, dict[int, float]] = {}
    for seed in sorted(seed for variant, seed in finished if variant == name):
        for metric, value in _metrics(finished[name, seed]).items():
            found.setdefault(metric, {})[seed] = value
    return found


def _metrics(run: FinishedRun) -> dict[str, float]:
    metrics, history = run.metrics, run.history
    kept = int(np.searchsorted(history["epoch"], metrics["kept_epoch"]))
    return {
        "accuracy": float(history["accuracy"][kept]),
        "val_accuracy": metrics["val"]["accuracy"],
        "test_accuracy": metrics["test"]["accuracy"],
        "test_macro_recall": metrics["test"]["macro_recall"],
        "test_macro_f1": metrics["test"]["macro_f1"],
        "epochs": metrics["epochs"],
        "train_seconds": metrics["train_seconds"],
    }


def _notes(
    study: Study, outcomes: list[RunOutcome], finished: list[FinishedRun], elsewhere: dict[str, list[str]]
) -> Iterator[Note]:
    for sentence in sorted({sentence for run in finished for sentence in run.manifest["stand_ins"]}):
        yield Note("warning", f"Stand-in: {sentence}")
    if study.quick:
        images = max((run.manifest["data"]["images"]["train"] for run in finished), default=0)
        yield Note(
            "warning",
            f"A quick study ({len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}, at most {images:,} training "
            "images): it only checks that everything works. Do not use its metrics.",
        )
    if missing := sum(outcome.status != "finished" for outcome in outcomes):
        yield Note("warning", f"{missing} of {len(outcomes)} runs have not finished.")
    for sentence in sorted({run.manifest["data"]["absence"] for run in finished} - {None}):
        yield Note("warning", f"{sentence[0].upper()}{sentence[1:]}.")
    if not elsewhere["test"] and len({run.manifest["data"]["identities"]["test"] for run in finished}) > 1:
        yield Note("warning", "The runs have different test sets.")
    for split, names in elsewhere.items():
        if names:
            first, kind = next(iter(study.variants)), "warning" if split == "test" else "remark"
            yield Note(
                kind, f"{listing(names)}: other {split} images than {first}, so no difference on {split} is given."
            )


def _variant_json(variant: VariantResults) -> dict[str, Any]:
    return {
        "name": variant.name,
        "reported": variant.reported,
        "parameters": variant.parameters,
        "flops": variant.flops,
        "metrics": {metric: asdict(found) for metric, found in variant.metrics.items()},
        "differences": {
            metric: None if found is None else asdict(found) for metric, found in variant.differences.items()
        },
        "runs": [
            {**asdict(outcome), **{metric: values.get(outcome.seed) for metric, values in variant.by_seed.items()}}
            for outcome in variant.outcomes
        ],
    }
