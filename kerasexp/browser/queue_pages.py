"""The page of the queue: what waits, runs and has ended; order, pause, logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from kerasexp.browser.form_body import Form, first
from kerasexp.browser.job_queue import ENDED, MOST_AT_ONCE, RUNNING, WAITING, Job, JobQueue
from kerasexp.browser.job_worker import JobWorker
from kerasexp.browser.run_folders import find_folders
from kerasexp.browser.run_list import MARKS
from kerasexp.console import command_line
from kerasexp.errors import Problem, UserError


class QueuePages:
    """The pages of a queue.

    Args:
        queue, worker: the jobs, and what runs them.
        page: renders a template.
    """

    def __init__(self, queue: JobQueue, worker: JobWorker, page: Callable[..., str]):
        self._queue, self._worker, self._page = queue, worker, page

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses of the pages."""
        app.get("/queue", response_class=HTMLResponse)(self.queue)
        app.get("/queue/log/{number}", response_class=HTMLResponse)(self.log)
        for action in (
            self.remove,
            self.clear,
            self.up,
            self.down,
            self.stop,
            self.pause,
            self.go_on,
            self.set_at_once,
        ):
            app.post(f"/queue/{action.__name__}")(action)

    def queue(self) -> str:
        """Return the page of all jobs: those that run, those that wait, and those that have ended, the last one first."""
        content = self._queue.read()
        groups = [
            ("Running", content.with_status(RUNNING)),
            ("Waiting", content.with_status(WAITING)),
            ("Ended", content.with_status(*ENDED)[::-1]),
        ]
        shown = [(title, [self._details(job) for job in jobs]) for title, jobs in groups if jobs]
        return self._page(
            "queue.html",
            groups=shown,
            at_once=content.at_once,
            most=MOST_AT_ONCE,
            is_paused=self._worker.is_paused,
            is_elsewhere=self._worker.is_elsewhere,
            failure=self._worker.failure,
            waiting=len(content.with_status(WAITING)),
        )

    def log(self, number: int) -> str:
        """Return the page of what a job has printed."""
        job = self._queue.read().job(number)
        return self._page("job_log.html", text=self._queue.log_text(job), **self._details(job))

    def remove(self, fields: Form) -> Response:
        """Remove a job that does not run."""
        return self._changed(lambda: self._queue.remove([_number(fields, "job")]))

    def clear(self) -> Response:
        """Remove all jobs that have ended."""
        return self._changed(lambda: self._queue.remove([job.id for job in self._queue.read().with_status(*ENDED)]))

    def up(self, fields: Form) -> Response:
        """Let a job begin before the one in front of it."""
        return self._moved(fields, up=True)

    def down(self, fields: Form) -> Response:
        """Let a job begin after the one behind it."""
        return self._moved(fields, up=False)

    def stop(self, fields: Form) -> Response:
        """Interrupt a job, as Ctrl-C would."""
        return self._changed(lambda: self._worker.stop(_number(fields, "job")))

    def pause(self) -> Response:
        """Let no further job begin."""
        return self._changed(lambda: setattr(self._worker, "is_paused", True))

    def go_on(self) -> Response:
        """Let jobs begin again."""
        return self._changed(lambda: setattr(self._worker, "is_paused", False))

    def set_at_once(self, fields: Form) -> Response:
        """Set how many jobs run side by side."""
        return self._changed(lambda: self._queue.set_at_once(_number(fields, "count")))

    def _moved(self, fields: dict[str, list[str]], up: bool) -> Response:
        number = _number(fields, "job")
        self._queue.move(number, up)
        return RedirectResponse(f"/queue#job-{number}", status_code=303)

    def _changed(self, change: Callable[[], Any]) -> Response:
        change()
        self._worker.wake()
        return RedirectResponse("/queue", status_code=303)

    def _details(self, job: Job) -> dict[str, Any]:
        place = None if job.place is None else self._queue.root / job.place
        more = [] if place is None else ["--run-dir", place]
        # Until a run has read its data, its directory is empty.
        has_begun = place is not None and next(find_folders(place), None) is not None
        return {
            "job": job,
            "run": job.place if has_begun else None,
            "mark": MARKS.get(job.status, "…"),
            "command": command_line(*job.arguments, *more),
            "error": self._queue.error_of(job),
            "has_log": self._queue.log(job).is_file(),
            "again": "/new?" + urlencode({"experiment": job.experiment, "set": "\n".join(job.changes)}),
        }


def _number(fields: dict[str, list[str]], name: str) -> int:
    given = first(fields, name)
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise UserError(Problem(f"got {given[:20]!r}; a whole number is needed here", key=name))
    return int(given)
