"""The run directory: how it is made, locked for one process, cleaned, and numbered."""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kerasexp.custom.code_copies import FOLDER as CODE_FOLDER
from kerasexp.errors import DirectoryInUse, Problem, RunError, UserError
from kerasexp.saving.saved_files import RunFiles, numbered_folders
from kerasexp.storage import copy_folder, exclusive_lock, write_errors, write_json


class RunDirectory(RunFiles):
    """One run's directory: made, locked, cleaned, found again."""

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

    def copy_to(self, target: Path) -> None:
        """Copy the run; what trackers have of it is not theirs of the copy, which is another run to them.

        Raises:
            RunError: it cannot be written, for example because the disk is full.
        """
        copy_folder(self.path, target, (self.tracking.name, self.wandb.name))

    def make_folders(self) -> None:
        """Make the folders of a run; those of an unfinished run stay.

        Raises:
            RunError: the disk is full, or the place cannot be written.
        """
        for folder in self._folders():
            with write_errors(folder):
                folder.mkdir(exist_ok=True)

    def remove_folders(self) -> None:
        """Remove the directory and its folders if they are empty."""
        for folder in (*self._folders(), self.path):
            with suppress(OSError):
                folder.rmdir()

    def _folders(self) -> tuple[Path, ...]:
        return self.plots, self.checkpoint, self.tensorboard

    def is_barely_begun(self) -> bool:
        """Whether a run was killed here before its manifest was written: there are no files but the experiment and its code."""
        files = (path for path in self.path.rglob("*") if not path.is_dir() and not path.name.startswith("."))
        return self.path.is_dir() and all(
            path == self.experiment or self.path / CODE_FOLDER in path.parents for path in files
        )

    def sweep(self) -> None:
        """Remove temporary files that a killed process, or a full disk, has left."""
        for path in self.path.rglob(".*"):
            # Another process may be sending the run to trackers, and writing down how far it has come.
            is_tracking = path.name.startswith(f".{self.tracking.stem}")
            if path.is_file() and path.name not in (self.lock.name, self.process.name) and not is_tracking:
                with suppress(OSError):
                    path.unlink()

    @staticmethod
    def refuse_occupied(where: Path) -> None:
        """Raise UserError if the directory is not empty."""
        if where.exists() and not (where.is_dir() and not any(where.iterdir())):
            status = RunDirectory(where).read_manifest().get("status")
            advice = (
                "is there already and is not an empty folder; name another --run-dir, or remove it"
                if status in (None, "finished")
                else f"holds an unfinished run (status: {status}); continue it by --resume, or name another --run-dir"
            )
            raise UserError(Problem(advice, str(where)))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory for this process until the end of the block or of the process; remove temporary files then.

        Raises:
            DirectoryInUse: another process has locked it.
            RunError: the disk is full, or the place cannot be written.
        """
        with ExitStack() as stack:
            with write_errors(self.lock):
                try:
                    stack.enter_context(exclusive_lock(self.lock))
                except BlockingIOError:
                    message = "another process is writing to it; wait for it, or name another --run-dir"
                    raise DirectoryInUse(Problem(message, str(self.path))) from None
            try:
                self._write_process()
                yield
            finally:
                self.sweep()
                with suppress(OSError):
                    self.process.unlink()

    def wait_until_free(self, before_waiting: Callable[[], None]) -> None:
        """Wait until no other process has locked the directory. If one has, `before_waiting` is called once.

        Raises:
            RunError: the place cannot be written.
        """
        with write_errors(self.lock), exclusive_lock(self.lock, before_waiting):
            pass

    def _write_process(self) -> None:
        """Write which process has the lock, and how it is asked to stop.

        That it cannot be written, for example on a full disk, is no failure of the run.
        """
        # A shell lets the processes that it starts in the background ignore Ctrl-C. Signals reach the main thread alone.
        ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        number = int(signal.SIGTERM if ignored else signal.SIGINT)
        stop = number if threading.current_thread() is threading.main_thread() else None
        with suppress(OSError):
            # One that was killed may have left it, and its number be that of a stranger by now.
            self.process.unlink()
        with suppress(RunError):
            write_json(self.process, {"process": os.getpid(), "host": platform.node(), "stop_signal": stop})


def earlier_runs(name: str, runs: Path = Path("runs")) -> Iterator[RunDirectory]:
    """Yield the runs below `runs/<name>`, the newest first."""
    return numbered_runs(runs / name)


def numbered_runs(folder: Path) -> Iterator[RunDirectory]:
    """Yield the runs 1, 2, ... of a folder, the newest first."""
    yield from map(RunDirectory, numbered_folders(folder))


def _next_number(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name) for path in numbered_folders(folder)), default=0) + 1
    while True:
        try:
            (folder / str(number)).mkdir()
            return folder / str(number)
        except FileExistsError:  # another process took it
            number += 1
