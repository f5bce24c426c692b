"""Commands that pages run in processes of their own: they need TensorFlow, this server does not."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Lock

from kerasexp.errors import Problem, UserError

# Images are read, which takes some seconds; of very many, minutes.
LONGEST_SECONDS = 600


class CommandProcess:
    """A command that takes a core and memory: one at a time. A second one that waited would hold a thread of the server.

    Args:
        name: of the command.
    """

    def __init__(self, name: str):
        self._name, self._running = name, Lock()

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command with these arguments and additional environment variables; return its exit code and what it prints.

        Raises:
            UserError: it is running already, or takes too long.
        """
        if not self._running.acquire(blocking=False):
            raise UserError(Problem("another one is running; try again when it has ended", self._name))
        try:
            return subprocess.run(
                [sys.executable, "-m", "kerasexp", self._name, *map(str, arguments)],
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LONGEST_SECONDS,
                check=False,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            message = f"took more than {LONGEST_SECONDS} seconds; run the command in a terminal"
            raise UserError(Problem(message, self._name)) from None
        finally:
            self._running.release()
