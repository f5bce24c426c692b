"""Downloads: short time-out, checksum, progress, and nothing half-written."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from kerasexp.data.pictures import MissingData

TIMEOUT_SECONDS = 5
# A server that gives a few bytes now and then never times out; one slower than this for so long will not be waited for.
SLOWEST_BYTES_PER_SECOND, PATIENCE_SECONDS = 2_000, 30
CHUNK = 1 << 16


def download(url: str, target: Path, sha256: str) -> Path:
    """Fetch `url` into `target` and return it.

    Raises:
        MissingData: no connection within 5 s, no bytes for 5 s, hardly any for 30 s, another content than `sha256`, or no
            place to write it.
    """
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        digest = hashlib.sha256()
        columns = TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        with (
            os.fdopen(descriptor, "wb") as file,
            urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer,  # noqa: S310 (https, fixed by the caller)
            Progress(*columns, transient=True, console=Console(stderr=True)) as progress,
        ):
            task = progress.add_task(target.name, total=int(answer.headers.get("Content-Length", 0)) or None)
            begun, got = time.monotonic(), 0
            while chunk := answer.read1(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                progress.advance(task, len(chunk))
                got += len(chunk)
                waited = time.monotonic() - begun
                if waited > PATIENCE_SECONDS and got < SLOWEST_BYTES_PER_SECOND * waited:
                    raise TimeoutError(f"{got} bytes in {waited:.0f} s")
        if digest.hexdigest() != sha256:
            raise MissingData(f"what {url} gives is not the file that is expected (its SHA-256 differs)")
        os.replace(temporary, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise MissingData(f"it could not be downloaded from {url} ({reason})") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
    return target
