"""Where a page is written that a user names."""

from __future__ import annotations

from pathlib import Path

from kerasexp.errors import Problem, UserError


def check_page_output(output: Path, option: str) -> None:
    """Raise UserError unless a page can be written to a file that was given by an option, such as `--output`."""
    if output.suffix not in (".html", ".htm"):
        raise UserError(Problem("the name of the page must end in .html", str(output), option))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), option))
