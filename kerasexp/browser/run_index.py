"""The index of a folder of runs: a SQLite database in the cache that follows the folder, and can be deleted at any time.

It holds one value per key and entry, so a question reads only the keys that it is about, however many a run has.
"""

from __future__ import annotations

import functools
import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kerasexp.browser.filter_expression import Value
from kerasexp.browser.run_entries import SECTION, Entry, as_value, read_entry
from kerasexp.browser.run_folders import SUMMARIES, FoundFolder, find_folders
from kerasexp.config.section_base import KIND_KEYS
from kerasexp.config.setting_text import short_names, value_text
from kerasexp.config.yaml_text import is_text
from kerasexp.environment import cache_folder
from kerasexp.errors import Problem, UserError
from kerasexp.saving.json_values import text_of
from kerasexp.saving.saved_files import RunFiles, read_mapping
from kerasexp.storage import is_locked

# Part of the name of the file: raise it whenever the tables or the entries change.
VERSION = 2
# Characters of a value among what differs; the blocks of a network have hundreds.
LONGEST_CHANGE = 40
# How long to wait for another process that updates the same index.
WAIT_SECONDS = 20
TABLES = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY, path TEXT UNIQUE, kind TEXT, family TEXT, state TEXT, fingerprint TEXT);
CREATE INDEX IF NOT EXISTS of_family ON entries (family);
CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY, name TEXT UNIQUE, is_setting INTEGER);
CREATE TABLE IF NOT EXISTS held (key INTEGER, entry INTEGER, value, PRIMARY KEY (key, entry)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_entry ON held (entry);
"""
# States that a process writes first and replaces at its end: without a process they are over.
UNENDED = {"running": "killed", "unfinished": "unfinished"}
Answer = TypeVar("Answer")
# Keys that do not distinguish the runs of a study, a search or a name.
INDISTINCT = ("name", "report", "reported", "track")


def _healed(ask: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let a question to the index make a damaged file again, and ask once more."""

    @functools.wraps(ask)
    def asked(index: RunIndex, *arguments: Any) -> Answer:
        try:
            try:
                return ask(index, *arguments)
            except sqlite3.OperationalError:  # the disk is full, or another process writes: the file is sound
                raise
            except sqlite3.DatabaseError:
                index.make_again()
                return ask(index, *arguments)
        except sqlite3.Error as error:
            message = f"the index of runs cannot be written ({error}); set KERASEXP_CACHE to a folder that can"
            raise UserError(Problem(message, str(index.file))) from None

    return asked


class RunIndex:
    """The runs, studies and searches below a folder.

    Args:
        root: the folder.

    Raises:
        UserError: there is no such folder.
    """

    def __init__(self, root: Path):
        if not root.is_dir():
            message = "is not a folder" if root.exists() else "no such folder; name the folder of your runs"
            raise UserError(Problem(message, str(root)))
        self.root = root.resolve()
        name = hashlib.sha256(str(self.root).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self.file = cache_folder() / "runs" / f"{name}_{VERSION}.sqlite"

    @_healed
    def refresh(self) -> None:
        """Read what has been written below the folder since the last time, and forget what has been deleted."""
        self._update()

    def _update(self) -> None:
        with self._opened() as base:
            base.execute("BEGIN IMMEDIATE")
            _Update(base, self.root).all()
            base.execute("COMMIT")

    @_healed
    def keys(self) -> list[str]:
        """Return the keys that any entry has, sorted."""
        with self._opened() as base:
            question = "SELECT name FROM keys WHERE EXISTS (SELECT 1 FROM held WHERE key = keys.id) ORDER BY name"
            return [name for (name,) in base.execute(question)]

    @_healed
    def rows(self, keys: Iterable[str]) -> list[dict[str, Value]]:
        """Return the values of all entries under these keys; a row lacks those that its entry has not."""
        with self._opened() as base:
            found: dict[int, dict[str, Value]] = {entry: {} for (entry,) in base.execute("SELECT id FROM entries")}
            question = (
                "SELECT entry, value FROM held WHERE key = (SELECT id FROM keys WHERE name = ?) AND value IS NOT NULL"
            )
            for key in dict.fromkeys(keys):
                for entry, value in base.execute(question, (key,)):
                    if entry in found:
                        found[entry][key] = value
            return list(found.values())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(_connect(self.file)) as base:
            yield base

    def make_again(self) -> None:
        """Delete the file, which is damaged, and read everything again."""
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.file}{ending}").unlink()
        self._update()


def _connect(file: Path) -> sqlite3.Connection:
    base = sqlite3.connect(file, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        # What a loss of power destroys here is made again.
        base.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {TABLES}")
    except sqlite3.Error:
        base.close()
        raise
    return base


def status_now(place: Path, state: str) -> str:
    """Return the status of a directory whose process has written `state`: a process without an end may have been killed."""
    if state not in UNENDED:
        return state
    run = RunFiles(place)
    if is_locked(run.lock):
        return "running"
    # A study or a search that was interrupted has removed the file.
    return "killed" if run.process.is_file() else UNENDED[state]


def status_of(place: Path) -> str:
    """Return the status of a run, a study or a search; `unknown` if its directory says none."""
    kind = next((kind for kind, file in SUMMARIES.items() if (place / file).is_file()), None)
    summary = RunFiles(place).read_manifest() if kind is None else read_mapping(place / SUMMARIES[kind])
    return status_now(place, text_of(summary.get("status"), "unknown" if kind is None else "unfinished"))


@dataclass(frozen=True)
class _Known:
    """What the index has of a directory."""

    id: int
    family: str
    state: str
    fingerprint: str


class _Update:
    """One update of an index, within a transaction."""

    def __init__(self, base: sqlite3.Connection, root: Path):
        self._base, self._root = base, root
        self._keys = {name: id for id, name in base.execute("SELECT id, name FROM keys")}
        question = "SELECT path, id, family, state, fingerprint FROM entries"
        self._known = {path: _Known(*rest) for path, *rest in base.execute(question)}

    def all(self) -> None:
        """Read new and changed entries, forget deleted ones, and see which processes are still there."""
        changed, here = set(), set()
        for found in find_folders(self._root):
            if not is_text(found.path):  # no address leads there
                continue
            here.add(found.path)
            known = self._known.get(found.path)
            if known is None or known.fingerprint != found.fingerprint:
                changed |= self._read(found, known)
        for path in self._known.keys() - here:
            changed.add(self._known[path].family)
            self._forget(self._known.pop(path).id)
        for family in changed:
            self._write_changes(family)
        for path, known in self._known.items():
            self._write_status(path, known)

    def _read(self, found: FoundFolder, known: _Known | None) -> set[str]:
        """Read an entry; return the family whose differences must be found again, if any."""
        entry = read_entry(self._root, found)
        if entry is None:
            return set()
        if known is not None:
            self._forget(known.id)
        family = found.parent or str(entry.values.get("name", ""))
        row = (found.path, found.kind, family, entry.state, found.fingerprint)
        question = "INSERT INTO entries (path, kind, family, state, fingerprint) VALUES (?, ?, ?, ?, ?)"
        id = self._base.execute(question, row).lastrowid
        self._write(id, entry)
        self._known[found.path] = _Known(id, family, entry.state, found.fingerprint)
        return {family}

    def _write(self, id: int, entry: Entry) -> None:
        held: Mapping[str, Value] = {**entry.settings, **entry.values}
        # A setting that is null is a key too, which filters may compare with null.
        rows = [(self._key(key, key in entry.settings), id, value) for key, value in held.items()]
        self._base.executemany("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", rows)

    def _key(self, name: str, is_setting: bool = False) -> int:
        if name not in self._keys:
            question = "INSERT INTO keys (name, is_setting) VALUES (?, ?)"
            self._keys[name] = self._base.execute(question, (name, is_setting)).lastrowid
        return self._keys[name]

    def _forget(self, id: int) -> None:
        self._base.execute("DELETE FROM held WHERE entry = ?", (id,))
        self._base.execute("DELETE FROM entries WHERE id = ?", (id,))

    def _write_changes(self, family: str) -> None:
        """Write for each run of a study, a search or a name what distinguishes it from the others, as `changes`."""
        # CROSS JOIN keeps this order: the other way round, every family would read all runs.
        question = (
            "SELECT keys.name, held.entry, held.value FROM entries CROSS JOIN held ON held.entry = entries.id "
            "CROSS JOIN keys ON keys.id = held.key "
            "WHERE entries.family = ? AND keys.is_setting AND held.value IS NOT NULL ORDER BY keys.id"
        )
        settings: dict[str, dict[int, Value]] = defaultdict(dict)
        for name, entry, value in self._base.execute(question, (family,)):
            settings[name][entry] = value
        question = "SELECT id, kind FROM entries WHERE family = ? AND kind IN ('run', 'trial') ORDER BY path"
        kinds = dict(self._base.execute(question, (family,)).fetchall())
        texts = _changes(settings, list(kinds), "trial" in kinds.values())
        key = self._key("changes")
        self._base.executemany("DELETE FROM held WHERE key = ? AND entry = ?", [(key, entry) for entry in kinds])
        rows = [(key, entry, text) for entry, text in texts.items()]
        self._base.executemany("INSERT INTO held VALUES (?, ?, ?)", rows)

    def _write_status(self, path: str, known: _Known) -> None:
        """Write the status, which for a process without an end depends on whether it is still there."""
        status = status_now(self._root / path, known.state)
        question = "INSERT OR REPLACE INTO held VALUES (?, ?, ?)"
        held = "SELECT 1 FROM held WHERE key = ? AND entry = ? AND value = ?"
        row = (self._key("status"), known.id, as_value(status))
        if self._base.execute(held, row).fetchone() is None:
            self._base.execute(question, row)


def _changes(settings: Mapping[str, Mapping[int, Value]], entries: list[int], in_search: bool) -> dict[int, str]:
    """Return for each run of a family what differs, such as `learning_rate 0.01, seed 1`.

    The base is what most of the runs have, and of a tie what the first has. A trial of a search has no base: all values of its
    domains are returned.
    """
    held = {name: [values.get(entry) for entry in entries] for name, values in settings.items()}
    distinct = {
        name: Counter(values).most_common(1)[0][0]
        for name, values in held.items()
        if len(set(values)) > 1 and SECTION not in values and name.partition(".")[0] not in INDISTINCT
    }
    names = [name for name in distinct if not _is_kind(name, distinct)]
    short, found = short_names(names), {}
    for place, entry in enumerate(entries):
        own = {name: held[name][place] for name in names if entry in settings[name]}
        changed = {name: value for name, value in own.items() if in_search or value != distinct[name]}
        parts = [f"{short[name]} {_cut(value_text(value))}" for name, value in changed.items()]
        if parts:
            found[entry] = ", ".join(parts)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CHANGE else text[: LONGEST_CHANGE - 1] + "…"


def _is_kind(name: str, distinct: Container[str]) -> bool:
    """Return whether a key only repeats the word that stands for its section, as `model.name` repeats `model`."""
    section, _, key = name.rpartition(".")
    return key in KIND_KEYS and section in distinct
