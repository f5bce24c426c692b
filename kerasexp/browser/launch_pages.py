"""The page that starts runs: choose an experiment, change keys with the errors at once, save, check, put into the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from kerasexp.browser.command_process import CommandProcess
from kerasexp.browser.experiment_draft import MOST_JOBS, Draft, LaunchOptions, changes_of, draft_of
from kerasexp.browser.experiment_fields import shape_of
from kerasexp.browser.form_body import Fields, Form, first
from kerasexp.browser.job_queue import JobQueue
from kerasexp.browser.job_worker import JobWorker
from kerasexp.browser.launchable_files import LaunchableFiles
from kerasexp.browser.saved_changes import FileIsThere, save_changes
from kerasexp.errors import Problem, UserError
from kerasexp.report.template_environment import template_environment

_check = CommandProcess("check")


class LaunchPages:
    """The page of a new run.

    Args:
        queue, worker: where jobs are put.
        page: renders a template.
    """

    def __init__(self, queue: JobQueue, worker: JobWorker, page: Callable[..., str]):
        self._files, self._queue, self._worker, self._page = LaunchableFiles(queue.root), queue, worker, page

    def add_to(self, app: FastAPI) -> None:
        """Add the addresses of the pages."""
        app.get("/new", response_class=HTMLResponse)(self.new)
        app.post("/new", response_class=HTMLResponse)(self.show)
        app.post("/new/draft")(self.draft)
        app.post("/new/check", response_class=HTMLResponse)(self.check)
        app.post("/new/save")(self.save)
        app.post("/new/add")(self.add)

    def new(self, request: Request) -> str:
        """Return the page of an experiment with changes, as in the address; without one, those to choose from."""
        fields = parse_qs(request.url.query, keep_blank_values=True)
        return self._launch_page(self._draft(fields) if first(fields, "experiment") else None, fields)

    def show(self, fields: Form) -> str:
        """Return the page with what is wrong, for browsers without JavaScript."""
        return self._launch_page(self._draft(fields), fields)

    def draft(self, fields: Form) -> dict[str, Any]:
        """Return what is wrong with changes, the resolved YAML, and the form if it has other fields than the page."""
        draft, options = self._draft(fields), LaunchOptions()
        problems = [shown_problem(problem, draft) for problem in draft.problems]
        try:
            options = _options(fields)
        except UserError as error:
            problems += [shown_problem(problem, draft) for problem in error.problems]
        form = draft.fields()
        shape = shape_of(form) if form else first(fields, "shape")
        parts = template_environment().get_template("launch_parts.html").module
        return {
            "problems": problems,
            "questions": [problem.message for problem in draft.questions],
            "kind": draft.kind,
            "command": draft.command(options),
            "yaml": str(parts.yaml_lines(draft.yaml_lines())) if draft.asked is not None else None,
            # A list with one item more, and with one less: its items may have changed without another form.
            "items": {each.key: each.more for top in form for each in top.all() if each.control == "items"},
            "shape": shape,
            "form": str(parts.key_fields(form)) if form and shape != first(fields, "shape") else None,
        }

    def check(self, fields: Form) -> str:
        """Return the page with what `check` prints, which reads the data."""
        draft, options = self._draft(fields), _options(fields)
        if draft.asked is None:
            return self._launch_page(draft, fields)
        arguments = [part for change in draft.changes for part in ("--set", change)]
        arguments += ["--trust-code"] if options.trust_code else []
        try:
            done = _check.run(draft.file.name, *arguments)
        except UserError as error:
            return self._launch_page(draft, fields, message=str(error))
        checked = done.returncode == 0, (done.stdout + done.stderr).strip()
        return self._launch_page(draft, fields, checked=checked)

    def save(self, fields: Form) -> Response:
        """Save the changes as a YAML file, and show it; ask before a file is replaced."""
        draft = self._draft(fields)
        try:
            path = save_changes(draft, first(fields, "name"), replace=bool(first(fields, "replace")))
        except FileIsThere as error:
            return HTMLResponse(self._launch_page(draft, fields, message=str(error), may_replace=True))
        except UserError as error:
            return HTMLResponse(self._launch_page(draft, fields, message=str(error)))
        address = urlencode({"experiment": self._files.find(str(path)).name, "saved": "1"})
        return RedirectResponse(f"/new?{address}", status_code=303)

    def add(self, fields: Form) -> Response:
        """Put the experiment into the queue, unless something is wrong or its code is not trusted."""
        draft, options = self._draft(fields), _options(fields)
        if draft.asked is None:
            return HTMLResponse(self._launch_page(draft, fields))
        if draft.questions and not options.trust_code:
            message = "the experiment has code that is not yours; read it, then tick the box that trusts it"
            return HTMLResponse(self._launch_page(draft, fields, message=message))
        self._queue.add(draft.asked.name, draft.kind, draft.file.name, draft.changes, draft.arguments(options))
        self._worker.wake()
        return RedirectResponse("/queue", status_code=303)

    def _draft(self, fields: Fields) -> Draft:
        return draft_of(self._files.find(first(fields, "experiment")), changes_of(first(fields, "set")))

    def _launch_page(self, draft: Draft | None, fields: Fields, **more: Any) -> str:
        form = [] if draft is None else draft.fields()
        content = {
            "files": self._files.all(),
            "draft": draft,
            "problems": [] if draft is None else [shown_problem(problem, draft) for problem in draft.problems],
            "changes": first(fields, "set").replace("\r\n", "\n"),
            "options": _options(fields),
            "most_jobs": MOST_JOBS,
            "form": form,
            "shape": shape_of(form) if form else "",
            "saved": bool(first(fields, "saved")),
            "name": first(fields, "name"),
            "message": None, "may_replace": False, "checked": None,
        }  # fmt: skip
        return self._page("launch.html", **{**content, **more})


def shown_problem(problem: Problem, draft: Draft) -> dict[str, str]:
    """Return key and message of a problem; the message names the file if the key is from another than the chosen one."""
    is_elsewhere = (
        problem.file is not None and problem.file.endswith((".yaml", ".yml")) and problem.file != str(draft.file.path)
    )
    return {"key": problem.key or "", "message": problem.message + (f" ({problem.file})" if is_elsewhere else "")}


def _options(fields: Fields) -> LaunchOptions:
    jobs = first(fields, "jobs", "1").strip() or "1"
    if not (jobs.isascii() and jobs.isdecimal() and 1 <= int(jobs[:9]) <= MOST_JOBS):
        raise UserError(Problem(f"got {jobs[:20]!r}; a whole number from 1 to {MOST_JOBS} is needed here", key="jobs"))
    return LaunchOptions(int(jobs), bool(first(fields, "quick")), bool(first(fields, "trust")))
