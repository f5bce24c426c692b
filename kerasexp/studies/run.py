"""A study from the experiments to the page: every run in its own directory, the table beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from kerasexp.config import Experiment, Study, resolved_yaml
from kerasexp.config.study import folder_of
from kerasexp.console import Console
from kerasexp.errors import KerasexpError, Problem, RunError, UserError, closest, listing
from kerasexp.executors import execute, executor_of
from kerasexp.executors.tasks import Ending, Task
from kerasexp.runs.finished import FinishedRun, read_finished
from kerasexp.studies.directory import StudyDirectory
from kerasexp.studies.results import Outcome, StudyResults, gather
from kerasexp.studies.table import markdown
from kerasexp.training.interruption import interruption_is_an_error

Place = tuple[str, int]


def run_study(study: Study, run_dir: Path | None, console: Console, jobs: int = 1, only: Collection[str] = ()) -> Path:
    """Make all runs of a study that have not been made, and return the study's directory.

    An unfinished study of the same content is gone on with. A finished run is known by its content and data and is not
    trained again, in this directory or an earlier one of the study.

    Args:
        study: what to run.
        run_dir: the directory to make or to go on with; None for the newest below `runs/<name>` that holds this study, or the
            next number.
        console: where progress is shown.
        jobs: how many runs at once.
        only: the variants to run now; none for all of them. The table has all that have been run.

    Raises:
        UserError: `run_dir` holds something else, or there is no such variant.
        RunError: a run failed; all others have been made, and the table says which.
        Interrupted: the process was asked to stop; what was running can be gone on with.
    """
    for name in only:
        if name not in study.variants:
            message = f"no variant '{name}'{closest(name, study.variants)}; there: {listing(study.variants)}"
            raise UserError(Problem(message, study.name, "--variant"))
    text = resolved_yaml(study)
    key = hashlib.sha256(f"{study.quick} {text}".encode()).hexdigest()
    count = sum(not only or name in only for name, _, _ in study.runs())
    # Says what is missing before anything is written.
    carried_out_by = executor_of(study.execution, jobs, count, console)
    directory = StudyDirectory.find_or_create(study.name, key, run_dir)
    tasks = [_task(directory, *run) for run in study.runs()]
    wanted = [task for task in tasks if not only or task.name in only]
    endings: dict[Place, Ending] = {}
    finished = _finished_before([task for task in tasks if task not in wanted])

    def save() -> StudyResults:
        results = gather(study, [_outcome(task, endings, finished, directory) for task in tasks], finished)
        directory.write_results(results.to_json(), markdown(results))
        return results

    with directory.held(), interruption_is_an_error():
        directory.write_experiment(text)
        if jobs > 1 or study.execution.executor == "ray":
            _run_upstreams([task.experiment for task in wanted], console)
        try:
            with carried_out_by as executor, console.bar(study.name, len(wanted)) as bar:
                for number, ending in enumerate(execute(wanted, executor), start=1):
                    place = ending.task.name, ending.task.seed
                    endings[place] = ending
                    if ending.status == "finished":
                        finished[place] = read_finished(ending.task.folder)
                    console.line(f"{number:>4}/{len(wanted)}  {_told(ending, finished.get(place))}")
                    bar.advance(number)
                    save()
        finally:
            results = save()
        _write_page(directory, results)
    console.line(markdown(results))
    if results.failed:
        first = results.failed[0]
        raise RunError(
            f"{len(results.failed)} of {len(wanted)} runs failed; the first is {first.variant}, seed {first.seed}: "
            f"{first.cause}. What the others gave is in {directory.path}"
        )
    return directory.path


def _task(directory: StudyDirectory, variant: str, seed: int, experiment: Experiment) -> Task:
    folder = directory.run(folder_of(variant), seed)
    folder.parent.mkdir(exist_ok=True)
    earlier = [other.run(folder_of(variant), seed) for other in directory.earlier()]
    return Task(variant, seed, experiment, folder, folder.with_suffix(".log"), earlier)


def _finished_before(tasks: list[Task]) -> dict[Place, FinishedRun]:
    """Return the finished ones among runs that are not asked for now."""
    found = {}
    for task in tasks:
        with suppress(UserError):
            found[task.name, task.seed] = read_finished(task.folder)
    return found


def _outcome(
    task: Task, endings: dict[Place, Ending], finished: dict[Place, FinishedRun], directory: StudyDirectory
) -> Outcome:
    place, folder = (task.name, task.seed), str(task.folder.relative_to(directory.path))
    if place in endings:
        return Outcome(*place, folder, endings[place].status, endings[place].cause)
    status = "finished" if place in finished else "interrupted" if task.folder.exists() else "waiting"
    return Outcome(*place, folder, status)


def _run_upstreams(experiments: list[Experiment], console: Console) -> None:
    """Make the runs that others start from, one after the other: two processes would each make their own."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.runs.run import run_upstream

    seen = []
    for experiment in experiments:
        if experiment.init is None or experiment.init.experiment in seen:
            continue
        seen.append(experiment.init.experiment)
        try:
            run_upstream(experiment, console, resume=True)
        except KerasexpError as error:
            if error.exit_code > 2:  # asked to stop
                raise
            # Those that start from it will say so, each for itself.


def _told(ending: Ending, run: FinishedRun | None) -> str:
    name = f"{ending.task.name}, seed {ending.task.seed}"
    if run is None:
        return f"{name}: FAILED: {ending.cause}"
    return f"{name}: test accuracy {run.metrics['test']['accuracy']:.4f} ({run.metrics['train_seconds']:.0f} s)"


def _write_page(directory: StudyDirectory, results: StudyResults) -> None:
    from kerasexp.studies.page import write_study_page

    write_study_page(directory.page, directory.plots, results)
