"""Where a page is written that a user names."""

from __future__ import annotations

from pathlib import Path

from kerasexp.errors import Problem, UserError


def check_page_output(output: Path, option: str) -> None:
    """Raise UserError unless a page can be written to a file that was given by an option, such as `--output`."""
    check_page_name(output, option)
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), option))


def check_page_name(output: Path, option: str) -> None:
    """Raise UserError unless a page may have the name that was given by an option; its folder need not be there."""
    if output.suffix not in (".html", ".htm"):
        raise UserError(Problem("the name of the page must end in .html", str(output), option))
    if output.is_dir():
        raise UserError(Problem("is a folder, and the page is a file", str(output), option))
