"""The run directory: the only place that knows its files' names. Every file in it is written at once or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kerasexp.errors import Problem, RunError, UserError
from kerasexp.storage import write_rows, written

try:
    import fcntl
except ImportError:  # not on Windows, where two processes in one directory are not told apart
    fcntl = None


class RunDirectory:
    """One run's files."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, name: str, where: Path | None, runs: Path = Path("runs")) -> RunDirectory:
        """Make the directory `where`, or else the next number below `runs/<name>`.

        Raises:
            UserError: `where` holds something already, or cannot be made.
        """
        run = cls(cls.create_place(name, where, runs))
        try:
            run.make_folders()
        except RunError as error:
            run.remove_folders()
            raise UserError(str(error)) from None
        return run

    @classmethod
    def create_place(cls, name: str, where: Path | None, runs: Path) -> Path:
        """Make the empty directory `where`, or else the next number below `runs/<name>`; raises as `create`."""
        try:
            if where is None:
                return _next_number(runs / name)
            cls.refuse_occupied(where)
            where.mkdir(parents=True, exist_ok=True)
            return where
        except OSError as error:
            raise UserError(Problem(f"cannot be made: {error.strerror or error}", str(where or runs / name))) from None

    def make_folders(self) -> None:
        """Make the folders that a run fills; those that an unfinished run has made already stay.

        Raises:
            RunError: the disk is full, or the place cannot be written.
        """
        for folder in self._folders():
            with written(folder):
                folder.mkdir(exist_ok=True)

    def remove_folders(self) -> None:
        """Remove the directory and its folders as far as they are empty."""
        for folder in (*self._folders(), self.path):
            with suppress(OSError):
                folder.rmdir()

    def _folders(self) -> tuple[Path, ...]:
        return self.plots, self.checkpoint, self.tensorboard

    def is_barely_begun(self) -> bool:
        """Whether a run was killed here before it could say what it is: it holds no file but the first one."""
        held = [path.name for path in self.path.rglob("*") if not path.is_dir() and not path.name.startswith(".")]
        return self.path.is_dir() and set(held) <= {self.experiment.name}

    def sweep(self) -> None:
        """Remove what a process that was killed, or found no more room, had not finished writing."""
        for path in self.path.rglob(".*"):
            if path.is_file() and path.name != ".lock":
                with suppress(OSError):
                    path.unlink()

    @staticmethod
    def refuse_occupied(where: Path) -> None:
        """Raise UserError where a run cannot go because something is there already."""
        if where.exists() and not (where.is_dir() and not any(where.iterdir())):
            status = RunDirectory(where).read_manifest().get("status")
            advice = (
                "is there already and is not an empty folder; name another --run-dir, or remove it"
                if status in (None, "finished")
                else f"holds a run that is not finished (its status is {status}); go on with it by --resume, "
                "or name another --run-dir"
            )
            raise UserError(Problem(advice, str(where)))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for this process alone, until the end of the block or of the process; leave it swept.

        Raises:
            UserError: another process holds it.
            RunError: the disk is full, or the place cannot be written.
        """
        lock = self.path / ".lock"
        with written(lock):
            file = lock.open("a")
        with file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    message = "another process is at work in it; wait for it, or name another --run-dir"
                    raise UserError(Problem(message, str(self.path))) from None
            try:
                yield
            finally:
                self.sweep()
                with suppress(OSError):
                    lock.unlink()

    experiment = property(lambda self: self.path / "experiment.yaml")
    manifest = property(lambda self: self.path / "manifest.json")
    history = property(lambda self: self.path / "history.csv")
    state = property(lambda self: self.path / "state")
    curve = property(lambda self: self.path / "curve.csv")
    gradients = property(lambda self: self.path / "gradients.csv")
    metrics = property(lambda self: self.path / "metrics.json")
    predictions = property(lambda self: self.path / "predictions.csv")
    confusion = property(lambda self: self.path / "confusion.csv")
    report = property(lambda self: self.path / "report.html")
    plots = property(lambda self: self.path / "plots")
    tensorboard = property(lambda self: self.path / "tensorboard")
    checkpoint = property(lambda self: self.path / "checkpoint")
    model = property(lambda self: self.checkpoint / "model.keras")

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write `history.csv`: one line per epoch."""
        write_rows(self.history, rows)

    def write_curve(self, rows: list[dict[str, float]]) -> None:
        """Write `curve.csv`: one line per look at the model between the training's start and its end."""
        write_rows(self.curve, rows)

    def write_gradients(self, rows: list[dict[str, str | int | float]]) -> None:
        """Write `gradients.csv`: one line per sampled step and layer."""
        write_rows(self.gradients, rows)

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest, or an empty dict where there is none that can be read."""
        try:
            return json.loads(self.manifest.read_text(encoding="utf-8", errors="surrogateescape"))
        except (OSError, ValueError):
            return {}


def earlier_runs(name: str, runs: Path = Path("runs")) -> Iterator[RunDirectory]:
    """Yield the runs below `runs/<name>`, the newest first."""
    return numbered_runs(runs / name)


def numbered_runs(folder: Path) -> Iterator[RunDirectory]:
    """Yield the runs 1, 2, ... of a folder, the newest first."""
    numbers = (
        sorted((int(p.name) for p in folder.iterdir() if p.name.isdigit()), reverse=True) if folder.is_dir() else []
    )
    for number in numbers:
        yield RunDirectory(folder / str(number))


def _next_number(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(p.name) for p in folder.iterdir() if p.name.isdigit()), default=0) + 1
    while True:
        try:
            (folder / str(number)).mkdir()
            return folder / str(number)
        except FileExistsError:  # another process took it
            number += 1
