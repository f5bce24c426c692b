"""`kerasexp.load`: an experiment, a study or a search from a file, a dictionary, or another experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment, Search, Study
from kerasexp.config import load as load_file
from kerasexp.config.study_section import load_mapping, plain_values
from kerasexp.config.yaml_paths import with_home
from kerasexp.custom.trust import grant_own
from kerasexp.errors import Problem, UserError

Source = str | PathLike[str] | Mapping[str, Any] | Experiment | Study | Search
Overrides = Mapping[str, Any] | Sequence[str] | None


def load(experiment: Source, *, set: Overrides = None) -> Experiment | Study | Search:
    """Read and validate an experiment, without running it.

    Args:
        experiment: a YAML file, or what such a file holds as a dictionary, whose relative paths are looked for in the
            working folder; or an experiment, to change it by `set`.
        set: the keys to change: a mapping of dotted keys such as `{"training.epochs": 3}`, or strings `key=value`.

    Returns:
        A Study if there are `variants` or `seeds`, a Search if there are domains in place of values, else an Experiment.

    Raises:
        UserError: with every problem that was found, each with file and key.

    Example:
        >>> experiment = kerasexp.load("experiments/part1_digits.yaml", set={"training.epochs": 3})
        >>> experiment.training.epochs
        3
    """
    overrides = override_texts(set)
    if isinstance(experiment, Experiment):
        return load_mapping(experiment.model_dump(mode="json"), overrides) if overrides else experiment
    if isinstance(experiment, Study | Search):
        if overrides:
            kind = type(experiment).__name__.lower()
            raise UserError(Problem(f"is for a {kind} that is being read; give it to kerasexp.load", key="set"))
        return experiment
    if isinstance(experiment, Mapping):
        return load_mapping(experiment, overrides)
    if not isinstance(experiment, str | PathLike):
        message = "a YAML file, a dictionary or an experiment is needed here"
        raise UserError(Problem(f"got {type(experiment).__name__}; {message}", key="experiment"))
    file = with_home(Path(experiment))
    asked = load_file(file, overrides)
    grant_own(asked, file)
    return asked


def override_texts(set: Overrides) -> list[str]:
    """Return the changes as strings `key=value`.

    Raises:
        UserError: they are neither a mapping nor strings, or a value is none that YAML can hold.
    """
    if set is None:
        return []
    if isinstance(set, Mapping):
        return [f"{key}={_json(key, value)}" for key, value in set.items()]
    if isinstance(set, str) or not isinstance(set, Sequence) or not all(isinstance(item, str) for item in set):
        message = 'write {"training.epochs": 3} or ["training.epochs=3"]'
        raise UserError(Problem(f"got {set!r:.100}; {message}", key="set"))
    return list(set)


def _json(key: Any, value: Any) -> str:
    # JSON is YAML. Infinite numbers are refused where their key is checked.
    try:
        return json.dumps(plain_values(value), ensure_ascii=False)
    except (TypeError, ValueError):
        message = f"got {value!r:.100}; a number, a word, a list or a mapping is needed here"
        raise UserError(Problem(message, "set", str(key))) from None
