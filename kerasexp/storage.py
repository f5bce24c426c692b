"""Atomic writes, digests and locks: the only place that knows how a file is replaced. A file is there whole, or as it was."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from kerasexp.errors import RunError

try:
    import fcntl
except ImportError:  # Windows, where two processes that want the same lock both get it
    fcntl = None


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn what the system says against writing `path` into a word on it.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is either there whole or as it was.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    write_with(path, lambda file: file.write(content))


def write_with(path: Path, write: Callable[[BinaryIO], Any], durable: bool = False) -> None:
    """Let `write` fill a file that takes its place only when it is whole.

    Args:
        path: where to.
        write: is handed the open file.
        durable: whether it must outlive a loss of power as well: it is on the disk before it takes its place.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    with written(path):
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with replacing(path, Path(temporary), durable), os.fdopen(descriptor, "wb") as file:
        write(file)
        os.chmod(temporary, 0o644)


@contextmanager
def replacing(path: Path, temporary: Path, durable: bool) -> Iterator[None]:
    """Let the block write `temporary`, which then takes the place of `path`; where the block fails it goes.

    Nothing is replaced where the block wrote nothing.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    with written(path):
        if not path.parent.is_dir():  # removed by somebody; others than us would make it again
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
    """Move a finished file to `path`, over whatever is there; `durable` as for `write_with`."""
    if durable:
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    os.replace(temporary, path)


@contextmanager
def temporary_folder(parent: Path, name: str = "") -> Iterator[Path]:
    """Yield a new hidden folder in `parent`, which is created as needed; remove it at the end unless it was renamed."""
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
        os.rename(temporary, target)


def replace_folder(target: Path, temporary: Path) -> None:
    """Rename a finished folder to `target`, which is removed first; raise OSError if another process is faster."""
    shutil.rmtree(target, ignore_errors=True)
    os.rename(temporary, target)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder; `target` is created or replaced only when the copy is complete.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    copy, old = (target.with_name(f".{target.name}.{ending}") for ending in ("copy", "old"))
    with written(target):
        for folder in (copy, old):  # of a process that was killed
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, copy)
        if target.exists():
            target.rename(old)
        copy.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def safe_name(text: str, fallback: str) -> str:
    """Return `text` as a name for files and experiments: ASCII letters, digits, `.`, `_` and `-`, at most 100 characters.

    Other characters become `_`; punctuation at the ends is removed. If nothing remains, return `fallback`.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).strip("._-")[:100] or fallback


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of the same keys as CSV, with these as its header; see `write_bytes`."""
    write_text(path, csv_text(list(rows[0]), (row.values() for row in rows)))


def write_json(path: Path, content: Any) -> None:
    """Write JSON, with NaN and infinity refused; see `write_bytes`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(header: list[str], rows: Any) -> str:
    """Return a CSV table as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def digest_of_file(path: Path | None) -> str | None:
    """Return the SHA-256 of a file; None where it is not there."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def exclusive_lock(path: Path, before_waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold a lock file for this process alone, until the end of the block or of the process; remove it then.

    Args:
        path: the lock file.
        before_waiting: called once when another process holds the lock, which is then waited for; None to raise instead.

    Yields:
        Whether another process was waited for.

    Raises:
        BlockingIOError: another process holds the lock, and `before_waiting` is None.
        OSError: the file cannot be made.
    """
    waited = False
    while True:
        with path.open("a") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if before_waiting is None:
                        raise
                    before_waiting()
                    waited = True
                    fcntl.flock(file, fcntl.LOCK_EX)
                except OSError:
                    pass  # some network file systems have no locks
            # The process that held the lock has removed its file: a lock on a removed file keeps nobody out.
            if not _is_same_file(path, file):
                continue
            try:
                yield waited
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def _is_same_file(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
