"""What is wrong with an experiment's file, as the command reports it."""

from pathlib import Path

import pytest

from kerasexp.config import load_experiment
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
