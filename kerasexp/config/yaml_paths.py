"""The places of files that an experiment names."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kerasexp.errors import Problem, UserError


def data_folder() -> Path | None:
    """Return the folder that $KERASEXP_DATA names, or None where it is not set."""
    value = os.environ.get("KERASEXP_DATA")
    return with_home(Path(value)) if value else None


def places(name: str, beside: Path | None = None) -> list[Path]:
    """Return the places where `name` is looked for, in order: beside the YAML, the working folder, $KERASEXP_DATA."""
    path = with_home(Path(name))
    if path.is_absolute():
        return [path]
    folders = [folder for folder in (beside, Path.cwd(), data_folder()) if folder is not None]
    return list(dict.fromkeys(folder / path for folder in folders))


def with_home(path: Path) -> Path:
    """Return a path with the home folder in place of a leading `~`."""
    with suppress(RuntimeError):  # the home of an unknown user is a missing file like any other
        return path.expanduser()
    return path


def find_file(name: str, beside: Path | None = None) -> Path | None:
    """Return the first place at which `name` exists, or None."""
    return next((place for place in places(name, beside) if is_there(place)), None)


def is_there(path: Path) -> bool:
    """Return whether something exists at `path`; False for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def refuse_unreachable(path: Path) -> None:
    """Raise UserError if nobody can tell what is at `path`: the name is too long, or a folder above may not be entered."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError, ValueError):
            path.stat()
    except OSError as error:
        raise UserError(Problem(f"cannot be looked at: {error.strerror}", str(path))) from None
