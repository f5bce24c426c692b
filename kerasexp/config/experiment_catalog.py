"""The experiments of a folder, and the question that each answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kerasexp.errors import Problem, UserError


def experiment_lines(folder: Path) -> Iterator[str]:
    """Yield one line per experiment: its path and the first line of its comment. Folders that begin with _ hold bases.

    Raises:
        UserError: there is no such folder, or no experiment in it.
    """
    if not folder.is_dir():
        raise UserError(Problem("no such folder", str(folder)))
    paths = sorted(
        p
        for p in folder.rglob("*.y*ml")
        if not any(part.startswith(("_", ".")) for part in p.relative_to(folder).parts)
    )
    if not paths:
        raise UserError(Problem("holds no experiment (*.yaml)", str(folder)))
    width = max(len(str(p)) for p in paths)
    for path in paths:
        yield f"{str(path):<{width}}  {_question(path)}".rstrip()


def _question(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            comments = [line[1:].strip() for line in file if line.startswith("#")]
    except OSError:
        return "(cannot be read)"
    return next((c for c in comments if c and not c.startswith("yaml-language-server")), "")
