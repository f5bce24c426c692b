"""A search: an experiment with domains in place of values, and the settings of the search."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kerasexp.config.code_keys import code_digests, custom_parts
from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.config.experiment import Experiment
from kerasexp.config.report_rules import labels_exclude_a_class
from kerasexp.config.section_base import Section, Seed
from kerasexp.config.section_validation import validated
from kerasexp.config.space_section import SEARCH, Space, Values, read_space
from kerasexp.config.track_section import TRACK, Track, read_track
from kerasexp.config.yaml_loading import load_experiment, locate_files, named_file, resolved
from kerasexp.config.yaml_merging import SHORT_FORMS
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.errors import Problem, UserError, listing

# By objective, the metric of `val` and its better direction.
OBJECTIVES = {"val_accuracy": ("accuracy", "max"), "val_macro_f1": ("macro_f1", "max"), "val_loss": ("loss", "min")}
# Most combinations of extreme values that are validated before a search begins.
MOST_CORNERS = 200
# Most values of a corner in one message.
MOST_VALUES = 5


class SearchKeys(Section):
    """The settings of a search; `run` does not read them."""

    algorithm: Literal["random", "bayesian", "hyperband", "grid"] = Field(
        "bayesian",
        description="The oracle of keras-tuner that proposes values; random: any; bayesian: those that a Gaussian process expects "
        "to be best; hyperband: many that train for a few epochs, the best of which train for more; grid: every combination.",
    )
    objective: Literal["val_accuracy", "val_macro_f1", "val_loss"] = Field(
        "val_accuracy",
        description="The metric to optimise. A trial keeps the epoch that is best by it, unless `training.checkpoint` has a "
        "monitor or keeps the last. val_macro_f1 is measured once, for the epoch that is best by val_accuracy.",
    )
    max_trials: int | None = Field(
        None, ge=1, le=10_000, description="Number of trials; null: 30, or with grid and hyperband all."
    )
    max_epochs: int | None = Field(None, ge=1, description="No trial begins after this many epochs of all trials.")
    max_minutes: float | None = Field(
        None, gt=0, description="No trial begins after this many minutes of all processes of the search."
    )
    seed: Seed = Field(0, description="Seed of the proposals.")
    initial: int | None = Field(
        None, ge=2, description="bayesian: number of random trials at the start; null: 3 for each domain."
    )
    factor: int = Field(3, ge=2, le=10, description="hyperband: factor of the epochs from round to round.")
    iterations: int = Field(1, ge=1, le=100, description="hyperband: number of passes through its rounds.")
    keep: int = Field(3, ge=1, description="Number of best trials whose checkpoints are kept.")
    variables: dict[str, Any] = Field({}, description="Domains that only conditions (`when`) refer to.")
    confirm: list[Seed] = Field([0, 1, 2], description="Seeds with which the winner is trained again; [] for none.")
    against: str | None = Field(None, description="YAML file of an experiment to compare with, over the same seeds.")


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        name: name of the search, and of the experiment of each trial.
        settings: the section `search`.
        space: the domains.
        against: the experiment that the winner is compared with.
        execution: the executor of its trials.
        place: the file.
        files: the file that each key is from.
        code: digests of the code of users when the search was read, by reference.
    """

    name: str
    settings: SearchKeys
    space: Space
    against: Experiment | None
    execution: ExecutionKeys
    place: Path
    files: dict[tuple, str] = field(compare=False)
    code: dict[str, str] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        domains = listing(f"{name}: {domain}" for name, domain in self.space.domains.items())
        return f"<Search {self.name}: {domains}>"

    @property
    def track(self) -> Track:
        """The trackers of all its trials."""
        return read_track(self.space.raw)

    def experiment(self, values: Values, epochs: int | None = None) -> Experiment:
        """Return the experiment with these values for its domains, trained for `epochs` if that is given.

        Raises:
            UserError: the experiment is not valid, or code of users has changed since the search was read.
        """
        raw = self.space.keys_at(values)
        _monitor_objective(raw, self.settings.objective)
        found = resolved(raw, dict(self.files), (), self.place.parent, self.place)
        for key, part in custom_parts(found):
            if self.code.get(part.name, part.digest) != part.digest:
                message = "has changed since the search began, whose trials would not be comparable"
                raise UserError(Problem(message, part.name, key))
        if epochs is not None:
            found = found.model_copy(update={"training": found.training.model_copy(update={"epochs": epochs})})
        return found


