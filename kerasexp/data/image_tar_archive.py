"""tar.gz archives: unpacked once into the cache, because they allow no random access."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from rich.console import Console

from kerasexp.data.digest_cache import file_state
from kerasexp.data.image_archive import MAX_MEMBER
from kerasexp.environment import cache_folder
from kerasexp.errors import Problem, RunError, UserError, listing
from kerasexp.storage import new_folder

# STL-10 unpacks to 3.1 GB.
MAX_UNPACKED = 8 * 2**30
CHUNK = 2**20


def unpack_tar(archive: Path, wanted: Iterable[str]) -> Path:
    """Return a folder with the files named in `wanted`, from any folder of a tar.gz archive.

    Links, devices and other files are skipped.

    Raises:
        UserError: the file is not a tar.gz archive or is damaged; a wanted file is missing, duplicate or larger than
            256 MiB; or the archive unpacks to more than 8 GiB.
        RunError: the cache cannot be written.
    """
    key = hashlib.sha256(f"{archive.resolve()} {file_state(archive)} {sorted(wanted)}".encode()).hexdigest()[:32]
    folder = cache_folder() / "unpacked" / key
    if folder.is_dir():
        return folder
    try:
        with new_folder(folder) as temporary:
            _unpack(archive, set(wanted), temporary)
    except OSError as error:
        if not folder.is_dir():  # otherwise another process was faster
            message = f"{archive} cannot be unpacked into {folder.parent}: {error.strerror or error}"
            raise RunError(f"{message}; make room, or unpack it elsewhere and name its folder in data.path") from None
    return folder


def _unpack(archive: Path, wanted: set[str], folder: Path) -> None:
    """Write the wanted files to a folder. An OSError always concerns the folder, never the archive."""
    missing = set(wanted)
    try:
        with _ForwardReader(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            Console(stderr=True).print(f"unpacking {archive.name}, which is done only once", highlight=False)
            # Stop once all files are found; the rest of STL-10 would take some more seconds.
            while missing and (member := tar.next()) is not None:
                tar.members.clear()  # tarfile would keep an entry for every member
                name = PurePosixPath(member.name).name
                if name not in wanted or not member.isreg() or member.issparse():
                    continue
                if name not in missing:
                    raise tarfile.ReadError(f"{name} appears twice")
                if member.size > MAX_MEMBER:
                    raise tarfile.ReadError(f"{name} has {member.size:,} bytes; at most {MAX_MEMBER:,} are allowed")
                missing.remove(name)
                with (folder / name).open("wb") as file:
                    for chunk in content.chunks(member):
                        file.write(chunk)
    except OSError:
        raise
    except Exception as error:  # errors of tarfile, gzip and zlib have no common base class
        raise UserError(Problem(f"is not a readable tar.gz archive: {error}", str(archive))) from None
    if missing:
        raise UserError(Problem(f"lacks {listing(sorted(missing))}, or is cut off", str(archive)))


class _ForwardReader:
    """A gzip file that is only read forwards, with limits on each read and on the total.

    tarfile reads a member's header in one piece, whatever length is declared, and seeks backwards for a negative size. Every
    fault of the file is raised as ReadError, so an OSError never concerns it.
    """

    def __init__(self, path: Path):
        try:
            self.file = gzip.open(path)  # noqa: SIM115 (closed on exit)
        except OSError as error:
            raise tarfile.ReadError(str(error)) from None

    def __enter__(self) -> _ForwardReader:
        return self

    def __exit__(self, *what) -> None:
        self.file.close()

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"a member declares a header of {size:,} bytes")
        return self._within(self.tell() + size, lambda: self.file.read(size))

    def seek(self, position: int) -> None:
        if position < self.tell():
            raise tarfile.ReadError("a member has a negative size")
        self._within(position, lambda: self.file.seek(position))

    def chunks(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield the content of a member to its end, where tarfile looks for the next one."""
        self.seek(member.offset_data)
        left = member.size
        while left:
            chunk = self.read(min(left, CHUNK))
            if not chunk:
                raise tarfile.ReadError(f"it ends within {member.name}")
            yield chunk
            left -= len(chunk)

    def _within(self, end: int, action: Callable[[], bytes]) -> bytes:
        if end > MAX_UNPACKED:
            raise tarfile.ReadError(f"it unpacks to more than {MAX_UNPACKED:,} bytes")
        try:
            return action()
        except OSError as error:
            raise tarfile.ReadError(str(error)) from None
