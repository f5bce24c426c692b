"""`kerasexp.run` and `kerasexp.search`, and what they have in common with the commands of these names."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from kerasexp.api.callers_state import callers_state_kept
from kerasexp.api.loaded_experiment import Overrides, Source, load
from kerasexp.config import Experiment, Search, Study
from kerasexp.config.study_section import quickened
from kerasexp.config.yaml_loading import MAPPING
from kerasexp.config.yaml_paths import with_home
from kerasexp.console import Console, QuietConsole, standard_console
from kerasexp.custom.trust import approve
from kerasexp.errors import Interrupted, Problem, UserError, listing
from kerasexp.runs.provenance import find_provenance, remember_provenance

if TYPE_CHECKING:
    from kerasexp.api.run_result import Run
    from kerasexp.api.search_result import SearchResult
    from kerasexp.api.study_result import StudyResult
    from kerasexp.runs.directory import RunDirectory
    from kerasexp.search.run import FinishedSearch
    from kerasexp.studies.run import FinishedStudy

# As the option of the commands.
MOST_JOBS = 64

Place = str | PathLike[str] | None


def run(
    experiment: Source,
    *,
    set: Overrides = None,
    run_dir: Place = None,
    resume: bool = False,
    jobs: int = 1,
    quick: bool = False,
    variants: Sequence[str] = (),
    quiet: bool = False,
) -> Run | StudyResult:
    """Train, evaluate, plot and report an experiment, or all runs of a study.

    It works in notebooks, in a running event loop and in any thread. Ctrl-C, and the stop button of a notebook, end the
    current step and save the state; other threads than the main one cannot be stopped so.

    Args:
        experiment: a YAML file, a dictionary, or what `kerasexp.load` returns.
        set: as for `kerasexp.load`.
        run_dir: the directory to make or to continue in; None for the next number below `runs/NAME`.
        resume: continue an unfinished run, or a finished one for more epochs. A study continues by itself.
        jobs: of a study, how many runs at once, in processes of their own.
        quick: of a study, fewer images and seeds.
        variants: of a study, those to run now; empty for all.
        quiet: show no progress.

    Returns:
        The finished run; of a study, its result.

    Raises:
        UserError: the experiment is not valid, or does not fit its data or the directory; nothing is left behind then.
        RunError: the run failed, for example because the disk is full.
        Interrupted: it was asked to stop; its state is saved.

    Example:
        >>> run = kerasexp.run("experiments/part1_digits.yaml", set={"training.epochs": 2})
        >>> run.metrics["test"]["accuracy"]
    """
    _check_jobs(jobs)
    asked, where = load(experiment, set=set), _path(run_dir)
    name = _name(experiment, asked)
    refuse_search(asked, name, "kerasexp.search")
    approve(asked, _file(experiment))
    try:
        with callers_state_kept():
            done = launch_run(asked, name, where, resume, jobs, quick, variants, _console(quiet))
    except Interrupted as stop:
        how = "the same call" if isinstance(asked, Study) else "the same call with resume=True"
        raise Interrupted(stop.signal, f"; continue with {how}") from None
    if isinstance(asked, Study):
        from kerasexp.api.study_result import StudyResult

        return StudyResult(done)
    from kerasexp.api.run_result import open_run

    return open_run(done.path)


def search(
    experiment: Source,
    *,
    set: Overrides = None,
    run_dir: Place = None,
    extend: bool = False,
    jobs: int = 1,
    quiet: bool = False,
) -> SearchResult:
    """Search for the best values of an experiment's domains. The same call continues a search that was stopped.

    Args:
        experiment: a YAML file or a dictionary with domains in place of values, or what `kerasexp.load` returns.
        set: as for `kerasexp.load`.
        run_dir: the directory to make or to continue in; None for the next number below `runs/NAME`.
        extend: continue a random or bayesian search whose domains were narrower.
        jobs: how many trials at once, in processes of their own.
        quiet: show no progress.

    Raises:
        UserError: the experiment has no domains, some values cannot be used, or `run_dir` holds something else.
        RunError: no trial could be trained.
        Interrupted: it was asked to stop; unfinished trials can be continued.

    Example:
        >>> space = {"data": "digits", "training": {"batch_size": {"choice": [16, 64]}}, "search": {"max_trials": 2}}
        >>> kerasexp.search(space).best_values
    """
    from kerasexp.api.search_result import SearchResult

    _check_jobs(jobs)
    asked = load(experiment, set=set)
    approve(asked, _file(experiment))
    try:
        with callers_state_kept():
            done = launch_search(asked, _name(experiment, asked), _path(run_dir), extend, jobs, _console(quiet))
    except Interrupted as stop:
        raise Interrupted(stop.signal, "; continue with the same call") from None
    return SearchResult(done)


def refuse_search(asked: Experiment | Study | Search, place: str, how: str) -> None:
    """Raise UserError if something to be run is a search.

    Args:
        asked: what is to be run.
        place: its file or name.
        how: what searches it.
    """
    if isinstance(asked, Search):
        domains = listing(asked.space.domains, 3)
        raise UserError(Problem(f"holds domains ({domains}), which `search` searches: {how}", place))


def launch_run(
    asked: Experiment | Study,
    place: str,
    run_dir: Path | None,
    resume: bool,
    jobs: int,
    quick: bool,
    variants: Sequence[str],
    console: Console,
) -> RunDirectory | FinishedStudy:
    """Run an experiment or a study; arguments and errors as for `run`.

    Args:
        asked: what to run.
        place: its file or name, for messages.
        run_dir, resume, jobs, quick, variants: as for `run`.
        console: where progress is shown.
    """
    if not isinstance(asked, Study) and (jobs > 1 or quick or variants):
        given = "--jobs" if jobs > 1 else "--quick" if quick else "--variant"
        message = "is for studies, which have `variants` or `seeds`; this is one experiment"
        raise UserError(Problem(message, place, given))
    remember_provenance(find_provenance(place))
    if isinstance(asked, Study):
        from kerasexp.studies.run import run_study

        # Whoever trains imports TensorFlow: this process, or others, which would have to wait for its import here.
        return run_study(quickened(asked) if quick else asked, run_dir, console, jobs, variants)
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    return run_experiment(RunRequest(asked, run_dir, resume), console)


def launch_search(
    asked: Experiment | Study | Search, place: str, run_dir: Path | None, extend: bool, jobs: int, console: Console
) -> FinishedSearch:
    """Run a search; arguments as for `launch_run`, errors as for `search`."""
    if not isinstance(asked, Search):
        message = (
            "has no domain to search; write domains in place of values, such as "
            "learning_rate: {float: [0.0001, 0.01], sampling: log}"
        )
        raise UserError(Problem(message, place))
    remember_provenance(find_provenance(place))
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.search.run import run_search

    return run_search(asked, run_dir, extend, jobs, console)


def _console(quiet: bool) -> Console:
    return QuietConsole() if quiet else standard_console()


def _check_jobs(jobs: int) -> None:
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MOST_JOBS:
        raise UserError(Problem(f"got {jobs!r:.100}; a whole number from 1 to {MOST_JOBS} is needed here", key="jobs"))


def _path(given: Place) -> Path | None:
    return None if given is None else with_home(Path(given))


def _file(given: Source) -> Path:
    """Return the file whose folder is the user's own: that of the experiment, or one in the working folder."""
    return with_home(Path(given)) if isinstance(given, str | PathLike) else MAPPING


def _name(given: Source, asked: Experiment | Study | Search) -> str:
    """Return what messages call an experiment: its file, or its name if it is not read from one."""
    return str(given) if isinstance(given, str | PathLike) else asked.name
