"""The console that fits where standard output goes."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from kerasexp.console.plain_console import Console


def standard_console() -> Console:
    """Return the console of standard output: live on a terminal and in a notebook, plain lines elsewhere."""
    if in_notebook():
        from kerasexp.console.notebook_console import NotebookConsole

        return NotebookConsole()
    if sys.stdout is not None and sys.stdout.isatty():
        import rich.console

        # Rich knows which terminals cannot move the cursor, such as one with TERM=dumb.
        if (terminal := rich.console.Console()).is_interactive:
            from kerasexp.console.terminal_console import TerminalConsole

            return TerminalConsole(terminal)
    return Console()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook, whose cells show what is displayed."""
    ipython: Any = sys.modules.get("IPython")
    with suppress(AttributeError):  # a program that only imports IPython has no shell
        return ipython.get_ipython().kernel is not None
    return False
