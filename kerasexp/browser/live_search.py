"""What the page of a search shows while it runs: its trials so far, the best of them, and what each job does now.

It is read from the search's own files, without keras-tuner: `search.json` has the trials that have ended, `trial_ID/trial.json`
the values of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kerasexp.browser.live_job import LiveJob, digest, live_job
from kerasexp.browser.live_study import LiveStudy, live_study
from kerasexp.browser.run_folders import SUMMARIES, fingerprint
from kerasexp.browser.run_index import status_now
from kerasexp.config import Search
from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.config.search_section import OBJECTIVES, validated_settings
from kerasexp.config.setting_text import short_names, value_text
from kerasexp.config.space_section import SEARCH, Domain, Space, read_space
from kerasexp.config.yaml_text import read_yaml
from kerasexp.errors import KerasexpError
from kerasexp.saving.json_values import folder_below, number_of, text_of
from kerasexp.saving.saved_files import read_mapping
from kerasexp.search.budget import UNLIMITED, max_trials
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.domain_encoding import decoded
from kerasexp.search.results import SearchResults, Trial, axis_position, axis_ticks

# Searches whose files are kept in memory until they change.
MOST_KEPT = 8
# Characters of a value in a table.
LONGEST = 40


@dataclass(frozen=True)
class OpenTrial:
    """A trial that has not ended: its id, the texts of its values by domain, and what it does now."""

    id: str
    values: dict[str, str]
    job: LiveJob


@dataclass(frozen=True)
class LiveSearch:
    """A search, as far as it has come.

    Attributes:
        status: of the search.
        path: its directory, relative to the folder of all runs.
        results: the trials that have ended.
        written: another text whenever these change.
        open: the trials that have not ended.
        confirmation: the study that trains the winner again, and its path; None before it begins.
    """

    status: str
    path: str
    results: SearchResults
    written: str
    open: list[OpenTrial]
    confirmation: tuple[LiveStudy, str] | None

    @property
    def objective(self) -> str:
        return self.results.search.settings.objective

    @property
    def jobs(self) -> list[tuple[LiveJob, str]]:
        """What is being done now, and with which values."""
        trials = [
            (each.job, self._text(each.values)) for each in self.open if each.job.status in ("running", "starting")
        ]
        return trials + [(job, "") for job in (self.confirmation[0].jobs if self.confirmation else ())]

    @property
    def most(self) -> int | None:
        """The largest number of trials; None if the budget or the algorithm decides."""
        most = max_trials(self.results.search)
        return most if most < UNLIMITED else None

    @property
    def version(self) -> str:
        """Another text whenever something has changed but the positions of the jobs."""
        return digest(self.written, *(f"{each.id} {each.job.status}" for each in self.open))

    @cached_property
    def names(self) -> dict[str, str]:
        """Short names of the domains."""
        return short_names(self.results.search.space.domains)

    def best_text(self) -> str:
        """Return the values of the best trial on one line."""
        return self._text(_texts(self.results.best.values))

    def rows(self) -> list[tuple[Trial, list[str]]]:
        """Return the trials that have ended, the best first, with the texts of their values."""
        ranked = self.results.ranked
        placed = {trial.id for trial in ranked}
        others = [trial for trial in self.results.trials if trial.id not in placed]
        return [(trial, self.cells(_texts(trial.values))) for trial in (*ranked, *others)]

    def cells(self, texts: dict[str, str]) -> list[str]:
        """Return the texts of a trial's values, one for each domain; `–` where one is not active."""
        return [texts.get(name, "–") for name in self.names]

    def best_so_far(self) -> dict[str, Any]:
        """Return the score of each trial and the best so far, over the minutes of the search."""
        trials = self.results.trials
        return {
            "objective": self.objective,
            "minutes": [trial.ended / 60 for trial in trials],
            "scores": [trial.score for trial in trials],
            "best": self.results.best_so_far(),
            "trials": [trial.id for trial in trials],
        }

    def parallel(self) -> dict[str, Any]:
        """Return the axes of the parallel coordinates, and where each finished trial crosses them, from 0 to 1.

        The score is the last axis; `share` is the share of the trials that are not better, by which lines are coloured.
        """
        ranked = self.results.ranked
        domains = list(self.results.search.space.domains.values())
        epochs, scores = [float(trial.epochs) for trial in ranked], [trial.score for trial in ranked]
        measured = [*([("epochs trained", epochs)] if len(set(epochs)) > 1 else []), (self.objective, scores)]
        columns = [[axis_position(domain, trial.values) for trial in ranked] for domain in domains]
        columns += [_places(values) for _, values in measured]
        trials = [
            {
                "id": trial.id,
                "at": [None if column[k] < 0 else column[k] for column in columns],
                "text": f"trial {trial.id}: {self.objective} {trial.score:.4f}, {self._text(_texts(trial.values))}",
                "share": 1 - k / max(len(ranked) - 1, 1),
            }
            for k, trial in enumerate(ranked)
        ]
        axes = [_axis(domain, self.names[domain.name]) for domain in domains]
        return {"axes": axes + [_measured_axis(*each) for each in measured], "trials": trials}

    def _text(self, texts: dict[str, str]) -> str:
        return ", ".join(f"{self.names[name]} {text}" for name, text in texts.items())


