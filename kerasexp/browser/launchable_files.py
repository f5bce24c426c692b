"""The experiments that the page launches: the shipped ones, and YAML files below the working folder and around the runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.experiment_catalog import ENDINGS, OWN, named_experiment, question_of, shipped_experiments
from kerasexp.config.experiment_keys import experiment_keys
from kerasexp.config.shipped_files import shipped_folder
from kerasexp.errors import Problem, UserError, closest
from kerasexp.saving.saved_files import RunFiles

# A working folder may be a home with millions of files: so many folders are looked into, so deep.
MOST_FOLDERS, DEEPEST = 2000, 5
# Folders of other programs.
NOT_OURS = {"node_modules", "site-packages", "__pycache__"}
TOP_KEY = re.compile(r"^([A-Za-z_]\w*)\s*:", re.MULTILINE)


@dataclass(frozen=True)
class LaunchableFile:
    """An experiment that can be launched.

    Attributes:
        name: what the commands take: a shipped name, or a path.
        path: of the file, absolute.
        is_shipped: whether it comes with kerasexp.
    """

    name: str
    path: Path
    is_shipped: bool = False

    def question(self) -> str:
        """Return the first line of the comment in the file."""
        return question_of(self.path)

    def folder_of_copies(self) -> Path:
        """Return where experiments that are built on this one are saved: beside it if it is the user's, else `./experiments`."""
        is_own = not self.is_shipped and not RunFiles(self.path.parent).manifest.exists()
        return self.path.parent if is_own else Path.cwd() / OWN


class LaunchableFiles:
    """The experiments that a server launches.

    Args:
        runs: the folder of all runs.
    """

    def __init__(self, runs: Path):
        self._skipped = {runs.resolve(), shipped_folder("experiments"), shipped_folder("checkpoints")}
        self._folders = list(dict.fromkeys([Path.cwd().resolve(), runs.resolve().parent]))

    def all(self) -> list[LaunchableFile]:
        """Return those to choose from: the user's, then the shipped ones."""
        own = {file.path: file for folder in self._folders for file in self._below(folder)}
        shipped = [_shipped(name, path) for name, path in shipped_experiments().items()]
        known = {file.path for file in shipped}
        return [*sorted((file for file in own.values() if file.path not in known), key=lambda f: f.name), *shipped]

    def find(self, name: str) -> LaunchableFile:
        """Return the experiment of a name.

        Raises:
            UserError: it is neither shipped nor a YAML file below the folders of this server.
        """
        shipped = {key: _shipped(key, path) for key, path in shipped_experiments().items()}
        if name in shipped:
            return shipped[name]
        try:
            path = Path(name).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            near = closest(name, [file.name for file in self.all()])
            raise UserError(Problem(f"no such experiment{near}", name)) from None
        # A file of the user may have the name of a shipped one, which then has its path for a name.
        if found := next((file for file in shipped.values() if file.path == path), None):
            return found
        if not (self.holds(path) and path.is_file() and path.suffix in ENDINGS):
            folders = " and ".join(map(str, self._folders))
            raise UserError(
                Problem(f"is not a YAML file below {folders}; start `ui` in the folder of your experiments", name)
            )
        return LaunchableFile(_argument(path), path)

    def holds(self, path: Path) -> bool:
        """Return whether an absolute path is below the folders of this server, and not hidden there."""
        places = (path.relative_to(folder).parts for folder in self._folders if path.is_relative_to(folder))
        return any(not any(part.startswith(".") for part in parts) for parts in places)

    def _below(self, folder: Path) -> Iterator[LaunchableFile]:
        """Yield the experiments below a folder, without bases, runs and what belongs to other programs."""
        waiting, looked_into = [(folder, 0)], 0
        while waiting and looked_into < MOST_FOLDERS:
            place, depth = waiting.pop(0)
            looked_into += 1
            try:
                with os.scandir(place) as held:
                    entries = sorted(held, key=lambda entry: entry.name)
            except OSError:
                continue
            if any(entry.name in ("manifest.json", "pyvenv.cfg") for entry in entries):
                continue
            for entry in entries:
                path = place / entry.name
                if entry.name.startswith((".", "_")) or entry.name in NOT_OURS:
                    continue
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST and path not in self._skipped:
                    waiting.append((path, depth + 1))
                elif path.suffix in ENDINGS and _is_experiment(path):
                    yield LaunchableFile(_argument(path), path)


def _shipped(name: str, path: Path) -> LaunchableFile:
    named = named_experiment(name)
    # A file of the user may have the name.
    argument = name if named is not None and named.path.resolve() == path.resolve() else str(path)
    return LaunchableFile(argument, path.resolve(), is_shipped=True)


def _argument(path: Path) -> str:
    """Return a path as it is typed: below the working folder, relative to it; one that begins with `-` would be an option."""
    here = Path.cwd().resolve()
    name = path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
    return f"./{name}" if name.startswith("-") else name


def _is_experiment(path: Path) -> bool:
    """Return whether all keys of a YAML file are those of experiments: programs of every kind have YAML files."""
    try:
        with path.open(encoding="utf-8") as file:
            keys = TOP_KEY.findall(file.read(20_000))
    except (OSError, UnicodeDecodeError):
        return False
    return bool(keys) and set(keys) <= experiment_keys()
