"""What is wrong with an experiment's file, as the command reports it."""

from pathlib import Path

import pytest

from kerasexp.config import Experiment, load_experiment
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.config.section_validation import validated
from kerasexp.config.yaml_text import parse_yaml
from kerasexp.errors import UserError


def problems(path: Path | str, *overrides: str) -> dict[str | None, str]:
    """What is wrong with a file, by dotted key."""
    with pytest.raises(UserError) as caught:
        load_experiment(path, overrides)
    return {problem.key: problem.message for problem in caught.value.problems}


def problem_files(path: Path, *overrides: str) -> list[str | None]:
    """The file that each problem names."""
    with pytest.raises(UserError) as caught:
        load_experiment(path, overrides)
    return [problem.file for problem in caught.value.problems]


def broken(text: str) -> dict[str, str]:
    """What is wrong with an experiment, in one section or in several, by key."""
    try:
        experiment = validated(Experiment, {"name": "exp", **(parse_yaml(text) or {})}, None, {})
    except UserError as error:
        return {problem.key: problem.message for problem in error.problems}
    return dict(broken_rules(experiment))