def _places(values: list[float]) -> list[float]:
    """Return the places of measured numbers between the smallest and the largest of them."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _measured_axis(name: str, values: list[float]) -> dict[str, Any]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    ticks = [[0.0, f"{low:.4g}"], [1.0, f"{high:.4g}"]] if high > low else [[0.5, f"{low:.4g}"]]
    return {"name": name, "key": name, "ticks": ticks, "low": low, "high": high, "log": False}


def _axis(domain: Domain, name: str) -> dict[str, Any]:
    """Return an axis; that of a choice has no ends, and one tick for each value."""
    found = {"name": name, "key": domain.name, "ticks": axis_ticks(domain)}
    if domain.kind in ("choice", "bool"):
        return found
    return {**found, "low": domain.low, "high": domain.high, "log": domain.log, "whole": domain.kind == "int"}


def live_search(place: Path, path: str) -> LiveSearch | None:
    """Return how far the search in a directory has come; None if its files cannot be read, as those of another version.

    Args:
        place: the directory.
        path: the same, relative to the folder of all runs.
    """
    written = fingerprint(*_files(place))
    found = _ended(place, written)
    if found is None:
        return None
    state, results = found
    status = status_now(place, state)
    ended = {trial.id for trial in results.trials}
    folders = sorted(folder for folder in place.glob("trial_*") if folder.name.removeprefix("trial_") not in ended)
    opened = [trial for folder in folders if (trial := _open_trial(folder, path, results, status == "running"))]
    best = results.best
    study = None if best is None else folder_below(place / "confirmation", best.id)
    confirmation = None
    if study is not None and (study / SUMMARIES["study"]).is_file():
        below = _below(path, f"confirmation/{best.id}")
        confirmation = live_study(study, below), below
    return LiveSearch(status, path, results, written, opened, confirmation)


def _files(place: Path) -> tuple[Path, Path]:
    directory = SearchDirectory(place)
    return directory.summary, directory.yaml


@lru_cache(MOST_KEPT)
def _ended(place: Path, written: str) -> tuple[str, SearchResults] | None:
    """Return state and results of a search; `written` is the fingerprint of its files."""
    summary, resolved = _files(place)
    content = read_mapping(summary)
    try:
        keys = read_yaml(resolved)
        settings = validated_settings(keys.pop(SEARCH, None), {}, resolved)
        space = read_space(keys, settings.variables, str(resolved), {})
        search = Search(str(keys.get("name")), settings, space, None, ExecutionKeys(), resolved, {})
        trials = [trial for found in content.get("trials", []) if (trial := _trial(found, space)) is not None]
    except (KerasexpError, AttributeError, TypeError, ValueError, OverflowError):
        return None
    state = text_of(content.get("status"), "unfinished")
    return state, SearchResults(search, OBJECTIVES[settings.objective], trials)


def _trial(found: Any, space: Space) -> Trial | None:
    """Return a trial that has ended; None if it is none of this space, or cannot be drawn, which must not hide the others."""
    try:
        shown = {key: text_of(value) if isinstance(value, str) else value for key, value in found.items()}
        trial = _trials().validate_python(vars(Trial(**shown)))
        # Numbers of an earlier version may lie past an end, by rounding.
        values = {name: space.domains[name].nearest(value) for name, value in trial.values.items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    score = number_of(trial.score)
    is_held = all(space.domains[name].holds(value) for name, value in values.items())
    if not is_held or number_of(trial.ended) is None or (score is None and trial.status == "finished"):
        return None
    curve = [value for value in trial.curve if number_of(value) is not None]
    return replace(trial, values=values, score=score, curve=curve)


@cache
def _trials() -> TypeAdapter[Trial]:
    return TypeAdapter(Trial)


def _open_trial(folder: Path, path: str, results: SearchResults, is_running: bool) -> OpenTrial | None:
    """Return a trial that has not ended; None if its file cannot be read, such as while it is written first."""
    domains = results.search.space.domains
    try:
        given = read_mapping(folder / "trial.json")["hyperparameters"]["values"]
        values = {name: decoded(domains[name], value) for name, value in given.items() if name in domains}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    id = folder.name.removeprefix("trial_")
    absent = "starting" if is_running else "waiting"
    job = live_job(f"trial {id}", folder / "run", _below(path, f"{folder.name}/run"), absent)
    if is_running and job.status == "finished":
        # Its files are written; the search has not noted its score yet.
        job = LiveJob(job.name, job.path, "running", "evaluating", 1.0)
    active = results.search.space.active(values)
    return OpenTrial(id, _texts(active), job)


def _texts(values: dict[str, Any]) -> dict[str, str]:
    texts = {name: value_text(value) for name, value in values.items()}
    return {name: text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for name, text in texts.items()}


def _below(path: str, folder: str) -> str:
    return folder if path == "." else f"{path}/{folder}"
