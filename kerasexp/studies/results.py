"""A study's finished runs, gathered by variant: figures over seeds, differences from the first variant, what failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kerasexp.config import Experiment, Study
from kerasexp.runs.finished import Curve, FinishedRun
from kerasexp.studies.seed_statistics import SeedDifference, Spread, differences_from_first, spread

# Shown side by side, and claimed by reports under the same names; as in Keras, a bare name is of the training images.
ACCURACIES = ("accuracy", "val_accuracy", "test_accuracy")
FIGURES = (*ACCURACIES, "test_macro_recall", "test_macro_f1", "epochs", "train_seconds")
COMPARED = ("test_accuracy", "val_accuracy")


@dataclass(frozen=True)
class Outcome:
    """How one run of a study ended.

    Attributes:
        variant, seed: which run.
        folder: its directory, relative to the study's.
        status: finished, failed, interrupted, or waiting where it has not begun.
        cause: what made it fail or stop.
    """

    variant: str
    seed: int
    folder: str
    status: str
    cause: str | None = None


@dataclass(frozen=True)
class VariantResults:
    """One variant's runs.

    Attributes:
        name: of the variant.
        experiment: as it was run, with the first seed.
        outcomes: one per seed.
        figures: those of `FIGURES` that its finished runs have, over the seeds; empty where none has finished.
        by_seed: the same, one by one.
        histories: the columns of each finished run's `history.csv`.
        parameters, flops: of the network; None where no run has finished.
        differences: for each of `COMPARED`, this variant less the first one; None for the first and without pairs.
    """

    name: str
    experiment: Experiment
    outcomes: list[Outcome]
    figures: dict[str, Spread]
    by_seed: dict[str, dict[int, float]]
    histories: list[Curve]
    parameters: int | None
    flops: int | None
    differences: dict[str, SeedDifference | None]

    @property
    def reported(self) -> dict[str, float | str]:
        return self.experiment.reported

    def off_reported(self, figure: str) -> float | None:
        """Return the mean of a figure less what is reported, or None where either is missing."""
        claimed, measured = self.reported.get(figure), self.figures.get(figure)
        return None if measured is None or not isinstance(claimed, int | float) else measured.mean - claimed


@dataclass(frozen=True)
class StudyResults:
    """Everything that a study's table and page show.

    Attributes:
        study: what was run.
        variants: in its order.
        notes: what a reader has to know before believing a figure.
    """

    study: Study
    variants: list[VariantResults]
    notes: list[str]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for variant in self.variants for outcome in variant.outcomes if outcome.status == "failed"]

    @property
    def unfinished(self) -> int:
        """How many runs have not finished, for whatever cause."""
        return sum(outcome.status != "finished" for variant in self.variants for outcome in variant.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "name": self.study.name,
            "status": "failed" if self.failed else "unfinished" if self.unfinished else "finished",
            "quick": self.study.quick,
            "seeds": self.study.seeds,
            "reference": self.variants[0].name,
            "notes": self.notes,
            "variants": [_variant_json(variant) for variant in self.variants],
        }


def gather(study: Study, outcomes: Iterable[Outcome], finished: dict[tuple[str, int], FinishedRun]) -> StudyResults:
    """Return a study's results so far.

    Args:
        study: what is being run.
        outcomes: of all its runs.
        finished: by variant and seed, those that have ended well.
    """
    outcomes = list(outcomes)
    figures = {name: _by_seed(name, finished) for name in study.variants}
    compared = {
        figure: differences_from_first({name: of.get(figure, {}) for name, of in figures.items()})
        for figure in COMPARED
    }
    variants = []
    for name, experiment in study.variants.items():
        runs = [run for (variant, _), run in finished.items() if variant == name]
        variants.append(
            VariantResults(
                name,
                experiment,
                [outcome for outcome in outcomes if outcome.variant == name],
                {figure: spread(list(values.values())) for figure, values in figures[name].items()},
                figures[name],
                [run.history for run in runs],
                runs[0].manifest["parameters"] if runs else None,
                runs[0].manifest.get("flops") if runs else None,
                {figure: differences[name] for figure, differences in compared.items()},
            )
        )
    return StudyResults(study, variants, list(_notes(study, outcomes, list(finished.values()))))


def _by_seed(name: str, finished: dict[tuple[str, int], FinishedRun]) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for (variant, seed), run in sorted(finished.items(), key=lambda item: item[0][1]):
        if variant == name:
            for figure, value in _figures(run).items():
                found.setdefault(figure, {})[seed] = value
    return found


def _figures(run: FinishedRun) -> dict[str, float]:
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


def _notes(study: Study, outcomes: list[Outcome], finished: list[FinishedRun]):
    for sentence in sorted({sentence for run in finished for sentence in run.manifest["stand_ins"]}):
        yield f"Stand-in: {sentence}"
    if study.quick:
        images = max((run.manifest["data"]["images"]["train"] for run in finished), default=0)
        yield (
            f"A quick look ({len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}, at most {images:,} training "
            "images): it shows that all works, and its figures stand for nothing else."
        )
    if missing := sum(outcome.status != "finished" for outcome in outcomes):
        yield f"{missing} of {len(outcomes)} runs have not finished."
    for sentence in sorted({run.manifest["data"]["absence"] for run in finished} - {None}):
        yield f"{sentence[0].upper()}{sentence[1:]}."
    if len({run.manifest["data"]["identities"]["test"] for run in finished}) > 1:
        yield "The test sets of the runs are not the same."


def _variant_json(variant: VariantResults) -> dict[str, Any]:
    return {
        "name": variant.name,
        "reported": variant.reported,
        "parameters": variant.parameters,
        "flops": variant.flops,
        "figures": {figure: asdict(found) for figure, found in variant.figures.items()},
        "differences": {
            figure: None if found is None else asdict(found) for figure, found in variant.differences.items()
        },
        "runs": [
            {**asdict(outcome), **{figure: values.get(outcome.seed) for figure, values in variant.by_seed.items()}}
            for outcome in variant.outcomes
        ],
    }