def read_search(
    raw: dict[str, Any], settings: Any, files: dict[tuple, str], path: Path, execution: ExecutionKeys
) -> Search:
    """Make a search from the keys of an experiment, some of them domains, and the section `search`.

    Raises:
        UserError: with every problem, including those of some values only.
    """
    settings = validated_settings(settings, files, path)
    # A search that is saved elsewhere names the same files.
    locate_files(raw, path)
    space = read_space(raw, settings.variables, str(path), files)
    against = None
    if settings.against is not None:
        found = named_file(settings.against, path, f"{SEARCH}.against")
        settings, against = settings.model_copy(update={"against": str(found)}), load_experiment(found)
    search = Search(raw["name"], settings, space, against, execution, path, files, code_digests(raw))
    if problems := _problems(search):
        raise UserError(*problems)
    return search


def _monitor_objective(raw: dict[str, Any], objective: str) -> None:
    """Let a trial keep the epoch that is best by the objective, unless the experiment names a monitor itself.

    Macro F1 is not measured after each epoch: of such a search, the epoch with the best accuracy is kept.
    """
    training = raw.get("training", {})
    if objective != "val_macro_f1" and isinstance(training, dict):
        checkpoint = SHORT_FORMS["checkpoint"].in_full(training.get("checkpoint", {}))
        if isinstance(checkpoint, dict):
            raw["training"] = {**training, "checkpoint": {"monitor": objective, **checkpoint}}


class _Sections(Section):
    search: SearchKeys


def validated_settings(raw: Any, files: dict[tuple, str], path: Path) -> SearchKeys:
    """Return the section `search`; raise UserError with every problem in it."""
    return validated(_Sections, {SEARCH: {} if raw is None else raw}, str(path), files).search


def search_yaml(search: Search) -> str:
    """Return a search as YAML: its keys with the bases merged in, its executor, and its settings with every default."""
    settings = search.settings.model_dump(mode="json")
    return dump_yaml({**copy.deepcopy(search.space.raw), **search.execution.changed(), SEARCH: settings})


def corner_problems(search: Search, try_out) -> list[Problem]:
    """Return the problems at the corners of the space, each once, with the values at which it was found first.

    Args:
        search: the search.
        try_out: called with the experiment of each corner; raises UserError if that is not valid.
    """
    found: dict[Problem, dict[str, Any]] = {}
    for values in search.space.corners(MOST_CORNERS):
        try:
            try_out(search.experiment(values))
        except UserError as error:
            for problem in error.problems:
                found.setdefault(problem, values)
    return [_with_values(problem, values) for problem, values in found.items()]


def _problems(search: Search) -> list[Problem]:
    place, settings = str(search.place), search.settings
    problems = []
    if not search.space.domains:
        message = "has no domain to search; write one, such as {choice: [16, 32]}, in place of a value"
        return [Problem(message, place)]
    if settings.algorithm == "hyperband" and "training.epochs" in search.space.domains:
        message = "is varied by hyperband itself; write the largest number of epochs here"
        problems.append(Problem(message, place, "training.epochs"))
    training = search.space.raw.get("training")
    if settings.algorithm == "hyperband" and isinstance(training, dict) and training.get("max_minutes") is not None:
        message = "cannot be combined with hyperband, which continues trials for more epochs; use search.max_minutes"
        problems.append(Problem(message, place, "training.max_minutes"))
    for name in search.space.domains:
        if name in ("seed", "name") or name.split(".")[0] == TRACK:
            problems.append(Problem("cannot be searched: no value of it is better than another", place, name))
    if problems:
        return problems
    return corner_problems(search, lambda experiment: _refuse_objective(experiment, settings.objective))


def _refuse_objective(experiment: Experiment, objective: str) -> None:
    """Raise UserError if labels do not tell the objective of an experiment."""
    if objective == "val_macro_f1" and labels_exclude_a_class(experiment):
        message = (
            "val_macro_f1 cannot be measured on labels that say what an image is NOT; use val_accuracy or val_loss"
        )
        raise UserError(Problem(message, key="search.objective"))


def _with_values(problem: Problem, values: dict[str, Any]) -> Problem:
    corner = listing((f"{name} {value}" for name, value in values.items()), MOST_VALUES)
    return Problem(f"{problem.message} (at {corner})", problem.file, problem.key)
