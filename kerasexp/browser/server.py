"""The pages of all runs over HTTP: a table, a page for each run, comparisons, and the files of run directories."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, quote

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from kerasexp import __version__
from kerasexp.browser.comparison_page import comparison_page
from kerasexp.browser.form_body import Fields, Form, first
from kerasexp.browser.job_queue import JobQueue
from kerasexp.browser.job_worker import JobWorker
from kerasexp.browser.launch_pages import LaunchPages
from kerasexp.browser.live_page import live_importance, live_values
from kerasexp.browser.queue_pages import QueuePages
from kerasexp.browser.run_folders import MANIFEST, SUMMARIES
from kerasexp.browser.run_index import RunIndex
from kerasexp.browser.run_list import OFFERED, ListRequest, list_runs
from kerasexp.browser.run_page import run_page
from kerasexp.browser.run_processes import resume, stop
from kerasexp.browser.run_tags import RunTags, read_tags, write_tags
from kerasexp.browser.served_files import TYPES, served_file
from kerasexp.errors import KerasexpError, Problem, UserError
from kerasexp.report.template_environment import FOLDER, template_environment
from kerasexp.saving.json_values import text_of
from kerasexp.web.access import FILE_POLICY, Access
from kerasexp.web.guard import Guard
from kerasexp.web.listener import browser_address, listen

# The path of the folder itself, a run perhaps, which browsers leave out of an address.
HERE = "."
# Pages that follow each other within this time see the same index.
FRESH_SECONDS = 1.0
STATIC = (
    "page.css", "browser.css", "browser.js", "page.js", "live_plot.js", "live.js", "live_jobs.js", "parallel.js",
    "launch.css", "launch.js", "uplot.css", "uplot.js",
)  # fmt: skip


class BrowserServer:
    """The pages of one folder of runs.

    Args:
        root: the folder.
        access: who may see them.
    """

    def __init__(self, root: Path, access: Access):
        self._index = RunIndex(root)
        self._lock, self._refreshed_at = Lock(), float("-inf")
        self.app = FastAPI(title="kerasexp", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
        self.app.middleware("http")(Guard(access, "ui"))
        self.app.exception_handler(KerasexpError)(self._mistake)
        self.app.get("/", response_class=HTMLResponse)(self.all_runs)
        self.app.get("/run/{path:path}", response_class=HTMLResponse)(self.one_run)
        self.app.get("/live/{path:path}")(self.live)
        self.app.get("/importance/{path:path}")(self.importance)
        self.app.get("/compare", response_class=HTMLResponse)(self.compare)
        self.app.get("/files/{path:path}")(self.file)
        self.app.get("/static/{name}")(self.static)
        self.app.post("/tags")(self.change_tags)
        self.app.post("/tag_runs")(self.tag_runs)
        self.app.post("/archive")(self.archive)
        self.app.post("/restore")(self.restore)
        self.app.post("/stop")(self.stop)
        self.app.post("/resume")(self.resume)
        queue = JobQueue(self._index.root)
        self.worker = JobWorker(queue)
        for pages in (LaunchPages, QueuePages):
            pages(queue, self.worker, self._page).add_to(self.app)

    def all_runs(self, request: Request) -> str:
        """Return the page of the table."""
        fields = parse_qs(request.url.query, keep_blank_values=True)
        self._refresh()
        found = list_runs(self._index, ListRequest.from_fields(fields))
        keys = self._index.keys()
        offered = list(dict.fromkeys([*found.request.columns, *(key for key in OFFERED if key in keys)]))
        return self._page("all_runs.html", found=found, offered=offered, keys=keys)

    def one_run(self, path: str) -> str:
        """Return the page of a run, a study or a search, which may have begun a moment ago."""
        self._refresh(fresh_seconds=0)
        return self._page("one_run.html", **run_page(self._index, path or HERE))

    def live(self, path: str, seen: str = "") -> dict[str, Any]:
        """Return the curves of a run, or how far a study or a search has come; see `live_values`."""
        return live_values(self._directory(path or HERE), path or HERE, seen)

    def importance(self, path: str) -> dict[str, Any]:
        """Return how important the values of a search are so far."""
        return live_importance(self._directory(path or HERE), path or HERE)

    def _directory(self, path: str) -> Path:
        """Return the directory of a run, a study or a search."""
        # The index is not asked: these are asked for every second, and cost a training beside them next to nothing.
        for name in (MANIFEST, *SUMMARIES.values()):
            found = served_file(self._index.root, name if path == HERE else f"{path}/{name}")
            if found is not None:
                return found.parent
        raise HTTPException(404, "no such run")

    def compare(self, request: Request) -> HTMLResponse:
        """Return the page that `compare` writes of the runs that were ticked."""
        paths = parse_qs(request.url.query).get("run", [])
        return HTMLResponse(comparison_page(self._places(paths)), headers={"Content-Security-Policy": FILE_POLICY})

    def file(self, path: str) -> Response:
        """Return a file of a run directory."""
        found = served_file(self._index.root, path)
        if found is None:
            raise HTTPException(404, "no such file")
        headers = {"Content-Security-Policy": FILE_POLICY}
        return FileResponse(found, media_type=TYPES[found.suffix], headers=headers)

    def static(self, name: str) -> Response:
        """Return the style or the script of the pages."""
        if name not in STATIC:
            raise HTTPException(404, "no such file")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return FileResponse(FOLDER / name, media_type=kind, headers={"Cache-Control": "no-cache"})

    def change_tags(self, fields: Form) -> Response:
        """Write tags and note of a run."""
        (place,) = self._places(fields.get("run", [])[:1])
        tags = [tag.strip() for tag in first(fields, "tags").split(",") if tag.strip()]
        note = first(fields, "note").replace("\r\n", "\n").strip()
        write_tags(place, RunTags(tuple(tags), note, read_tags(place).archived))
        return self._back(f"/run/{quote(fields['run'][0])}")

    def tag_runs(self, fields: Form) -> Response:
        """Add a tag to the runs that were ticked."""
        tag = first(fields, "tag").strip()
        for place in self._places(fields.get("run", [])):
            old = read_tags(place)
            write_tags(place, RunTags((*old.tags, tag), old.note, old.archived))
        return self._back(first(fields, "back", "/"))

    def archive(self, fields: Form) -> Response:
        """Archive the runs that were ticked; their files stay."""
        return self._set_archived(fields, True)

    def restore(self, fields: Form) -> Response:
        """Restore archived runs."""
        return self._set_archived(fields, False)

    def stop(self, fields: Form) -> Response:
        """Stop a run, a study or a search, as Ctrl-C would."""
        (place,) = self._places(fields.get("run", [])[:1])
        stop(place)
        return self._back(f"/run/{quote(fields['run'][0])}")

    def resume(self, fields: Form) -> Response:
        """Continue an unfinished run, study or search in a process of its own."""
        paths = fields.get("run", [])[:1]
        (place,) = self._places(paths)
        status = next(row["status"] for row in self._index.rows(["path", "status"]) if row["path"] == paths[0])
        resume(place, str(status))
        return self._back(f"/run/{quote(paths[0])}")

    def _set_archived(self, fields: Fields, archived: bool) -> Response:
        for place in self._places(fields.get("run", [])):
            old = read_tags(place)
            write_tags(place, RunTags(old.tags, old.note, archived))
        return self._back(first(fields, "back", "/"))

    def _places(self, paths: Sequence[str]) -> list[Path]:
        """Return the directories of runs, studies and searches; raise UserError if one is not in the index."""
        if not paths:
            raise UserError(Problem("tick a run first"))
        self._refresh()
        known = {row["path"] for row in self._index.rows(["path"])}
        for path in paths:
            if path not in known:
                raise UserError(Problem("no such run; it may have been deleted meanwhile", path))
        return [self._index.root / path for path in paths]

    def _back(self, address: str) -> Response:
        """Return to a page of this server, whose list is read anew."""
        self._refreshed_at = float("-inf")
        local = address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
        return RedirectResponse(local, status_code=303)

    def _refresh(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        with self._lock:
            if time.monotonic() - self._refreshed_at > fresh_seconds:
                self._index.refresh()
                self._refreshed_at = time.monotonic()

    def _page(self, template: str, **content: Any) -> str:
        return template_environment().get_template(template).render(root=text_of(str(self._index.root)), **content)

    def _mistake(self, request: Request, error: Exception) -> Response:
        return HTMLResponse(self._page("browser_error.html", message=str(error)), 400)


def serve(folder: Path, access: Access, port: int, open_browser: bool) -> None:
    """Serve the pages of a folder of runs until Ctrl-C.

    Args:
        folder: of the runs.
        access: the address to listen at, and who may see the pages.
        port: to listen at.
        open_browser: whether to open the page in the browser.

    Raises:
        UserError: there is no such folder, or the address cannot be used.
    """
    server = BrowserServer(folder, access)
    with listen(access.host, port) as listener:
        address = browser_address(access, port)
        print(f"{address}\nCtrl-C ends it", flush=True)
        if open_browser:
            webbrowser.open(address)
        server.worker.start()
        config = uvicorn.Config(server.app, log_level="warning", access_log=False, lifespan="off", server_header=False)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
