"""An experiment file that a command writes for a user."""

from __future__ import annotations

from pathlib import Path

from kerasexp.config.yaml_paths import is_there
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.storage import write_errors, write_text


def refuse_existing(output: Path) -> None:
    """Raise UserError if there is something already where a file is to be written."""
    if is_there(output):
        raise UserError(Problem("already exists; choose another --output, or remove the file", str(output)))


def write_new_file(output: Path, text: str) -> None:
    """Write a file and the folders above it; raises UserError if it cannot be written."""
    try:
        with write_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, text)
    except RunError as error:
        raise UserError(str(error)) from None
