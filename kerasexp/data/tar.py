"""Files of a tar.gz archive, unpacked once into the cache: what is in such an archive can only be read by reading all of it."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from rich.console import Console

from kerasexp.data.archive import MAX_MEMBER
from kerasexp.data.digest_cache import file_state
from kerasexp.environment import cache_folder
from kerasexp.errors import Problem, RunError, UserError, listing
from kerasexp.storage import new_folder

# STL-10 unpacks to 3.1 GB.
MAX_UNPACKED = 8 * 2**30
CHUNK = 2**20


def unpack_tar(archive: Path, wanted: Iterable[str]) -> Path:
    """Return a folder with the wanted files of a tar.gz archive, whichever folder of the archive they lie in.

    Links, devices and files of other names are passed over.

    Raises:
        UserError: it is no such archive, it is damaged, a wanted file is missing, has more than 256 MiB or is there twice, or
            the archive unpacks to more than 8 GiB.
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
    """Write the wanted files to a folder; an OSError is of that folder, not of the archive."""
    missing = set(wanted)
    try:
        with _Wary(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            Console(stderr=True).print(f"unpacking {archive.name}, which is done once", highlight=False)
            # Once all were found, the rest is not read, which would take STL-10 some seconds more.
            while missing and (member := tar.next()) is not None:
                tar.members.clear()  # which it collects, however many there are
                name = PurePosixPath(member.name).name
                if name not in wanted or not member.isreg() or member.issparse():
                    continue
                if name not in missing:
                    raise tarfile.ReadError(f"{name} is there twice")
                if member.size > MAX_MEMBER:
                    raise tarfile.ReadError(
                        f"{name} has {member.size:,} bytes, and no more than {MAX_MEMBER:,} are read"
                    )
                missing.remove(name)
                with (folder / name).open("wb") as file:
                    for chunk in content.chunks(member):
                        file.write(chunk)
    except OSError:
        raise
    except Exception as error:  # those of tarfile, gzip and zlib have no common base
        raise UserError(Problem(f"is not a readable tar.gz archive: {error}", str(archive))) from None
    if missing:
        raise UserError(Problem(f"lacks {listing(sorted(missing))}, or it ends before", str(archive)))


class _Wary:
    """A gzip file that is read forwards only, and of which a limited part is read at once and in all.

    tarfile asks for all of what describes a member, however long that is said to be, and follows a size below zero back to
    where it was before. What is wrong with the file is a ReadError, so that an OSError is never of it.
    """

    def __init__(self, path: Path):
        try:
            self.file = gzip.open(path)  # noqa: SIM115 (closed on exit)
        except OSError as error:
            raise tarfile.ReadError(str(error)) from None

    def __enter__(self) -> _Wary:
        return self

    def __exit__(self, *what) -> None:
        self.file.close()

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"{size:,} bytes are said to describe a member")
        return self._within(self.tell() + size, lambda: self.file.read(size))

    def seek(self, position: int) -> None:
        if position < self.tell():
            raise tarfile.ReadError("a member has a size below zero")
        self._within(position, lambda: self.file.seek(position))

    def chunks(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield the content of a member; all of it is read, so that tarfile need not go back for the next."""
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
