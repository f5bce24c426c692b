"""The command that continues an unfinished run, study or search."""

from __future__ import annotations

from pathlib import Path

from kerasexp.console import command_line
from kerasexp.saving.saved_files import RunFiles, read_mapping


def resume_arguments(place: Path) -> list[object]:
    """Return the arguments of the command that continues what a directory holds: a run, a study or a search.

    A run of a study, a trial of a search, and a run that confirms its winner are continued with all that they belong to.
    """
    study = place.parent.parent
    for search in (place, study, study.parent):
        if (search / "search.json").is_file():
            return ["search", search / "search.yaml", "--run-dir", search]
    for folder in (place, study):
        if (folder / "study.json").is_file():
            quick = ["--quick"] if read_mapping(folder / "study.json").get("quick") is True else []
            return ["run", RunFiles(folder).experiment, "--run-dir", folder, *quick]
    return ["run", RunFiles(place).experiment, "--run-dir", place, "--resume"]


def resume_command(run: RunFiles) -> str:
    """Return the same as a user types it."""
    return command_line(*resume_arguments(run.path))
