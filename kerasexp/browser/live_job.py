"""What one run of a study, or one trial of a search, does now, and what it has given so far, from its own files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kerasexp.browser.live_run import Column, read_columns
from kerasexp.browser.run_folders import fingerprint
from kerasexp.browser.run_index import status_now
from kerasexp.console import Position
from kerasexp.console.shown_words import duration_text
from kerasexp.saving.json_values import mapping_of, number_of, text_of
from kerasexp.saving.saved_files import RunFiles, read_mapping
from kerasexp.saving.training_progress import read_progress

# Runs whose files are kept in memory until they change.
MOST_KEPT = 2000
# What a job does before and after its training, in which it writes no progress.
STARTING, EVALUATING = "preparing its data and its model", "evaluating"


@dataclass(frozen=True)
class LiveJob:
    """A run of a study or a trial of a search.

    Attributes:
        name: for readers.
        path: its directory relative to the folder of all runs; empty if it has none yet.
        status: running, finished, failed, killed, interrupted, starting or waiting.
        doing: what it does now; empty if it does not run.
        share: of its training that is done; None if it is not known.
        cause: why it failed; empty otherwise.
    """

    name: str
    path: str
    status: str
    doing: str = ""
    share: float | None = None
    cause: str = ""


@dataclass(frozen=True)
class RunFacts:
    """What the files of a run have, apart from its position.

    Attributes:
        state: the status that was written last; empty without a manifest.
        cause: why it failed; empty otherwise.
        metrics: the content of `metrics.json`; empty if it has not finished.
        history: the columns of `history.csv`.
        written: changes whenever one of the files does.
    """

    state: str
    cause: str
    metrics: dict[str, Any]
    history: dict[str, Column]
    written: str


def run_facts(place: Path) -> RunFacts:
    """Return what the files of a run have; they are read again only after they have changed."""
    run = RunFiles(place)
    return _run_facts(place, fingerprint(run.manifest, run.metrics, run.history))


@lru_cache(MOST_KEPT)
def _run_facts(place: Path, written: str) -> RunFacts:
    run = RunFiles(place)
    manifest = run.read_manifest()
    metrics = read_mapping(run.metrics)
    of_splits = {split: number_of(mapping_of(metrics.get(split)).get("accuracy")) for split in ("val", "test")}
    kept = {**of_splits, **{key: number_of(metrics.get(key)) for key in ("epochs", "train_seconds")}}
    cause = text_of(manifest.get("cause"))
    return RunFacts(text_of(manifest.get("status")), cause, kept if metrics else {}, read_columns(run.history), written)


def live_job(name: str, place: Path, path: str, absent: str) -> LiveJob:
    """Return what a job does now.

    Args:
        name: for readers.
        place: its directory, which may not exist yet.
        path: the same, relative to the folder of all runs.
        absent: its status without a directory: starting or waiting.
    """
    facts = run_facts(place)
    if not facts.state:
        return LiveJob(name, "", absent, STARTING if absent == "starting" else "")
    status = status_now(place, facts.state)
    if status != "running":
        return LiveJob(name, path, status, cause=facts.cause if status == "failed" else "")
    progress = read_progress(RunFiles(place).progress)
    if progress is None:
        return LiveJob(name, path, status, EVALUATING if facts.history else STARTING)
    return LiveJob(name, path, status, _doing(progress.position), progress.position.share)


def digest(*texts: str) -> str:
    """Return a short text that is another one when any of these is."""
    return hashlib.blake2s("\n".join(texts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _doing(at: Position) -> str:
    """Return epoch, step and the time that is left, for readers."""
    if at.phase == "validating":
        return f"validating after epoch {at.epoch} of {at.epochs}"
    text = f"epoch {at.epoch} of {at.epochs}, step {at.step:,} of {at.steps:,}"
    return text if at.seconds_left is None else f"{text}, about {duration_text(at.seconds_left)} left"
