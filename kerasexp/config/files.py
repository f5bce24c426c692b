"""Where a file that an experiment names is looked for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder that $KERASEXP_DATA names, or None where it is not set."""
    value = os.environ.get("KERASEXP_DATA")
    return _at_home(Path(value)) if value else None


def places(name: str, beside: Path | None = None) -> list[Path]:
    """Return where `name` is looked for, in order: beside the YAML, the working folder, $KERASEXP_DATA."""
    path = _at_home(Path(name))
    if path.is_absolute():
        return [path]
    folders = [folder for folder in (beside, Path.cwd(), data_folder()) if folder is not None]
    return list(dict.fromkeys(folder / path for folder in folders))


def _at_home(path: Path) -> Path:
    with suppress(RuntimeError):  # a home that nobody has is no such file, as any other
        return path.expanduser()
    return path


def find_file(name: str, beside: Path | None = None) -> Path | None:
    """Return the first place at which `name` exists, or None."""
    return next((place for place in places(name, beside) if is_there(place)), None)


def is_there(path: Path) -> bool:
    """Whether something exists at `path`; not for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
