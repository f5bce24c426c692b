"""The page that `compare` writes, for runs that were ticked."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from kerasexp.browser.command_process import CommandProcess
from kerasexp.errors import UserError
from kerasexp.storage import temporary_folder

_compare = CommandProcess("compare")


def comparison_page(runs: Sequence[Path]) -> str:
    """Return the HTML page of a comparison.

    Raises:
        UserError: the runs cannot be compared; the message is that of `compare`. Or another comparison is being made.
    """
    with temporary_folder(Path(tempfile.gettempdir()), "comparison") as folder:
        page = folder / "comparison.html"
        # A training on the GPU keeps all its memory.
        done = _compare.run(*runs, "--output", page, CUDA_VISIBLE_DEVICES="-1")
        if done.returncode == 0 and page.is_file():
            return page.read_text(encoding="utf-8")
        errors = done.stderr.partition("error: ")[2].strip()
        raise UserError(errors or f"compare ended with exit code {done.returncode}")
