"""The queue of jobs, in a hidden folder of the runs: what waits, what runs, how it ended. It outlives the server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from kerasexp.environment import now
from kerasexp.errors import Problem, UserError
from kerasexp.storage import exclusive_lock, write_errors, write_json

FOLDER = ".queue"
WAITING, RUNNING, ENDED = "waiting", "running", ("finished", "failed", "interrupted")
MOST_AT_ONCE, MOST_WAITING = 16, 1000
# Jobs that have ended, and their logs: so many of the last ones are kept.
MOST_ENDED = 200
# Of a log, at most so much is shown.
LOG_BYTES, ERROR_LINES = 200_000, 12


@dataclass(frozen=True)
class Job:
    """A command in the queue.

    Attributes:
        id: counts up.
        name: of the experiment.
        kind: run, study or search.
        experiment: its file or shipped name, as the command takes it.
        changes: `key=value` texts.
        arguments: of the command, without `--run-dir`.
        folder: the working folder, in which relative paths are looked for.
        status: waiting, running, finished, failed or interrupted.
        place: the directory of the run relative to the folder of all runs; None before it has begun.
        process: number of the process that runs the command; None if it does not run.
        host: the name of the machine where it runs.
        added, started, ended: times in UTC; None for not yet.
        code: exit code; None for none, as of a process that was killed.
    """

    id: int
    name: str
    kind: str
    experiment: str
    changes: tuple[str, ...]
    arguments: tuple[str, ...]
    folder: str
    status: str = WAITING
    place: str | None = None
    process: int | None = None
    host: str | None = None
    added: str | None = None
    started: str | None = None
    ended: str | None = None
    code: int | None = None


@dataclass(frozen=True)
class QueueContent:
    """The queue at one moment.

    Attributes:
        jobs: those that wait in the order in which they will begin.
        at_once: how many run side by side.
        next: the number of the next job.
    """

    jobs: tuple[Job, ...] = ()
    at_once: int = 1
    next: int = 1

    def with_status(self, *status: str) -> list[Job]:
        return [job for job in self.jobs if job.status in status]

    def job(self, number: int) -> Job:
        """Return a job; raise UserError if it has been removed."""
        found = next((job for job in self.jobs if job.id == number), None)
        if found is None:
            raise UserError(Problem("no such job; it may have been removed meanwhile", f"job {number}"))
        return found

    def changed(self, job: Job) -> QueueContent:
        """Return the content with another version of one job."""
        return replace(self, jobs=tuple(job if each.id == job.id else each for each in self.jobs))


class JobQueue:
    """The queue of a folder of runs.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path):
        self.root = root
        self.folder = root / FOLDER
        self._file = self.folder / "queue.json"

    def read(self) -> QueueContent:
        """Return the queue; an empty one if there is none, or its file is damaged."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            names = {field.name for field in fields(Job)}
            jobs = tuple(
                Job(**{**{k: v for k, v in job.items() if k in names}, "changes": tuple(job["changes"]),
                       "arguments": tuple(job["arguments"])})
                for job in content["jobs"]
            )  # fmt: skip
            return QueueContent(jobs, int(content["at_once"]), int(content["next"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return QueueContent()

    def change(self, change: Callable[[QueueContent], QueueContent]) -> QueueContent:
        """Replace the queue by what `change` makes of it, while no other process does.

        Raises:
            RunError: the folder cannot be written.
        """
        with self._locked():
            content = change(self.read())
            dropped = sorted(content.with_status(*ENDED), key=lambda job: job.ended or "")[:-MOST_ENDED]
            content = replace(content, jobs=tuple(job for job in content.jobs if job not in dropped))
            write_json(self._file, asdict(content))
            self._delete_files(dropped)
            return content

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as held:
            with write_errors(self.folder):
                self.folder.mkdir(exist_ok=True)
                held.enter_context(exclusive_lock(self.folder / "queue.lock", lambda: None))
            yield

    def log(self, job: Job) -> Path:
        """Return the file of what a job prints."""
        return self.folder / f"{job.id}.log"

    def lock(self, job: Job) -> Path:
        """Return the file that the process of a job locks."""
        return self.folder / f"{job.id}.lock"

    def code(self, job: Job) -> Path:
        """Return the file of the exit code of a job."""
        return self.folder / f"{job.id}.json"

    def exit_code(self, job: Job) -> int | None:
        """Return the exit code of a job that has ended; None if its process could not write it."""
        try:
            return int(json.loads(self.code(job).read_text(encoding="utf-8"))["code"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def log_text(self, job: Job) -> str:
        """Return the end of what a job has printed; of a line that was written over itself, the last state."""
        try:
            with self.log(job).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - LOG_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")).rstrip("\n")

    def error_of(self, job: Job) -> str:
        """Return the last lines that a failed job has printed."""
        return "\n".join(self.log_text(job).split("\n")[-ERROR_LINES:]) if job.status == "failed" else ""

    def add(self, name: str, kind: str, experiment: str, changes: Sequence[str], arguments: Sequence[str]) -> Job:
        """Add a job at the end.

        Raises:
            UserError: too many wait.
            RunError: the folder cannot be written.
        """

        def change(content: QueueContent) -> QueueContent:
            if len(content.with_status(WAITING)) >= MOST_WAITING:
                raise UserError(Problem(f"{MOST_WAITING:,} jobs wait already", "the queue"))
            job = Job(
                content.next, name, kind, experiment, tuple(changes), tuple(arguments), str(Path.cwd()), added=now()
            )
            return replace(content, jobs=(*content.jobs, job), next=content.next + 1)

        return self.change(change).jobs[-1]

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove jobs that do not run, and their logs; the runs that they made stay."""

        def change(content: QueueContent) -> QueueContent:
            jobs = [content.job(number) for number in numbers]
            running = [job.id for job in jobs if job.status == RUNNING]
            if running:
                raise UserError(Problem("is running; stop it first", f"job {running[0]}"))
            self._delete_files(jobs)
            return replace(content, jobs=tuple(job for job in content.jobs if job not in jobs))

        self.change(change)

    def _delete_files(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            for file in (self.log(job), self.lock(job), self.code(job)):
                with suppress(OSError):
                    file.unlink()

    def move(self, number: int, up: bool) -> None:
        """Let a waiting job and the one before (or after) it change places; at an end of the queue nothing happens."""

        def change(content: QueueContent) -> QueueContent:
            waiting = content.with_status(WAITING)
            job = content.job(number)
            if job not in waiting:
                raise UserError(Problem(f"is {job.status}, and only waiting jobs have an order", f"job {number}"))
            place = waiting.index(job)
            other = place + (-1 if up else 1)
            if not 0 <= other < len(waiting):
                return content
            waiting[place], waiting[other] = waiting[other], waiting[place]
            return replace(content, jobs=(*(j for j in content.jobs if j.status != WAITING), *waiting))

        self.change(change)

    def set_at_once(self, count: int) -> None:
        """Set how many jobs run side by side; raise UserError if the number is out of range."""
        if not 1 <= count <= MOST_AT_ONCE:
            raise UserError(Problem(f"got {count}; from 1 to {MOST_AT_ONCE} jobs run at once", key="at once"))
        self.change(lambda content: replace(content, at_once=count))
