"""Runs the jobs of a queue, each in a process of its own that does not end with the server."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread

from kerasexp.browser import run_processes
from kerasexp.browser.job_queue import RUNNING, WAITING, Job, JobQueue, QueueContent
from kerasexp.browser.run_entries import read_entry
from kerasexp.browser.run_folders import find_folders
from kerasexp.browser.run_index import status_now
from kerasexp.environment import now
from kerasexp.errors import KerasexpError, Problem, UserError
from kerasexp.runs.directory import RunDirectory
from kerasexp.storage import exclusive_lock, is_locked, write_text

# How often the processes are looked at, and whether another server has left the queue to this one.
STEP_SECONDS, TAKE_OVER_SECONDS = 0.5, 3.0
# Exit codes of a command that was interrupted, and of a process that was before it could say so.
INTERRUPTED = tuple(code for number in (signal.SIGINT, signal.SIGTERM) for code in (128 + number, -number))
# What a job was that ended unseen, by the status in its directory; any other has failed.
ENDS = {"finished": "finished", "interrupted": "interrupted", "unfinished": "interrupted"}


class JobWorker:
    """Starts what waits in a queue, and sees how it ends. One server at a time does so for one queue.

    Args:
        queue: the queue.

    Attributes:
        is_paused: whether no job begins until the user says so, as after a restart of the server with jobs that wait.
        is_elsewhere: whether another server runs the jobs.
        failure: why the queue cannot go on, such as a full disk, which also pauses it; empty if it can.
    """

    def __init__(self, queue: JobQueue):
        self._queue, self._wake, self._processes = queue, Event(), {}
        self._stepping = Lock()
        self.is_paused = bool(queue.read().with_status(WAITING))
        self.is_elsewhere = False
        self.failure = ""

    def start(self) -> None:
        """Work in a thread of this process until it ends."""
        Thread(target=self._work, daemon=True, name="queue").start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def _work(self) -> None:
        while not self._queue.folder.is_dir():
            self._sleep(TAKE_OVER_SECONDS)
        while True:
            try:
                with exclusive_lock(self._queue.folder / "worker.lock"):
                    self.is_elsewhere = False
                    while True:
                        self._try_step()
                        self._sleep(STEP_SECONDS)
            except BlockingIOError:
                self.is_elsewhere = True
            except Exception as error:
                self._note(error)
            self._sleep(TAKE_OVER_SECONDS)

    def _try_step(self) -> None:
        """Do a step. What hinders it now, such as a full disk, may not do so later; without this thread no job would begin."""
        try:
            self.step()
            if not self.is_paused:  # what has paused it may be a failure
                self.failure = ""
        except Exception as error:
            self._note(error)

    def _note(self, error: Exception) -> None:
        """Note for the page why the queue cannot go on; print it once, with its traceback if nobody has foreseen it."""
        is_foreseen = isinstance(error, KerasexpError | OSError)
        text = str(error) if is_foreseen else f"{type(error).__name__}: {error}"
        if text != self.failure:
            shown = f"error: {text}\n" if is_foreseen else "".join(traceback.format_exception(error))
            print(f"the queue: {shown}", end="", file=sys.stderr, flush=True)
        self.failure = text

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def step(self) -> None:
        """Note which jobs have ended, and start as many as may run.

        Raises:
            RunError: the queue cannot be written, as on a full disk. A job that has just begun is ended, and none begins
                before the user says so: it would be started again and again.
        """
        with self._stepping:
            content = self._queue.read()
            if any(self._has_ended(job) for job in content.with_status(RUNNING)):
                content = self._queue.change(self._without_ended)
            while not self.is_paused and content.with_status(WAITING) and self._has_room(content):
                try:
                    content = self._queue.change(self._with_next)
                except KerasexpError:
                    self.is_paused = True
                    self._end_unnoted()
                    raise

    def stop(self, number: int) -> None:
        """Interrupt a running job, as Ctrl-C would: a training saves its state.

        Raises:
            UserError: it does not run, or this system cannot interrupt it.
        """
        job = self._queue.read().job(number)
        if job.status != RUNNING or job.process is None or job.place is None:
            raise UserError(Problem("is not running now", f"job {number}"))
        if os.name == "nt":
            raise UserError(Problem("cannot be interrupted from here on Windows", f"job {number}"))
        if not self._is_there(job):
            # The command has outlived its guard; its directory says which process it is, and which signal it heeds.
            run_processes.stop(self._queue.root / job.place)
            return
        if job.host != platform.node():  # a lock is seen on every machine that shares the folder
            raise UserError(Problem(f"runs on {job.host or 'another machine'}; stop it there", f"job {number}"))
        with suppress(ProcessLookupError):
            # The guard heeds it also where this server ignores it. A study or a search asks its own processes.
            os.kill(job.process, signal.SIGINT)

    def _has_room(self, content: QueueContent) -> bool:
        return len(content.with_status(RUNNING)) < content.at_once

    def _with_next(self, content: QueueContent) -> QueueContent:
        """Start the first job that waits."""
        waiting = content.with_status(WAITING)
        if not waiting or not self._has_room(content):
            return content
        job = replace(waiting[0], started=now())
        try:
            started = self._started(job)
        except (KerasexpError, OSError) as error:
            write_text(self._queue.log(job), f"error: {error}\n")
            started = replace(job, status="failed", ended=now())
        return content.changed(started)

    def _end_unnoted(self) -> None:
        noted = {job.id for job in self._queue.read().with_status(RUNNING)}
        for number in self._processes.keys() - noted:
            self._processes.pop(number).terminate()

    def _started(self, job: Job) -> Job:
        root = self._queue.root.resolve()
        place = RunDirectory.create_place(job.name, None, root)
        lock, code = self._queue.lock(job), self._queue.code(job)
        code.unlink(missing_ok=True)  # of a job of this number in a queue that was damaged since
        guard = [sys.executable, "-m", "kerasexp.browser.job_process", str(lock.resolve()), str(code.resolve())]
        with self._queue.log(job).open("wb") as log:
            process = subprocess.Popen(
                [*guard, *job_command(job, place)],
                cwd=job.folder,
                # What is printed is in the log at once.
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[job.id] = process
        where = place.relative_to(root).as_posix()
        return replace(job, status=RUNNING, place=where, process=process.pid, host=platform.node())

    def _is_there(self, job: Job) -> bool:
        """Return whether the process of a job is; the number of one that has ended may be that of another."""
        process = self._processes.get(job.id)
        # One that an earlier server has started is known by its lock.
        return process.poll() is None if process is not None else is_locked(self._queue.lock(job))

    def _has_ended(self, job: Job) -> bool:
        if self._is_there(job):
            return False
        # A command whose guard was killed may be there still.
        return self._queue.exit_code(job) is not None or self._status(job) != RUNNING

    def _without_ended(self, content: QueueContent) -> QueueContent:
        for job in content.with_status(RUNNING):
            if self._has_ended(job):
                content = content.changed(self._ended(job))
        return content

    def _ended(self, job: Job) -> Job:
        self._processes.pop(job.id, None)
        code = self._queue.exit_code(job)
        if code is None:
            status = ENDS.get(self._status(job), "failed")
        else:
            status = "finished" if code == 0 else "interrupted" if code in INTERRUPTED else "failed"
        # A mistake of the user leaves the directory empty.
        place = job.place
        if place is not None and status == "failed":
            with suppress(OSError):
                (self._queue.root / place).rmdir()
                place = None
        return replace(job, status=status, code=code, place=place, ended=now(), process=None)

    def _status(self, job: Job) -> str:
        """Return the status that is written in the directory of a job."""
        place = self._queue.root / str(job.place)
        found = next(find_folders(place), None)
        entry = read_entry(place, found) if found is not None and found.path == "." else None
        return "unknown" if entry is None else status_now(place, entry.state)


def job_command(job: Job, place: Path) -> list[str]:
    """Return the command that runs a job in a directory."""
    return [sys.executable, "-m", "kerasexp", *job.arguments, "--run-dir", str(place)]
