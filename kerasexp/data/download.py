"""Downloads that can be resumed, with a checksum, progress and short timeouts; a file gets its name when it is complete."""

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
# A server that sends a few bytes now and then never times out; one slower than this for so long is given up.
SLOWEST_BYTES_PER_SECOND, PATIENCE_SECONDS = 2_000, 30
CHUNK_BYTES = 1 << 16
# STL-10 has 2.5 GiB. Without a limit, an endless response would fill the disk before the checksum is compared.
MAX_BYTES = 4 * 2**30
# Old datasets are published with MD5 only, which detects damage as well as any other.
ALGORITHMS = {"sha256": "SHA-256", "md5": "MD5"}


class _CannotResume(Exception):
    """The server does not continue where an earlier download stopped."""


def download(url: str, target: Path, checksum: str) -> Path:
    """Download `url` to `target` and return it; an interrupted download is resumed.

    An incomplete file is called `<target>.<start of the checksum>.part`. After a failure it is kept if the server supports
    range requests. One process at a time downloads a file; others wait and use the result.

    Args:
        url: address of the file.
        target: path to save it to.
        checksum: hexadecimal digest, prefixed with `sha256:` or `md5:`; SHA-256 without a prefix.

    Raises:
        MissingData: no connection within 5 s, no bytes for 5 s, below 2,000 bytes/s after 30 s, more than 4 GiB, a wrong
            checksum, or the file cannot be written.
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
        raise MissingData(f"it could not be downloaded from {url} ({reason}){_kept_message(part)}") from None
    return target


def _complete(url: str, part: Path, algorithm: str, expected: str) -> None:
    """Complete `part`, continuing from its content; leave it empty if the checksum is wrong."""

    def begin():
        return hashlib.new(algorithm, usedforsecurity=False)

    with part.open("a+b") as file:
        file.seek(0)
        digest = hashlib.file_digest(file, begin)
        if digest.hexdigest() != expected and file.tell():
            with suppress(_CannotResume):
                _append(url, part.stem, file, digest)
        if digest.hexdigest() != expected:
            file.truncate(0)
            digest = begin()
            _append(url, part.stem, file, digest)
        if digest.hexdigest() != expected:
            file.truncate(0)
            raise MissingData(f"{url} does not give the expected file: its {ALGORITHMS[algorithm]} differs")


def _append(url: str, name: str, file: BinaryIO, digest: hashlib._Hash) -> None:
    """Download the rest of `file`, after the bytes that it holds; append it and update the digest.

    Raises:
        _CannotResume: the server does not send the requested range; nothing was appended.
        OSError, HTTPException: the connection failed; the bytes received are kept if the server supports ranges.
    """
    there = file.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})  # noqa: S310
    columns = TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with (
        _open_url(request, there) as answer,
        Progress(*columns, transient=True, console=Console(stderr=True)) as progress,
    ):
        length = answer.headers.get("Content-Length")
        missing = None if length is None else int(length)
        task = progress.add_task(name, total=missing and there + missing, completed=there)
        start, got = time.monotonic(), 0
        try:
            while chunk := answer.read1(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                progress.advance(task, len(chunk))
                got += len(chunk)
                if there + got > MAX_BYTES:
                    file.truncate(0)
                    raise ValueError(f"more than {MAX_BYTES:,} bytes")
                waited = time.monotonic() - start
                if waited > PATIENCE_SECONDS and got < SLOWEST_BYTES_PER_SECOND * waited:
                    raise TimeoutError(f"only {got} bytes in {waited:.0f} s")
            if missing is not None and got < missing:
                raise ConnectionError(f"the connection closed with {missing - got:,} bytes missing")
        except BaseException:
            if not there and answer.headers.get("Accept-Ranges") != "bytes":
                file.truncate(0)
            raise


def _open_url(request: urllib.request.Request, there: int) -> http.client.HTTPResponse:
    """Send a request for the bytes from `there` on."""
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310 (fixed URLs of the sources)
    except urllib.error.HTTPError as error:
        if there and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _CannotResume from None
        raise
    if there and not answer.headers.get("Content-Range", "").startswith(f"bytes {there}-"):
        answer.close()
        raise _CannotResume
    return answer


def _kept_message(part: Path) -> str:
    """Return the end of the error message: how much of the file is kept for the next try."""
    with suppress(OSError):
        return f"; {part.stat().st_size:,} bytes are kept, and the next try resumes there"
    return ""


def _announce_wait(folder: Path) -> None:
    Console(stderr=True).print(f"waiting for another process that downloads to {folder}")
