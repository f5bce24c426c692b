"""The page that `compare` writes, for runs that were ticked. Another process writes it: it needs TensorFlow, this one does not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from kerasexp.errors import Problem, UserError
from kerasexp.storage import temporary_folder

# Images are read again, which takes some seconds; of very many, minutes.
LONGEST_SECONDS = 600
# A comparison takes a core and memory: one at a time. Another one would hold a thread of the server while it waits.
_one_at_a_time = Lock()


def comparison_page(runs: Sequence[Path]) -> str:
    """Return the HTML page of a comparison.

    Raises:
        UserError: the runs cannot be compared; the message is that of `compare`. Or another comparison is being made.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise UserError(Problem("another one is being made; try again when it is there", "the comparison"))
    try:
        return _written_page(runs)
    finally:
        _one_at_a_time.release()


def _written_page(runs: Sequence[Path]) -> str:
    with temporary_folder(Path(tempfile.gettempdir()), "comparison") as folder:
        page = folder / "comparison.html"
        command = [sys.executable, "-m", "kerasexp", "compare", *map(str, runs), "--output", str(page)]
        # A training on the GPU keeps all its memory.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=LONGEST_SECONDS, check=False, text=True
            )
        except subprocess.TimeoutExpired:
            message = f"took more than {LONGEST_SECONDS} seconds; use the command `compare`"
            raise UserError(Problem(message, "the comparison")) from None
        if done.returncode == 0 and page.is_file():
            return page.read_text(encoding="utf-8")
        errors = done.stderr.partition("error: ")[2].strip()
        raise UserError(errors or f"compare ended with exit code {done.returncode}")
