"""Which files of run directories the pages link to, and their types."""

from __future__ import annotations

from pathlib import Path

from kerasexp.config.yaml_text import is_text

TYPES = {
    ".html": "text/html; charset=utf-8", ".png": "image/png", ".csv": "text/csv; charset=utf-8",
    ".json": "application/json", ".yaml": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
    ".diff": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8",
}  # fmt: skip


def served_file(root: Path, path: str) -> Path | None:
    """Return a file below a folder that may be sent to a browser; None for any other, and for none.

    Hidden files, files of other types and links that lead out of the folder are not sent.
    """
    parts = path.split("/")
    if any(part in ("", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    place = root.joinpath(*parts)
    try:
        real = place.resolve(strict=True)
    except (OSError, ValueError):
        return None
    is_inside = real.is_relative_to(root.resolve()) and real.is_file()
    return real if is_inside and real.suffix in TYPES and place.suffix == real.suffix else None


def files_of(place: Path) -> list[str]:
    """Return the names of the files in a directory that may be sent, its report first."""
    names = sorted(
        path.name
        for path in place.iterdir()
        if path.is_file() and path.suffix in TYPES and not path.name.startswith(".") and is_text(path.name)
    )
    return sorted(names, key=lambda name: not name.endswith(".html"))
