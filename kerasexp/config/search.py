"""A search: an experiment some of whose keys are domains, and how the best of them is looked for."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kerasexp.config.base import Section, Seed
from kerasexp.config.execution import ExecutionKeys
from kerasexp.config.experiment import Experiment
from kerasexp.config.loading import load_experiment, locate_files, named_file, resolved
from kerasexp.config.space import SEARCH, Space, Values, read_space
from kerasexp.config.validation import validated
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.errors import Problem, UserError

# Which figure of `val` an objective is, and which direction is better.
OBJECTIVES = {"val_accuracy": ("accuracy", "max"), "val_macro_f1": ("macro_f1", "max"), "val_loss": ("loss", "min")}
# So many combinations of extreme values are tried out before a search begins.
MOST_CORNERS = 200
MOST_TOLD = 5


class SearchKeys(Section):
    """How `search` looks for the best values; `run` does not read it."""

    algorithm: Literal["random", "bayesian", "hyperband", "grid"] = Field(
        "bayesian",
        description="Which oracle of keras-tuner proposes: random values; those that a Gaussian process expects to be best; "
        "hyperband, which trains many for a few epochs and the best of them for more; or every combination.",
    )
    objective: Literal["val_accuracy", "val_macro_f1", "val_loss"] = Field(
        "val_accuracy", description="What is best, of the epoch that a trial's checkpoint is of."
    )
    max_trials: int | None = Field(
        None, ge=1, le=10_000, description="How many trials; null: 30, with a grid or hyperband all of theirs."
    )
    max_epochs: int | None = Field(
        None, ge=1, description="No trial begins after so many epochs of all trials together."
    )
    max_minutes: float | None = Field(
        None, gt=0, description="No trial begins after so many minutes of all processes that searched."
    )
    seed: Seed = Field(0, description="Of the proposals.")
    initial: int | None = Field(
        None, ge=2, description="bayesian: so many random trials come first; null: 3 for each domain."
    )
    factor: int = Field(
        3, ge=2, le=10, description="hyperband: each round trains so many times longer, and fewer of them."
    )
    iterations: int = Field(1, ge=1, le=100, description="hyperband: how often it goes through its rounds.")
    keep: int = Field(3, ge=1, description="The checkpoints of so many best trials are kept.")
    variables: dict[str, Any] = Field({}, description="Domains of their own, which only conditions (`when`) refer to.")
    confirm: list[Seed] = Field(
        [0, 1, 2], description="The winner is trained again with each of these seeds; [] leaves that out."
    )
    against: str | None = Field(
        None, description="An experiment that the winner is compared with, over the same seeds: a YAML file."
    )


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        name: of the search, and of each trial's experiment.
        settings: how it is done.
        space: what it looks through.
        against: what the winner is compared with.
        execution: by what its trials are carried out.
        place: the file.
        files: which file each key is from.
    """

    name: str
    settings: SearchKeys
    space: Space
    against: Experiment | None
    execution: ExecutionKeys
    place: Path
    files: dict[tuple, str] = field(compare=False)

    def experiment(self, values: Values, epochs: int | None = None) -> Experiment:
        """Return the experiment with these values for its domains, trained for `epochs` where that is given.

        Raises:
            UserError: it is no experiment that can be run.
        """
        raw = self.space.keys_at(values)
        found = resolved(raw, dict(self.files), (), self.place.parent, self.place)
        if epochs is not None:
            found = found.model_copy(update={"training": found.training.model_copy(update={"epochs": epochs})})
        return found


def read_search(
    raw: dict[str, Any], settings: Any, files: dict[tuple, str], path: Path, execution: ExecutionKeys
) -> Search:
    """Make a search of an experiment's keys, some of them domains, and of what stood in the section `search`.

    Raises:
        UserError: with every problem, those that only some values have among them.
    """
    settings = validated_settings(settings, files, path)
    # What is written out elsewhere names the same files.
    locate_files(raw, path)
    space = read_space(raw, settings.variables, str(path), files)
    against = None
    if settings.against is not None:
        found = named_file(settings.against, path, f"{SEARCH}.against")
        settings, against = settings.model_copy(update={"against": str(found)}), load_experiment(found)
    search = Search(raw["name"], settings, space, against, execution, path, files)
    if problems := _unfit(search):
        raise UserError(*problems)
    return search


class _Sections(Section):
    search: SearchKeys


def validated_settings(raw: Any, files: dict[tuple, str], path: Path) -> SearchKeys:
    """Return the section `search`; raise UserError with every problem in it."""
    return validated(_Sections, {SEARCH: {} if raw is None else raw}, str(path), files).search


def search_yaml(search: Search) -> str:
    """Return a search as YAML: its keys with the bases merged in, and how it is done with every default."""
    settings = search.settings.model_dump(mode="json")
    return dump_yaml({**copy.deepcopy(search.space.raw), SEARCH: settings})


def corner_problems(search: Search, try_out) -> list[Problem]:
    """Return what is wrong at the space's corners, each problem once with the values at which it was first met.

    Args:
        search: whose corners are tried.
        try_out: is given each corner's experiment; raises UserError where that cannot be.
    """
    found: dict[Problem, dict[str, Any]] = {}
    for values in search.space.corners(MOST_CORNERS):
        try:
            try_out(search.experiment(values))
        except UserError as error:
            for problem in error.problems:
                found.setdefault(problem, values)
    return [_with_values(problem, values) for problem, values in found.items()]


def _unfit(search: Search) -> list[Problem]:
    place, settings = str(search.place), search.settings
    problems = []
    if not search.space.domains:
        message = "holds nothing to search for; write a domain such as {choice: [16, 32]} in place of a value"
        return [Problem(message, place)]
    if settings.algorithm == "hyperband" and "training.epochs" in search.space.domains:
        message = "is what hyperband itself varies; write the largest number of epochs here"
        problems.append(Problem(message, place, "training.epochs"))
    for name in ("seed", "name"):
        if name in search.space.domains:
            problems.append(Problem("is not searched for: it is no better at one value than at another", place, name))
    if problems:
        return problems
    return corner_problems(search, lambda experiment: None)


def _with_values(problem: Problem, values: dict[str, Any]) -> Problem:
    told = ", ".join(f"{name} {value}" for name, value in list(values.items())[:MOST_TOLD])
    return Problem(
        f"{problem.message} (at {told}{', ...' if len(values) > MOST_TOLD else ''})", problem.file, problem.key
    )
