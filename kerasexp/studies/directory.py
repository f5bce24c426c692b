"""The study directory: its runs by variant and seed, and the files beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from kerasexp.errors import Problem, UserError
from kerasexp.runs.directory import RunDirectory, numbered_runs
from kerasexp.storage import write_json, write_text


class StudyDirectory:
    """The files of one study."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def find_or_create(
        cls, name: str, key: str, where: Path | None, runs: Path = Path("runs"), makes_room: bool = False
    ) -> StudyDirectory:
        """Return the directory of the study with this key, or a new one.

        Args:
            name: of the study.
            key: digest of its content.
            where: the directory; None for the newest match below `runs/<name>`, or else the next number there.
            runs: the folder of all runs.
            makes_room: whether another study in `where`, such as one of fewer seeds, is moved to the next number beside it.
                Its runs are found there again.

        Raises:
            UserError: `where` holds something else, or the directory cannot be created.
        """
        candidates = [where] if where is not None else [run.path for run in numbered_runs(runs / name)]
        for path in candidates:
            if cls(path)._key() == key:
                return cls(path)
        if where is not None and cls(where)._key() is not None:
            if not makes_room:
                message = "holds another study, or this one with other settings; use another --run-dir"
                raise UserError(Problem(message, str(where)))
            free = RunDirectory.create_place(where.parent.name, None, where.parent.parent)
            free.rmdir()
            where.rename(free)
        created = RunDirectory.create_place(name, where, runs)
        write_json(created / "study.json", {"name": name, "key": key, "status": "unfinished"})
        return cls(created)

    study = property(lambda self: self.path / "study.json")
    table = property(lambda self: self.path / "table.md")
    page = property(lambda self: self.path / "study.html")
    plots = property(lambda self: self.path / "plots")

    def run(self, variant: str, seed: int) -> Path:
        """Return the directory of one run; `variant` is the name of its folder."""
        return self.path / variant / str(seed)

    def locked(self) -> AbstractContextManager[None]:
        """Lock the directory for this process; see `RunDirectory.locked`."""
        return RunDirectory(self.path).locked()

    def earlier(self) -> Iterator[StudyDirectory]:
        """Yield the other numbered directories of the same study, newest first."""
        if self.path.name.isdecimal():
            yield from (StudyDirectory(run.path) for run in numbered_runs(self.path.parent) if run.path != self.path)

    def write_experiment(self, text: str) -> None:
        """Write the resolved study."""
        write_text(RunDirectory(self.path).experiment, text)

    def write_results(self, content: dict[str, Any], table: str) -> None:
        """Write `study.json`, which keeps its key, and the table."""
        write_json(self.study, {"key": self._key(), **content})
        write_text(self.table, table)

    def _key(self) -> str | None:
        with suppress(OSError, ValueError, AttributeError):
            return json.loads(self.study.read_text(encoding="utf-8", errors="surrogateescape")).get("key")
        return None
