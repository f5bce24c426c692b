"""A console for terminals: lines that stay, and below them live displays, which disappear at their end."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.text import Text

from kerasexp.console.events import Event, Heading, Warned
from kerasexp.console.plain_console import Bar, Console, JobTable, TrainingLine
from kerasexp.console.terminal_displays import TerminalBar, TerminalJobs, TerminalTraining

# A second. Drawing a line takes half a millisecond, a table of four jobs one and a half.
REDRAWS = 4
STYLES: dict[type[Event], str] = {Heading: "bold", Warned: "yellow"}


class TerminalConsole(Console):
    """Prints events to a terminal above the live displays that are open.

    Args:
        terminal: Rich's.
    """

    def __init__(self, terminal: Terminal):
        super().__init__()
        self._terminal = terminal
        self._displays: tuple[Any, ...] = ()
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        text = "\n".join(self._wrapped(line) for line in str(event).split("\n"))
        self._terminal.print(Text(text, style=STYLES.get(type(event), "")), soft_wrap=True)

    def _wrapped(self, line: str) -> str:
        """Break a line between words; a longer word, such as a path, stays whole, so that it can be copied."""
        as_it_is = {
            "replace_whitespace": False,
            "expand_tabs": False,
            "break_long_words": False,
            "break_on_hyphens": False,
        }
        return textwrap.fill(line, self._terminal.width, **as_it_is)

    def bar(self, title: str, total: int | None) -> Bar:
        return TerminalBar(self, title, total)

    def training(self, epochs: int, steps: int, batch_size: int) -> TrainingLine:
        return TerminalTraining(self, epochs, steps, batch_size)

    def jobs(self, title: str, total: int | None) -> JobTable:
        return TerminalJobs(self, title, total)

    def add(self, display: Any) -> None:
        """Show a display below those that are open."""
        self._displays = (*self._displays, display)
        if self._live is None:
            self._live = Live(
                console=self._terminal,
                refresh_per_second=REDRAWS,
                transient=True,
                get_renderable=lambda: Group(*self._displays),
            )
            self._live.start()
        self._live.refresh()

    def remove(self, display: Any) -> None:
        """Show a display no longer. With the last one, the cursor is where it was before the first."""
        self._displays = tuple(other for other in self._displays if other is not display)
        if not self._displays and self._live is not None:
            live, self._live = self._live, None
            live.stop()
