"""Atomic writes, digests and locks. A file or folder is replaced completely or not at all, and only by this module."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kerasexp.errors import RunError

if TYPE_CHECKING:
    import numpy as np

# Largest `scratch_array`, in bytes, that is kept in memory.
IN_MEMORY = 2 * 2**30
# `is_locked` holds a free lock for a moment; who wants the lock then waits so long at most, and tries so often.
PROBE_SECONDS, TRY_AGAIN_SECONDS = 0.2, 0.02


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in the block into a RunError about writing `path`.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    write_with(path, lambda file: file.write(content))


def write_with(path: Path, write: Callable[[BinaryIO], Any], durable: bool = False) -> None:
    """Let `write` fill a temporary file, then move it to `path`.

    Args:
        path: the file to create or replace.
        write: called with the open temporary file.
        durable: whether the file must survive a loss of power: it is flushed to the disk before the move.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    with write_errors(path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with replacing(path, Path(temporary), durable), os.fdopen(descriptor, "wb") as file:
        write(file)
        os.chmod(temporary, 0o644)


@contextmanager
def replacing(path: Path, temporary: Path, durable: bool) -> Iterator[None]:
    """Let the block write `temporary`, then move it to `path`; remove it if the block fails.

    If the block writes no file, nothing is replaced.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    with write_errors(path):
        if not path.parent.is_dir():  # the folder was removed meanwhile, and must not be created again
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        try:
            yield
            if temporary.exists():
                replace_file(path, temporary, durable)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def replace_file(path: Path, temporary: Path, durable: bool = False) -> None:
    """Move a complete file to `path`, replacing any file there; `durable` as for `write_with`."""
    if durable:
        with temporary.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
    os.replace(temporary, path)


@contextmanager
def temporary_folder(parent: Path, name: str = "") -> Iterator[Path]:
    """Yield a new hidden folder in `parent`, which is created if needed; remove it at the end unless it was renamed."""
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}."))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target`; rename it to `target` when the block succeeds, else remove it.

    Raises:
        OSError: the folder cannot be created, or `target` already exists and is not empty.
    """
    with temporary_folder(target.parent, target.name) as temporary:
        yield temporary
        temporary.chmod(0o755)
        with suppress(OSError):
            target.rmdir()  # an empty one, which Windows does not replace
        os.rename(temporary, target)


def replace_folder(target: Path, temporary: Path) -> None:
    """Move a complete folder to `target`, which is removed first; raise OSError if another process was faster."""
    shutil.rmtree(target, ignore_errors=True)
    os.rename(temporary, target)


def copy_folder(source: Path, target: Path, left_out: Iterable[str] = ()) -> None:
    """Copy a folder; `target` is created or replaced only when the copy is complete.

    Args:
        source, target: the folder, and its copy.
        left_out: names of files and folders that are not copied.

    Raises:
        RunError: it cannot be written, for example because the disk is full.
    """
    copy, old = (target.with_name(f".{target.name}.{ending}") for ending in ("copy", "old"))
    with write_errors(target):
        for folder in (copy, old):  # left by a killed process
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*left_out))
        if target.exists():
            target.rename(old)
        copy.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def safe_name(text: str, fallback: str) -> str:
    """Return `text` as a name for files and experiments: ASCII letters, digits, `.`, `_` and `-`, at most 100 characters.

    Accents are dropped (`Übung` becomes `Ubung`), other characters become `_`, and punctuation at the ends is removed. If
    nothing remains, return `fallback`.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9._-]", "_", plain).strip("._-")[:100] or fallback


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_table(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV table row by row, so that it need not fit into memory; see `write_bytes`."""

    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        text.detach()

    write_with(path, write)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV, with the keys as header; see `write_bytes`."""
    write_text(path, csv_text(list(rows[0]), (row.values() for row in rows)))


class GrowingTable:
    """A CSV file of rows with the same keys, which gains rows. Each row is formatted once, however long the table grows."""

    def __init__(self, path: Path):
        self._path = path
        self._text, self._count = "", 0

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write all rows: those of the last call, and more; see `write_bytes`."""
        if self._count == 0:
            self._text = csv_text(list(rows[0]), ())
        self._text += _csv_lines(row.values() for row in rows[self._count :])
        self._count = len(rows)
        write_text(self._path, self._text)


def write_json(path: Path, content: Any) -> None:
    """Write JSON; NaN and infinity are refused. See `write_bytes`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def scratch_array(shape: tuple[int, ...]) -> np.ndarray:
    """Return a float32 array of zeros; one of more than `IN_MEMORY` bytes is kept in a temporary file.

    Raises:
        RunError: the disk of the temporary folder is full.
    """
    import numpy as np

    if 4 * math.prod(shape) <= IN_MEMORY:
        return np.zeros(shape, np.float32)
    folder = Path(tempfile.gettempdir())
    with write_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # The space is reserved now: a write into a mapped file on a full disk would kill the process.
            os.posix_fallocate(file.fileno(), 0, 4 * math.prod(shape))
        return np.memmap(file, np.float32, "r+", shape=shape)


def csv_text(header: list[str], rows: Any) -> str:
    """Return a CSV table as text."""
    return _csv_lines([header, *rows])


def _csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def digest_of_file(path: Path | None) -> str | None:
    """Return the hexadecimal SHA-256 of a file; None if it does not exist."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def exclusive_lock(path: Path, before_waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Lock a file for this process until the end of the block or of the process, then remove it.

    Args:
        path: the lock file.
        before_waiting: called once before waiting for another process that holds the lock; None to raise instead.

    Yields:
        Whether another process held the lock before.

    Raises:
        BlockingIOError: another process holds the lock, and `before_waiting` is None.
        OSError: the file cannot be created.
    """
    from filelock import FileLock, Timeout

    path.open("ab").close()  # what cannot be created is an error; what cannot be locked is not
    lock, waited = FileLock(path, fallback_to_soft=False), False
    try:
        lock.acquire(timeout=PROBE_SECONDS, poll_interval=TRY_AGAIN_SECONDS)
    except Timeout:
        if before_waiting is None:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(path)) from None
        before_waiting()
        waited = True
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # some network file systems do not support locks
        _announce_no_locks(path.parent, getattr(error, "strerror", None) or str(error))
    try:
        yield waited
    finally:
        # Who waits for a file that is removed here notices, and locks the next one. Windows removes it after the release.
        with suppress(OSError):
            path.unlink()
        lock.release()


def is_locked(path: Path) -> bool:
    """Return whether a process, this one included, holds the lock of `exclusive_lock`; False if locks do not work there."""
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


@cache
def _announce_no_locks(folder: Path, reason: str) -> None:
    """Say it once for each folder."""
    message = f"{folder}: its file system cannot lock files ({reason}); let no other process write there meanwhile"
    print(message, file=sys.stderr)
