"""`search`: the space of a YAML file looked through, and how to go on with it when it is stopped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from kerasexp.config import Search, load
from kerasexp.console import Console
from kerasexp.errors import Interrupted, Problem, UserError


def search_file(
    file: Path, overrides: Sequence[str], run_dir: Path | None, extend: bool, jobs: int, console: Console
) -> Path:
    """Search the space of a YAML file, and return the search's directory.

    Args:
        file: the YAML file.
        overrides: `dotted.key=value` strings.
        run_dir: the directory to make or to go on with; None for one below `runs/<name>`.
        extend: go on with a search whose domains were narrower.
        jobs: how many trials at once.
        console: where progress is shown.

    Raises:
        UserError: the file or what it asks for is wrong.
        RunError: no trial could be trained.
        Interrupted: the process was asked to stop; the message holds the command to go on with.
    """
    asked = load(file, overrides)
    if not isinstance(asked, Search):
        message = (
            "has nothing to search for; write domains in place of values, such as "
            "learning_rate: {float: [0.0001, 0.01], sampling: log}"
        )
        raise UserError(Problem(message, str(file)))
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.search.run import run_search

    try:
        return run_search(asked, run_dir, extend, jobs, console)
    except Interrupted as stop:
        changes = [part for override in overrides for part in ("--set", override)]
        place = ["--run-dir", str(run_dir)] if run_dir is not None else []
        at_once = ["--jobs", str(jobs)] if jobs > 1 else []
        command = shlex.join(["python", "-m", "kerasexp", "search", str(file), *changes, *place, *at_once])
        raise Interrupted(stop.signal, f"; go on with: {command}") from None
