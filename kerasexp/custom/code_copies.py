"""Copies of a user's code: in a run directory, and in a checkpoint that needs it to be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kerasexp.config.code_reference import code_files
from kerasexp.config.custom_code import CustomCode
from kerasexp.storage import write_bytes, write_errors

FOLDER = "code"


def copied_code(parts: Iterable[CustomCode], target: Path) -> dict[str, str]:
    """Copy the files of code into `target/code`, and return for each reference the one to its copy, relative to `target`.

    Each folder of files is copied to a folder of its own, the first to `code` itself. Installed packages are not copied.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    moved, places = {}, {}
    for code in parts:
        reference = code.reference
        if reference.module is not None:
            continue
        origin = reference.file.parent
        place = places.setdefault(origin, FOLDER if not places else f"{FOLDER}/{len(places) + 1}")
        for path, source in code_files(reference).items():
            _write(target / place / path, source)
        moved[code.name] = f"{place}/{reference.file.name}:{reference.function}"
    return moved


def _write(path: Path, source: bytes) -> None:
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A resumed run has the same code, and may be run from its own copy.
        if not path.is_file() or path.read_bytes() != source:
            write_bytes(path, source)
