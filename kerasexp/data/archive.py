"""The files of a folder or of a zip archive; an archive is read without unpacking it to disk."""

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

from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.digest_cache import MODE, DigestCache, FileState, file_state, state_from_stat
from kerasexp.data.source import BrokenImage, ChangedImage
from kerasexp.errors import Problem, UserError, listing

MAX_MEMBER = 256 * 2**20
MAX_RATIO = 200
# Largest central directory in bytes: about 150,000 images. Python needs seven times as much memory, and 1 s per 16 MiB.
MAX_DIRECTORY = 16 * 2**20
# Other methods (bzip2, LZMA, newer ones) cannot be unpacked in bounded steps: 1,000 bytes may give gigabytes at once.
METHODS = {zipfile.ZIP_STORED: "stored (0)", zipfile.ZIP_DEFLATED: "deflated (8)"}
LOCAL_HEADER_BYTES = 30
# Enough for the size and depth of an image.
HEAD = 32
# O_NONBLOCK: opening a pipe must not wait for a writer. O_BINARY: Windows would translate line ends.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
CHANGED = "the file was changed or removed while the images were being read"
DRIVE, CONTROL = re.compile("[A-Za-z]:"), re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Files:
    """The files of one folder or archive.

    Attributes:
        origin: path of the folder or archive.
        paths: paths of the files inside it, separated by `/`.
        read: returns the content of one file; raises BrokenImage, or ChangedImage if the file changed since it was listed.
        head: returns the first `HEAD` bytes of one file, or fewer if they cannot be read.
    """

    origin: str
    paths: list[str]
    read: Callable[[str], bytes]
    head: Callable[[str], bytes]
    _digest: Callable[[], str]

    @property
    def name(self) -> str:
        """Name of the folder or archive, for messages."""
        return Path(self.origin).name

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all content. Files that were not read before are read for it."""
        return self._digest()


def open_files(path: Path) -> Files:
    """List a folder, following links, or a zip archive.

    Raises:
        UserError: the path is neither, cannot be read, or is an unsafe archive; see `open_zip`.
    """
    if path.is_dir():
        return _open_folder(path)
    if zipfile.is_zipfile(path):
        return _open_zip(path)
    if not path.exists():
        raise UserError(Problem("no such file or folder", str(path)))
    raise UserError(Problem("is neither a folder nor a zip archive", str(path)))


def _open_folder(folder: Path) -> Files:
    states = dict(sorted(_list_folder(folder)))
    known, hashes, unread = DigestCache(str(folder), list(states.items())), {}, set()

    def read(name: str) -> bytes:
        try:
            content = _read_file(f"{folder}/{name}", states[name])
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
        # An unreadable file may become readable without any change in its state, so such a digest is not cached.
        return total.hexdigest(), not unread

    def head(name: str) -> bytes:
        # Opening a pipe would wait for its other end.
        if states[name] is not None and stat.S_ISREG(states[name][MODE]):
            with suppress(OSError), open(f"{folder}/{name}", "rb", buffering=0) as file:
                return file.read(HEAD)
        return b""

    return Files(str(folder), list(states), read, head, lambda: known.get_or_compute(digest))


def _read_file(path: str, listed: FileState | None) -> bytes:
    """Return a file's content with few system calls: opening a small file takes longer than decoding it.

    Raises:
        BrokenImage: the file cannot be read, is not a regular file, or is too large.
        ChangedImage: the file changed since it was listed.
    """
    if listed is not None and not stat.S_ISREG(listed[MODE]):
        raise BrokenImage("is a device, a pipe or a socket")
    try:
        file = os.open(path, OPEN_FLAGS)
        try:
            size = os.fstat(file).st_size
            if size > MAX_MEMBER:
                raise BrokenImage(f"is larger than {MAX_MEMBER:,} bytes, too large for an image")
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


def _list_folder(folder: Path) -> Iterator[tuple[str, FileState | None]]:
    """Yield the path and state of each visible entry of a folder and its subfolders; links to folders are followed.

    A folder that several links lead to is listed once, so circular links end. Entries that are not regular files (a dangling
    link, a pipe) are listed too, so that reading them reports their name.
    """
    waiting, seen = [""], set()
    while waiting:
        within = waiting.pop()
        try:
            found = os.stat(folder / within)
            names = os.listdir(folder / within)
        except OSError as error:
            raise UserError(Problem(f"the folder cannot be listed: {error.strerror}", str(folder / within))) from None
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        for name in sorted(names):
            if _is_hidden_name(name):
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
                # Without a size, zipfile would unpack everything, whatever size the directory declares.
                return member.read(archive.getinfo(name).file_size)
        except Exception as error:  # errors of zipfile, zlib and the system have no common base class
            raise BrokenImage(f"cannot be unpacked: {error}") from None
        finally:
            if file_state(path) != opened:
                raise ChangedImage(CHANGED) from None

    def digest() -> tuple[str, bool]:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), True

    def head(name: str) -> bytes:
        with suppress(Exception), archive.open(name) as member:  # `read` reports why a member cannot be unpacked
            return member.read(HEAD)
        return b""

    return Files(str(path), paths, read, head, lambda: known.get_or_compute(digest))


def open_zip(path: Path, max_directory: int = MAX_DIRECTORY, max_member: int = MAX_MEMBER) -> zipfile.ZipFile:
    """Open a zip archive after checking its directory; no member is read.

    Args:
        path: the archive.
        max_directory: largest size of its central directory, in bytes.
        max_member: largest unpacked size of a member, in bytes.

    Raises:
        UserError: the archive is unreadable or unsafe: a path that leaves the archive, a link, a duplicate name, control
            characters in a name, encryption, an unsupported compression method, an implausible compression ratio,
            overlapping members, or data before the first member.
    """
    try:
        file = _LimitedReader(io.FileIO(path), max_directory)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(Problem(f"is not a readable zip archive: {error}", str(path))) from None
    file.limit = max_member
    if fault := next(_faults(archive, path.stat().st_size, max_member), None):
        raise UserError(Problem(f"{fault}; unsafe archives are refused", str(path)))
    return archive


class _LimitedReader(io.BufferedReader):
    """A file that refuses reads of more than `limit` bytes; zipfile reads a whole directory at once, however large."""

    def __init__(self, raw: io.FileIO, limit: int):
        super().__init__(raw)
        self.limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.limit:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes; at most {self.limit:,} are allowed")
        return super().read(size)

    def __del__(self):
        self.close()


def _faults(archive: zipfile.ZipFile, size: int, max_member: int) -> Iterator[str]:
    """Yield what makes an archive of `size` bytes unsafe, from its directory alone.

    Names that differ only in case or in Unicode composition count as different: nothing is unpacked to a file system that
    could confuse them, and `A` and `a` are two classes.
    """
    seen = set()
    for member in archive.infolist():
        if member.is_dir():
            continue
        if reason := _member_fault(member, max_member):
            yield f"the member {_quoted(member)} {reason}"
        if member.filename in seen:
            yield f"the member {_quoted(member)} appears twice"
        seen.add(member.filename)
    unpacked = sum(m.file_size for m in archive.infolist())
    if unpacked > 2**30 and unpacked > MAX_RATIO * size:
        yield f"unpacks from {size:,} to {unpacked:,} bytes, as a zip bomb does"
    last, end = None, 0
    for member in sorted(archive.infolist(), key=lambda m: m.header_offset):
        if last is None and member.header_offset != 0:
            yield f"has data before its first member, {_quoted(member)}, which is at byte {member.header_offset:,}"
        elif member.header_offset < end:
            yield f"the member {_quoted(member)} overlaps {_quoted(last)}, as in a zip bomb"
        last, end = member, member.header_offset + LOCAL_HEADER_BYTES + member.compress_size
    if end > archive.start_dir:
        yield f"the member {_quoted(last)} reaches into the directory"


def _member_fault(member: zipfile.ZipInfo, max_member: int) -> str | None:
    name = member.filename
    if ".." in name.replace("\\", "/").split("/") or name.startswith(("/", "\\")) or DRIVE.match(name):
        return "points outside the archive"
    if CONTROL.search(name) and not _is_hidden(PurePosixPath(name).parts):
        return "has control characters in its name"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 1:
        return "is encrypted"
    if member.compress_type not in METHODS:
        return f"is compressed by method {member.compress_type}; supported methods: {listing(METHODS.values())}"
    if member.file_size > max_member or member.file_size > max(MAX_RATIO * member.compress_size, 2**24):
        return f"unpacks from {member.compress_size:,} to {member.file_size:,} bytes, as a zip bomb does"
    return None


def _quoted(member: zipfile.ZipInfo) -> str:
    """Return a member's name for a message: quoted, control characters escaped, cut after 100 characters."""
    name = member.filename
    return repr(name if len(name) <= 100 else f"{name[:100]}...")


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(map(_is_hidden_name, parts))


def _is_hidden_name(name: str) -> bool:
    # macOS stores a folder's icon in `Icon\r`.
    return name.startswith(".") or name in ("__MACOSX", "Icon\r")
