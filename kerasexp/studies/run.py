"""A study from its experiments to its page: each run in its own directory, the table beside them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config import Experiment, Study, resolved_yaml
from kerasexp.config.study_section import folder_of, result_yaml
from kerasexp.config.track_section import Track
from kerasexp.console import Console, Finished, JobEnded, Started
from kerasexp.console.shown_words import duration_text
from kerasexp.custom.trust import code_of
from kerasexp.errors import KerasexpError, Problem, RunError, UserError, closest, listing
from kerasexp.executors import Executor, make_executor, run_all
from kerasexp.executors.job_position import JobPosition
from kerasexp.executors.tasks import Task, TaskResult
from kerasexp.runs.finished_run import FinishedRun, read_finished
from kerasexp.runs.identity import NUMERICS_VERSION
from kerasexp.runs.tracker_process import followed, require_trackers
from kerasexp.studies.directory import StudyDirectory
from kerasexp.studies.results import RunOutcome, StudyResults, gather_results, metrics_by_seed
from kerasexp.studies.seed_statistics import spread
from kerasexp.studies.table import markdown
from kerasexp.training.interruption import interruption_as_error

# After each saving, the study goes on for at least so many times as long: that of thousands of runs takes a second.
RUNNING_PER_SAVING = 20


@dataclass(frozen=True)
class FinishedStudy:
    """A study of which no run has failed: its directory, and what its page shows."""

    directory: StudyDirectory
    results: StudyResults

    @property
    def path(self) -> Path:
        return self.directory.path

    @property
    def table(self) -> str:
        """The table in Markdown."""
        return markdown(self.results)


def run_study(
    study: Study,
    run_dir: Path | None,
    console: Console,
    jobs: int = 1,
    only: Collection[str] = (),
    is_part: bool = False,
) -> FinishedStudy:
    """Make all runs of a study that are not finished yet.

    An unfinished study of the same content is resumed. A finished run of the same content and data is not trained again,
    whether it is in this directory or in an earlier one of the study.

    Args:
        study: what to run.
        run_dir: the directory to create or to resume; None for the newest one below `runs/<name>` that holds this study, or
            the next number.
        console: where progress is shown.
        jobs: how many runs at once.
        only: the variants to run now; empty for all. The table includes all runs that are finished.
        is_part: whether it belongs to a search, which sends its runs to trackers.

    Raises:
        UserError: `run_dir` holds something else, there is no such variant, or a tracker is not installed.
        RunError: a run failed. All other runs have been made; the table shows which one failed.
        Interrupted: the process was asked to stop. Unfinished runs can be resumed.
    """
    from kerasexp.studies.page import write_study_page

    _refuse_unknown(only, study)
    require_trackers(study.track, study.name)
    count = sum(not only or name in only for name, _, _ in study.runs())
    # Raises if the executor is not installed, before anything is written.
    prepared_executor = make_executor(study.execution, jobs, count, console)
    directory = StudyDirectory.find_or_create(study.name, _key(study), run_dir, makes_room=is_part)
    progress = _StudyProgress(study, directory, only)
    track = Track() if is_part else study.track
    # The lock is free again when the rest is sent: with it, whatever was interrupted would be sent as still running.
    with interruption_as_error(), followed(directory.path, track, console), directory.locked():
        console.show(Started("study", study.name, directory.path, directory.table.exists(), jobs=count))
        directory.write_experiment(resolved_yaml(study))
        progress.save(is_over=False)  # what it consists of, for whoever looks at it while it runs
        if jobs > 1 or study.execution.executor == "ray":
            _run_upstreams(study.name, [task.experiment for task in progress.wanted], console)
        try:
            with prepared_executor as executor:
                progress.run(executor, console)
        finally:
            results = progress.save()
        write_study_page(directory.page, directory.plots, results)
    if results.failed:
        console.line(markdown(results))
        first = results.failed[0]
        raise RunError(
            f"{len(results.failed)} of {count} runs failed; the first is {first.variant}, seed {first.seed}: "
            f"{first.cause}. The results of the others are in {directory.path}"
        )
    done = FinishedStudy(directory, results)
    console.show(_finished_event(done))
    return done


def _refuse_unknown(names: Collection[str], study: Study) -> None:
    for name in names:
        if name not in study.variants:
            message = f"no variant '{name}'{closest(name, study.variants)}; there are {listing(study.variants)}"
            raise UserError(Problem(message, study.name, "--variant"))


def _key(study: Study) -> str:
    """Return the digest of what decides the results of a study."""
    code = sorted({part.digest for _, part in code_of(study)})
    return hashlib.sha256(f"{NUMERICS_VERSION} {study.quick} {result_yaml(study)}{''.join(code)}".encode()).hexdigest()


class _StudyProgress:
    """The runs of a study, and how far they are.

    Attributes:
        wanted: the runs to make now.
    """

    def __init__(self, study: Study, directory: StudyDirectory, only: Collection[str]):
        self._study, self._directory = study, directory
        self._tasks = [_task(directory, *run) for run in study.runs()]
        self.wanted = [task for task in self._tasks if not only or task.name in only]
        # By variant and seed.
        self._ended: dict[tuple[str, int], TaskResult] = {}
        self._finished: dict[tuple[str, int], FinishedRun] = {}
        # A study that is resumed has them from its start, and also if it is interrupted before it has come to them again.
        for task in self._tasks:
            with suppress(UserError):
                self._finished[task.name, task.seed] = read_finished(task.folder)

    def run(self, executor: Executor, console: Console) -> None:
        """Make the wanted runs, and report each."""
        next_saving = 0.0
        with console.jobs(self._study.name, len(self.wanted)) as table:

            def begin(task: Task) -> None:
                table.start(_job_name(task), JobPosition(task.folder))

            # Only where several run at once does another order save time.
            order = {"choose": self._longest} if executor.free_slots > 1 else {}
            for number, result in enumerate(run_all(self.wanted, executor, begin, **order), start=1):
                place = result.task.name, result.task.seed
                self._refuse_to_lose(result)
                self._ended[place] = result
                self._finished.pop(place, None)
                if result.failure is None:
                    self._finished[place] = read_finished(result.task.folder)
                table.end(_job_name(result.task))
                console.show(self._job_ended(result, number))
                if (begun := time.monotonic()) >= next_saving:
                    self.save(is_over=False)
                    next_saving = time.monotonic() + RUNNING_PER_SAVING * (time.monotonic() - begun)

    def _refuse_to_lose(self, result: TaskResult) -> None:
        """Raise RunError if a run has finished before and cannot be made again, as when the data have changed since."""
        if result.failure is not None and (result.task.name, result.task.seed) in self._finished:
            what = f"{_job_name(result.task)} had finished, and now fails: {result.failure.cause}"
            raise RunError(f"{what}. The results of before are kept; name another --run-dir for new ones")

    def _longest(self, waiting: list[Task]) -> Task:
        """Return, of the runs with the first seed that waits, the one whose variant has trained longest with other seeds.

        A long run that starts last would keep one core busy at the end, and leave the others idle.
        """
        seconds = {name: run.metrics["train_seconds"] for (name, _), run in self._finished.items()}
        of_seed = [task for task in waiting if task.seed == waiting[0].seed]
        return max(of_seed, key=lambda task: seconds.get(task.name, 0))

    def save(self, is_over: bool = True) -> StudyResults:
        """Write the table and the results so far, and return them; `is_over`: whether no other run is made."""
        results = gather_results(self._study, [self._outcome(task) for task in self._tasks], self._finished)
        self._directory.write_results(results.to_json(is_over), markdown(results))
        return results

    def _job_ended(self, result: TaskResult, number: int) -> JobEnded:
        """Return the event of a run that has ended, with the mean of its variant so far."""
        task, total, metrics, so_far = result.task, len(self.wanted), {}, {}
        text = f"{number:>{len(str(total))}}/{total}  {_job_name(task)}: "
        if result.failure is not None:
            text += f"FAILED: {result.failure.cause}"
        else:
            by_seed = metrics_by_seed(task.name, self._finished)
            metrics = {name: values[task.seed] for name, values in by_seed.items()}
            so_far = {name: spread(list(values.values())).mean for name, values in by_seed.items()}
            text += f"test accuracy {metrics['test_accuracy']:.4f}, {duration_text(metrics['train_seconds'])}"
            if (seeds := len(by_seed["test_accuracy"])) > 1:
                text += f"; mean of {seeds} seeds {so_far['test_accuracy']:.4f}"
        cause = None if result.failure is None else result.failure.cause
        status = "finished" if cause is None else "failed"
        return JobEnded(
            "study", task.name, task.seed, task.folder, status, number, total, metrics, so_far, cause=cause, text=text
        )

    def _outcome(self, task: Task) -> RunOutcome:
        place, folder = (task.name, task.seed), task.folder.relative_to(self._directory.path).as_posix()
        result = self._ended.get(place)
        if result is not None and result.failure is not None:
            return RunOutcome(*place, folder, "failed", result.failure.cause)
        status = "finished" if place in self._finished else "interrupted" if task.folder.exists() else "waiting"
        return RunOutcome(*place, folder, status)


def _task(directory: StudyDirectory, variant: str, seed: int, experiment: Experiment) -> Task:
    folder = directory.run(folder_of(variant), seed)
    folder.parent.mkdir(exist_ok=True)
    earlier = [other.run(folder_of(variant), seed) for other in directory.earlier()]
    return Task(variant, seed, experiment, folder, folder.with_suffix(".log"), earlier)


def _run_upstreams(name: str, experiments: list[Experiment], console: Console) -> None:
    """Make the upstream runs one after the other; in parallel, each process would make its own."""
    seen = []
    for experiment in experiments:
        if experiment.init is None or experiment.init.experiment in seen:
            continue
        seen.append(experiment.init.experiment)
        from kerasexp.backend import import_tensorflow

        import_tensorflow()
        from kerasexp.runs.run import run_upstream

        try:
            run_upstream(experiment, console, resume=True)
        except KerasexpError as error:
            if error.exit_code > 2:  # asked to stop
                raise
            # Each run that starts from it fails with this error.
    if seen:
        console.heading(name)


def _finished_event(done: FinishedStudy) -> Finished:
    """Return the event of a finished study: its table, and the means of each variant over its seeds."""
    metrics = {
        variant.name: {name: found.mean for name, found in variant.metrics.items()} for variant in done.results.variants
    }
    page = done.directory.page
    return Finished("study", done.results.study.name, done.path, page, metrics, text=f"\n{done.table}\nreport: {page}")


def _job_name(task: Task) -> str:
    return f"{task.name}, seed {task.seed}"
