"""What the page of a study shows while it runs: its variants and seeds, their means so far, and what each job does now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasexp.browser.live_job import LiveJob, RunFacts, digest, live_job, run_facts
from kerasexp.browser.run_folders import SUMMARIES
from kerasexp.browser.run_index import status_now
from kerasexp.saving.json_values import folder_below, mapping_of, mappings_of, number_of, text_of
from kerasexp.saving.saved_files import read_mapping

# Lines of a plot that can still be told apart.
MOST_LINES = 12


@dataclass(frozen=True)
class StudyRun:
    """One run of a study: its variant and seed, what it does now, and what its files have."""

    variant: str
    seed: int
    job: LiveJob
    facts: RunFacts

    def metric(self, split: str) -> float | None:
        """Return the accuracy on a split; on val of an unfinished run, that of its last epoch."""
        if self.facts.metrics:
            return self.facts.metrics[split]
        last = self.facts.history.get("val_accuracy") if split == "val" else None
        return last[-1] if last else None

    @property
    def epochs(self) -> int:
        return len(self.facts.history.get("epoch", ()))


@dataclass(frozen=True)
class LiveVariant:
    """A variant of a study.

    Attributes:
        name: of the variant.
        runs: one for each seed.
        means: by split, mean and interval of the accuracy over the seeds that have finished: of `studies.seed_statistics`.
        reported: the accuracy on the test split that a paper reports, or None.
    """

    name: str
    runs: list[StudyRun]
    means: dict[str, Any]
    reported: float | None

    @property
    def finished(self) -> int:
        return sum(run.job.status == "finished" for run in self.runs)

    @property
    def status(self) -> str:
        """The status that says most about its runs."""
        held = {run.job.status for run in self.runs}
        order = ("running", "starting", "failed", "killed", "interrupted", "waiting", "finished")
        return next((status for status in order if status in held), "waiting")


@dataclass(frozen=True)
class LiveStudy:
    """A study, as far as it has come."""

    status: str
    variants: list[LiveVariant]

    @property
    def runs(self) -> list[StudyRun]:
        return [run for variant in self.variants for run in variant.runs]

    @property
    def jobs(self) -> list[LiveJob]:
        """What is being done now."""
        return [run.job for run in self.runs if run.job.status in ("running", "starting")]

    @property
    def finished(self) -> int:
        return sum(variant.finished for variant in self.variants)

    @property
    def share(self) -> float:
        """The share of its runs that is done."""
        done = self.finished + sum(run.job.share or 0 for run in self.runs if run.job.status == "running")
        return done / max(len(self.runs), 1)

    @property
    def version(self) -> str:
        """Another text whenever something has changed but the positions of the jobs."""
        return digest(*(f"{run.job.status} {run.facts.written}" for run in self.runs))

    def curves(self) -> list[dict[str, Any]]:
        """Return the accuracy on val after each epoch for the first variants: means over the seeds that have come so far."""
        found = []
        for variant in self.variants[:MOST_LINES]:
            held = [curve for run in variant.runs if (curve := run.facts.history.get("val_accuracy"))]
            means = [
                _mean([curve[k] for curve in held if k < len(curve)]) for k in range(max(map(len, held), default=0))
            ]
            if means:
                found.append({"label": variant.name, "x": list(range(1, len(means) + 1)), "y": means})
        return found


def live_study(place: Path, path: str) -> LiveStudy:
    """Return how far the study in a directory has come.

    Args:
        place: the directory.
        path: the same, relative to the folder of all runs.
    """
    study = read_mapping(place / SUMMARIES["study"])
    status = status_now(place, text_of(study.get("status"), "unfinished"))
    variants = [_variant(each, place, path, status == "running") for each in mappings_of(study.get("variants"))]
    return LiveStudy(status, variants)


def _variant(variant: dict[str, Any], place: Path, path: str, is_running: bool) -> LiveVariant:
    outcomes = mappings_of(variant.get("runs"))
    runs = [run for outcome in outcomes if (run := _run(outcome, place, path, is_running)) is not None]
    means = {}
    for split in ("val", "test"):
        finished = [run.metric(split) for run in runs if run.job.status == "finished"]
        values = [value for value in finished if value is not None]
        means[split] = _spread(values) if values else None
    reported = number_of(mapping_of(variant.get("reported")).get("test_accuracy"))
    return LiveVariant(text_of(variant.get("name"), "?"), runs, means, reported)


def _spread(values: Sequence[float]) -> Any:
    from kerasexp.studies.seed_statistics import spread

    return spread(values)


def _run(outcome: dict[str, Any], place: Path, path: str, is_running: bool) -> StudyRun | None:
    """Return a run; None if the summary does not say which, or names a folder outside the study."""
    variant, seed, folder = text_of(outcome.get("variant"), "?"), outcome.get("seed"), outcome.get("folder")
    own = folder_below(place, folder)
    if own is None or own == place or not isinstance(seed, int):
        return None
    # The file beside it takes what the run prints, from its start.
    absent = "starting" if is_running and own.with_suffix(".log").exists() else "waiting"
    job = live_job(f"{variant}, seed {seed}", own, folder if path == "." else f"{path}/{folder}", absent)
    if job.status in ("starting", "waiting") and outcome.get("status") == "failed":
        # It failed before it had a directory; its log is there.
        job = LiveJob(job.name, "", "failed", cause=text_of(outcome.get("cause")))
    return StudyRun(variant, seed, job, run_facts(own))


def _mean(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
