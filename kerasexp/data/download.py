"""Downloads: short time-out, checksum, progress, nothing half-written under a file's own name, and going on after a break."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from kerasexp.data.source import MissingData
from kerasexp.storage import exclusive_lock, replace_file

TIMEOUT_SECONDS = 5
# A server that gives a few bytes now and then never times out; one slower than this for so long will not be waited for.
SLOWEST_BYTES_PER_SECOND, PATIENCE_SECONDS = 2_000, 30
CHUNK = 1 << 16
# STL-10 has 2.5 GiB. A server that never ends would fill the disk before the checksum tells.
LARGEST = 4 * 2**30
# Old data sets are published with an MD5 alone. It tells a damaged file as well as any other.
ALGORITHMS = {"sha256": "SHA-256", "md5": "MD5"}


class _NotFromThere(Exception):
    """The server does not go on where an earlier download broke off."""


def download(url: str, target: Path, checksum: str) -> Path:
    """Fetch `url` into `target` and return it; go on with what came before a connection broke.

    Until it is whole, the file is `<target>.<start of the checksum>.part`. That stays after a failure where the server gives
    parts of files. One process at a time fetches a file; others wait for it, and take what it has fetched.

    Args:
        url: address of the file.
        target: where it is to lie.
        checksum: `sha256:` or `md5:` and the hexadecimal digest; sha256 where neither is named.

    Raises:
        MissingData: no connection within 5 s, no bytes for 5 s, hardly any for 30 s, more than 4 GiB, another content than the
            checksum is of, or no place to write it.
    """
    algorithm, _, expected = checksum.rpartition(":")
    part = target.with_name(f"{target.name}.{expected[:12]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(part.with_suffix(".lock"), lambda: _announce_wait(target.parent)) as waited:
            if waited and target.is_file():
                return target
            try:
                _complete(url, part, algorithm or "sha256", expected)
                replace_file(target, part)
            finally:
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise MissingData(f"it could not be downloaded from {url} ({reason}){_kept(part)}") from None
    return target


def _complete(url: str, part: Path, algorithm: str, expected: str) -> None:
    """Make `part` the whole file, going on with what it holds; leave nothing in it where that is another file's content."""

    def begin():
        return hashlib.new(algorithm, usedforsecurity=False)

    with part.open("a+b") as file:
        file.seek(0)
        digest = hashlib.file_digest(file, begin)
        if digest.hexdigest() != expected and file.tell():
            with suppress(_NotFromThere):
                _append(url, part.stem, file, digest)
        if digest.hexdigest() != expected:
            file.truncate(0)
            digest = begin()
            _append(url, part.stem, file, digest)
        if digest.hexdigest() != expected:
            file.truncate(0)
            raise MissingData(
                f"what {url} gives is not the file that is expected (its {ALGORITHMS[algorithm]} differs)"
            )


def _append(url: str, name: str, file: BinaryIO, digest: hashlib._Hash) -> None:
    """Append to `file`, and to its digest, what comes after the bytes that it holds.

    Raises:
        _NotFromThere: the server gives something else than those bytes; nothing was appended.
        OSError, HTTPException: the connection broke off; what came is kept where the server could go on from there.
    """
    there = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})  # noqa: S310
    columns = TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with (
        _answer(request, there) as answer,
        Progress(*columns, transient=True, console=Console(stderr=True)) as progress,
    ):
        length = answer.headers.get("Content-Length")
        missing = None if length is None else int(length)
        task = progress.add_task(name, total=missing and there + missing, completed=there)
        begun, got = time.monotonic(), 0
        try:
            while chunk := answer.read1(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                progress.advance(task, len(chunk))
                got += len(chunk)
                if there + got > LARGEST:
                    file.truncate(0)
                    raise ValueError(f"it has more than {LARGEST:,} bytes")
                waited = time.monotonic() - begun
                if waited > PATIENCE_SECONDS and got < SLOWEST_BYTES_PER_SECOND * waited:
                    raise TimeoutError(f"{got} bytes in {waited:.0f} s")
            if missing is not None and got < missing:
                raise ConnectionError(f"it broke off with {missing - got:,} bytes more expected")
        except BaseException:
            if not there and answer.headers.get("Accept-Ranges") != "bytes":
                file.truncate(0)
            raise


def _answer(request: urllib.request.Request, there: int) -> http.client.HTTPResponse:
    """Open a request for what comes after `there` bytes."""
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310 (the caller's fixed addresses)
    except urllib.error.HTTPError as error:
        if there and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _NotFromThere from None
        raise
    if there and not answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
        answer.close()
        raise _NotFromThere
    return answer


def _kept(part: Path) -> str:
    """Return what is said of a download that broke off."""
    with suppress(OSError):
        return f"; {part.stat().st_size:,} bytes of it are kept, and the next try goes on from there"
    return ""


def _announce_wait(folder: Path) -> None:
    Console(stderr=True).print(f"waiting for another process, which downloads to {folder}")
