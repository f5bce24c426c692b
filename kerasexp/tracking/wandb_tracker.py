"""Runs in Weights & Biases, online or as files for `wandb sync`."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasexp.config.track_section import Wandb
from kerasexp.saving.saved_files import RunFiles
from kerasexp.tracking.tracker import Point, RecordFile, RunRecord, TrackerDown

if TYPE_CHECKING:
    import wandb

OFFLINE = ("offline", "dryrun")
DEFAULT_PROJECT = "kerasexp"
# Seconds for the first answer.
INIT_SECONDS = 20
# Exit codes of a run in W&B, which shows others than 0 as failed.
EXIT_CODES = {"finished": 0}


class WandbTracker:
    """An account of W&B, or the folder `wandb/` of the run directory.

    Args:
        settings: the section `track.wandb`; where it leaves something open, W&B's own variables and settings decide.
        place: the run directory.
    """

    def __init__(self, settings: Wandb, place: Path):
        import wandb

        self._settings, self._folder = settings, RunFiles(place).wandb
        self._mode = settings.mode or wandb.setup().settings.mode
        if self._mode == "disabled":
            raise ValueError("it is switched off by WANDB_MODE or `wandb disabled`")
        self._project = settings.project or os.environ.get("WANDB_PROJECT") or DEFAULT_PROJECT
        self.where = OFFLINE[0] if self._mode in OFFLINE else f"project {self._project}"

    def open(self, record: RunRecord, id: str | None, parent: str | None) -> WandbRun:
        import wandb

        try:
            run = wandb.init(
                project=self._project,
                entity=self._settings.entity,
                dir=str(record.place),
                id=id,
                resume="allow",
                reinit="create_new",
                name=record.name,
                notes=record.note or None,
                group=record.group,
                job_type=record.kind,
                mode=self._mode,
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    init_timeout=INIT_SECONDS,
                    # These would be of the process that sends, not of the one that trains.
                    disable_git=True,
                    disable_code=True,
                    disable_job_creation=True,
                    x_disable_meta=True,
                    symlink=False,
                    x_disable_stats=True,
                ),
            )
        except (wandb.errors.CommError, TimeoutError, ConnectionError) as error:
            raise TrackerDown(str(error)) from None
        return WandbRun(run, record.status, self._folder if self._mode in OFFLINE else None)


class WandbRun:
    """A run of W&B; see `TrackerRun`."""

    def __init__(self, run: wandb.Run, status: str, folder: Path | None):
        self._run, self._status, self._is_closed = run, status, False
        # Another process uploads what W&B is given, and only the end of the run waits for it.
        self.is_confirmed = folder is not None
        self.id = run.id
        self.link = f"{folder}, for `wandb sync`" if folder is not None else run.url
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")

    def send_parameters(self, parameters: Mapping[str, Any]) -> None:
        self._run.config.update(dict(parameters), allow_val_change=True)

    def send_tags(self, tags: Mapping[str, str], note: str) -> None:
        self._run.config.update(dict(tags), allow_val_change=True)
        self._run.notes = note or None

    def send_points(self, points: Sequence[Point]) -> None:
        # A step that was sent already is ignored.
        for point in points:
            self._run.log({"epoch": point.step, **point.values}, step=point.step)

    def send_summary(self, end: Point) -> None:
        self._run.summary.update(dict(end.values))

    def send_file(self, file: RecordFile) -> None:
        if file.path is None:
            copy = Path(self._run.dir) / file.name
            copy.write_text(file.text, encoding="utf-8")
            self._save(copy, Path(self._run.dir))
        else:
            path = file.path.resolve()
            self._save(path, path.parents[file.name.count("/")])

    def _save(self, path: Path, base: Path) -> None:
        # W&B takes patterns, and a folder may be called `[2024] thesis`.
        self._run.save(glob.escape(str(path)), base_path=glob.escape(str(base)), policy="now")

    def set_status(self, status: str, ended: float | None) -> None:
        self._status = status
        if status != "running":
            self.close()

    def close(self) -> None:
        """Upload what is left, and end the run; W&B knows no other way to say how it ended."""
        if not self._is_closed:
            self._is_closed = True
            self._run.finish(exit_code=EXIT_CODES.get(self._status, 1))
            self.is_confirmed = True
