"""`run`: an experiment or a study from its file, and how to go on with it when it is stopped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from kerasexp.config import Search, Study, load
from kerasexp.config.study import quickened
from kerasexp.console import Console
from kerasexp.errors import Interrupted, Problem, UserError, listing


def run_file(
    file: Path,
    overrides: Sequence[str],
    run_dir: Path | None,
    resume: bool,
    jobs: int,
    quick: bool,
    only: Sequence[str],
    console: Console,
) -> Path:
    """Run the experiment or the study of a YAML file, and return its directory.

    Args:
        file: the YAML file.
        overrides: `dotted.key=value` strings.
        run_dir: the directory to make; None for the next number below `runs/<name>`.
        resume: go on with an unfinished run; a study is gone on with in any case.
        jobs: how many runs of a study at once.
        quick: whether a study is cut down to be quick.
        only: the variants of a study to run; none for all.
        console: where progress is shown.

    Raises:
        UserError: the file or what it asks for is wrong.
        RunError: the run, or one of the study's, failed.
        Interrupted: the process was asked to stop; the message holds the command to go on with.
    """
    asked = load(file, overrides)
    if isinstance(asked, Search):
        domains = listing(asked.space.domains, 3)
        message = f"holds a space to search through ({domains}): python -m kerasexp search {shlex.quote(str(file))}"
        raise UserError(Problem(message, str(file)))
    if not isinstance(asked, Study) and (jobs > 1 or quick or only):
        option = "--jobs" if jobs > 1 else "--quick" if quick else "--variant"
        raise UserError(Problem("is for studies, which have `variants` or `seeds`; this is one run", str(file), option))
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    try:
        if isinstance(asked, Study):
            from kerasexp.studies.run import run_study

            return run_study(quickened(asked) if quick else asked, run_dir, console, jobs, only)
        from kerasexp.runs.request import RunRequest
        from kerasexp.runs.run import run_experiment

        return run_experiment(RunRequest(asked, run_dir, resume), console).path
    except Interrupted as stop:
        changes = [part for override in overrides for part in ("--set", override)]
        place = ["--run-dir", str(run_dir)] if run_dir is not None else []
        how = ["--resume"]
        if isinstance(asked, Study):
            how = [*(["--jobs", str(jobs)] if jobs > 1 else []), *(["--quick"] if quick else [])]
            how += [part for name in only for part in ("--variant", name)]
        command = shlex.join(["python", "-m", "kerasexp", "run", str(file), *changes, *place, *how])
        raise Interrupted(stop.signal, f"; go on with: {command}") from None
