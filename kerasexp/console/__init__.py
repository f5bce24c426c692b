"""What is shown while a command runs: events, and live displays where there is a terminal or a notebook."""

from kerasexp.console.console_choice import in_notebook, standard_console
from kerasexp.console.events import Event, Failed, Finished, Heading, JobEnded, Note, Started, Warned
from kerasexp.console.json_console import JsonConsole
from kerasexp.console.plain_console import Bar, Console, JobTable, QuietConsole, TrainingLine, WarningConsole
from kerasexp.console.position import Position
from kerasexp.console.shown_words import command_line, shown_path

__all__ = [
    "Bar",
    "Console",
    "Event",
    "Failed",
    "Finished",
    "Heading",
    "JobEnded",
    "JobTable",
    "JsonConsole",
    "Note",
    "Position",
    "QuietConsole",
    "Started",
    "TrainingLine",
    "Warned",
    "WarningConsole",
    "command_line",
    "in_notebook",
    "shown_path",
    "standard_console",
]
