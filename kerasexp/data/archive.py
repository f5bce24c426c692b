"""Files in a folder or in a zip archive, which is read without unpacking it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from kerasexp.data.digest_cache import MODE, DigestCache, FileState, file_state, state_from_stat
from kerasexp.data.source import BrokenImage, ChangedImage
from kerasexp.data.thread_pool import map_threads
from kerasexp.errors import Problem, UserError, listing

MAX_MEMBER = 256 * 2**20
MAX_RATIO = 200
# Some 150,000 images. Python takes seven times as much memory for a directory, and a second for each 16 MiB.
MAX_DIRECTORY = 16 * 2**20
# The others (bzip2, LZMA, newer ones) are not unpacked by the byte: a thousand bytes of them can give gigabytes at once.
METHODS = {zipfile.ZIP_STORED: "stored (0)", zipfile.ZIP_DEFLATED: "deflated (8)"}
LOCAL_HEADER = 30
# A pipe is opened without waiting for somebody to write to it; Windows would translate line ends.
READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
CHANGED = "the file was changed or removed while the images were being read"
DRIVE, CONTROL = re.compile("[A-Za-z]:"), re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Files:
    """The files of one folder or archive.

    Attributes:
        origin: path of the folder or archive.
        paths: of the files in it, with `/`.
        read: gives the content of one; raises BrokenImage, or ChangedImage where it is not what it was when it was listed.
    """

    origin: str
    paths: list[str]
    read: Callable[[str], bytes]
    _digest: Callable[[], str]

    @property
    def name(self) -> str:
        """The last part of the path, for people."""
        return Path(self.origin).name

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of everything that is in them; files are read for it, but for those that were read already."""
        return self._digest()


def open_files(path: Path) -> Files:
    """List a folder (with what its links lead to) or a zip archive.

    Raises:
        UserError: it is neither, it cannot be read, or the archive is unsafe; see `open_zip`.
    """
    if path.is_dir():
        return _open_folder(path)
    if zipfile.is_zipfile(path):
        return _open_zip(path)
    if not path.exists():
        raise UserError(Problem("no such file or folder", str(path)))
    raise UserError(Problem("is neither a folder nor a zip archive", str(path)))


def _open_folder(folder: Path) -> Files:
    states = dict(sorted(_states_in(folder)))
    known, hashes, unread = DigestCache(str(folder), list(states.items())), {}, set()

    def read(name: str) -> bytes:
        try:
            content = _content(f"{folder}/{name}", states[name])
        except BrokenImage as broken:
            hashes[name] = hashlib.sha256(str(broken).encode()).digest()
            unread.add(name)
            raise
        hashes[name] = hashlib.sha256(content).digest()
        return content

    def hashed(name: str) -> bytes:
        if name not in hashes:
            with suppress(BrokenImage):
                read(name)
        return name.encode("utf-8", "surrogateescape") + b"\0" + hashes[name]

    def digest() -> tuple[str, bool]:
        total = hashlib.sha256()
        for part in map_threads(hashed, list(states)):
            total.update(part)
        # What cannot be read now may be so the next time, and look the same.
        return total.hexdigest(), not unread

    return Files(str(folder), list(states), read, lambda: known.get_or_compute(digest))


def _content(path: str, listed: FileState | None) -> bytes:
    """Return what is in a file of a folder, by few calls of the system: small files take longer to open than to decode.

    Raises:
        BrokenImage: it cannot be read, is no file or too large.
        ChangedImage: it is no longer what was listed.
    """
    if listed is not None and not stat.S_ISREG(listed[MODE]):
        raise BrokenImage("is a device, a pipe or a socket")
    try:
        file = os.open(path, READING)
        try:
            size = os.fstat(file).st_size
            if size > MAX_MEMBER:
                raise BrokenImage(f"is larger than {MAX_MEMBER:,} bytes, which no image is")
            content = os.read(file, size)
            while len(content) < size and (more := os.read(file, size - len(content))):
                content += more
            if state_from_stat(os.fstat(file)) == listed:
                return content
        finally:
            os.close(file)
    except OSError as error:
        if file_state(path) == listed:
            raise BrokenImage(f"cannot be read: {error.strerror or error}") from None
    raise ChangedImage(CHANGED)


def _states_in(folder: Path) -> Iterator[tuple[str, FileState | None]]:
    """Yield all that is in a folder and the folders in it, links to folders too, but for what is hidden; with its state.

    A folder to which several links lead is read once: links that lead in a circle would have no end. What is no file (a link
    to nowhere, a pipe) is listed as well; it has its name to be told when it is read.
    """
    waiting, seen = [""], set()
    while waiting:
        within = waiting.pop()
        try:
            found = os.stat(folder / within)
            names = os.listdir(folder / within)
        except OSError as error:
            raise UserError(Problem(f"cannot be listed: {error.strerror}", str(folder / within))) from None
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        for name in sorted(names):
            if _hides(name):
                continue
            state = file_state(f"{folder}/{within}{name}")
            if state is not None and stat.S_ISDIR(state[MODE]):
                waiting.append(f"{within}{name}/")
            else:
                yield within + name, state


def _open_zip(path: Path) -> Files:
    opened = file_state(path)
    known, archive = DigestCache(str(path), [("", opened)]), open_zip(path)
    members = (m for m in archive.infolist() if not m.is_dir())
    paths = sorted(m.filename for m in members if not _is_hidden(PurePosixPath(m.filename).parts))

    def read(name: str) -> bytes:
        try:
            with archive.open(name) as member:
                # Asked for all that is there, zipfile would unpack it all, whatever size is declared.
                return member.read(archive.getinfo(name).file_size)
        except Exception as error:  # those of zipfile, of zlib and of the system have no common base
            raise BrokenImage(f"cannot be unpacked: {error}") from None
        finally:
            if file_state(path) != opened:
                raise ChangedImage(CHANGED) from None

    def digest() -> tuple[str, bool]:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), True

    return Files(str(path), paths, read, lambda: known.get_or_compute(digest))


def open_zip(path: Path, directory: int = MAX_DIRECTORY, member: int = MAX_MEMBER) -> zipfile.ZipFile:
    """Open a zip archive, of which no more than the directory is read.

    Args:
        path: the archive.
        directory: how many bytes its directory may have.
        member: how many bytes each member may unpack to.

    Raises:
        UserError: it cannot be read, or it is unsafe: a member outside the archive's own folder, a link, a name given
            twice or with control characters, an encrypted or oddly compressed member, one that unpacks to far more than
            is there, members that overlap, or something else before the first of them.
    """
    try:
        file = _Wary(io.FileIO(path), directory)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(Problem(f"is not a readable zip archive: {error}", str(path))) from None
    file.most = member
    if fault := next(_faults(archive, path.stat().st_size, member), None):
        raise UserError(Problem(f"{fault}; such an archive is not read", str(path)))
    return archive


class _Wary(io.BufferedReader):
    """A file of which at most so many bytes are read at once; zipfile asks for all of a directory, however large."""

    def __init__(self, raw: io.FileIO, most: int):
        super().__init__(raw)
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes, and no more than {self.most:,} are read")
        return super().read(size)

    def __del__(self):
        self.close()


def _faults(archive: zipfile.ZipFile, size: int, most: int) -> Iterator[str]:
    """Yield what makes an archive of `size` bytes unsafe, going by its directory alone.

    Names that differ in case, or in how Unicode composes an accent, are different ones: nothing is unpacked to a disk
    that could take them for one, and `A` and `a` are two classes.
    """
    seen = set()
    for member in archive.infolist():
        if member.is_dir():
            continue
        if reason := _fault(member, most):
            yield f"the member {_shown(member)} {reason}"
        if member.filename in seen:
            yield f"the member {_shown(member)} is there twice"
        seen.add(member.filename)
    unpacked = sum(m.file_size for m in archive.infolist())
    if unpacked > 2**30 and unpacked > MAX_RATIO * size:
        yield f"unpacks from {size:,} to {unpacked:,} bytes, as a zip bomb does"
    last, end = None, 0
    for member in sorted(archive.infolist(), key=lambda m: m.header_offset):
        if last is None and member.header_offset != 0:
            yield f"begins with something else; its first member {_shown(member)} is at byte {member.header_offset:,}"
        elif member.header_offset < end:
            yield f"the member {_shown(member)} overlaps {_shown(last)}, as in a zip bomb"
        last, end = member, member.header_offset + LOCAL_HEADER + member.compress_size
    if end > archive.start_dir:
        yield f"the member {_shown(last)} reaches beyond the end of the members"


def _fault(member: zipfile.ZipInfo, most: int) -> str | None:
    name = member.filename
    if ".." in name.replace("\\", "/").split("/") or name.startswith(("/", "\\")) or DRIVE.match(name):
        return "points outside the archive"
    if CONTROL.search(name) and not _is_hidden(PurePosixPath(name).parts):
        return "has control characters in its name, which a terminal would obey"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 1:
        return "is encrypted"
    if member.compress_type not in METHODS:
        return f"is compressed by method {member.compress_type}; those that are read are {listing(METHODS.values())}"
    if member.file_size > most or member.file_size > max(MAX_RATIO * member.compress_size, 2**24):
        return f"unpacks from {member.compress_size:,} to {member.file_size:,} bytes, as a zip bomb does"
    return None


def _shown(member: zipfile.ZipInfo) -> str:
    """Return a member's name for a message: in quotes, what a terminal would obey escaped, cut when it is long."""
    name = member.filename
    return repr(name if len(name) <= 100 else f"{name[:100]}...")


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(map(_hides, parts))


def _hides(name: str) -> bool:
    # macOS keeps a folder's image in a file of the last name.
    return name.startswith(".") or name in ("__MACOSX", "Icon\r")
