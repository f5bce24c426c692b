"""Zip archives: opened only if their directory is safe, and the paths of their members."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from kerasexp.data.folder_listing import is_hidden_name
from kerasexp.data.image_headers import START_BYTES, uncompressed_size
from kerasexp.errors import Problem, UserError, listing

MAX_MEMBER = 256 * 2**20
# A member that unpacks to more times its size is a zip bomb, unless its header announces an uncompressed image of that size: a
# blank page compresses 1,000:1.
MAX_RATIO = 200
# Bytes that a small archive, too, may unpack to.
MAX_TOTAL = 2**30
# Largest central directory in bytes: about 150,000 images. Python needs seven times as much memory, and 1 s per 16 MiB.
MAX_DIRECTORY = 16 * 2**20
# Other methods (bzip2, LZMA, newer ones) cannot be unpacked in bounded steps: 1,000 bytes may give gigabytes at once.
METHODS = {zipfile.ZIP_STORED: "stored (0)", zipfile.ZIP_DEFLATED: "deflated (8)"}
LOCAL_HEADER_BYTES = 30
DRIVE, CONTROL = re.compile("[A-Za-z]:"), re.compile("[\x00-\x1f\x7f-\x9f]")
# The flags of an encrypted member and of a name in UTF-8, and the systems whose separator is a backslash: FAT, NTFS, VFAT.
ENCRYPTED, UTF_8, WINDOWS = 0x1, 0x800, (0, 10, 11, 14)


class EncryptedArchive(UserError):
    """A member is encrypted; `fault` says which. What to do about it depends on what the archive holds."""

    def __init__(self, path: Path, fault: str):
        super().__init__(Problem(f"{fault}; unsafe archives are refused", str(path)))
        self.fault = fault


def open_zip(path: Path, max_directory: int = MAX_DIRECTORY, max_member: int = MAX_MEMBER) -> zipfile.ZipFile:
    """Open a zip archive after checking its directory.

    Of a member that would unpack to more than `MAX_RATIO` times its size, the first bytes are read.

    Args:
        path: the archive.
        max_directory: largest size of its central directory, in bytes.
        max_member: largest unpacked size of a member, in bytes.

    Raises:
        UserError: the archive is unreadable or unsafe: a path that leaves the archive, a link, a duplicate name, control
            characters in a name, an unsupported compression method, an implausible compression ratio,
            overlapping members, or data before the first member.
        EncryptedArchive: a member is encrypted.
    """
    try:
        file = _LimitedReader(io.FileIO(path), max_directory)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(Problem(f"is not a readable zip archive: {error}", str(path))) from None
    file.limit = max_member
    if (member := next((m for m in archive.infolist() if m.flag_bits & ENCRYPTED), None)) is not None:
        raise EncryptedArchive(path, f"the member {_quoted(member)} is encrypted")
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


def bomb_fault(size: int, unpacked: int) -> str | None:
    """Return why a file of `size` bytes must not be unpacked to so many; None if it may: they are plausible, or not many."""
    if unpacked <= max(MAX_TOTAL, MAX_RATIO * size):
        return None
    return f"unpacks from {size:,} to {unpacked:,} bytes, as a zip bomb does"


def _faults(archive: zipfile.ZipFile, size: int, max_member: int) -> Iterator[str]:
    """Yield what makes an archive of `size` bytes unsafe, from its directory alone.

    Names that differ only in case or in Unicode composition count as different: nothing is unpacked to a file system that
    could confuse them, and `A` and `a` are two classes.
    """
    seen = set()
    for path, member in member_paths(archive):
        if path.endswith("/"):
            continue
        if reason := _member_fault(archive, member, max_member):
            yield f"the member {_quoted(member)} {reason}"
        if path in seen:
            yield f"the member {_quoted(member)} appears twice"
        seen.add(path)
    unpacked = sum(m.file_size for m in archive.infolist())
    if bomb_fault(size, unpacked):
        large = [m for m in archive.infolist() if m.file_size > MAX_RATIO * m.compress_size]
        unpacked -= sum(m.file_size for m in large if _is_uncompressed_image(archive, m))
    if fault := bomb_fault(size, unpacked):
        yield fault
    last, end = None, 0
    for member in sorted(archive.infolist(), key=lambda m: m.header_offset):
        if last is None and member.header_offset != 0:
            yield f"has data before its first member, {_quoted(member)}, which is at byte {member.header_offset:,}"
        elif member.header_offset < end:
            yield f"the member {_quoted(member)} overlaps {_quoted(last)}, as in a zip bomb"
        last, end = member, member.header_offset + LOCAL_HEADER_BYTES + member.compress_size
    if end > archive.start_dir:
        yield f"the member {_quoted(last)} reaches into the directory"


def _member_fault(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_member: int) -> str | None:
    name = member.filename
    if ".." in name.replace("\\", "/").split("/") or name.startswith(("/", "\\")) or DRIVE.match(name):
        return "points outside the archive"
    if CONTROL.search(name) and not is_hidden(name):
        return "has control characters in its name"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.compress_type not in METHODS:
        return f"is compressed by method {member.compress_type}; supported methods: {listing(METHODS.values())}"
    usual = member.file_size <= max(MAX_RATIO * member.compress_size, 2**24)
    if member.file_size > max_member or not (usual or _is_uncompressed_image(archive, member)):
        return f"unpacks from {member.compress_size:,} to {member.file_size:,} bytes, as a zip bomb does"
    return None


def _is_uncompressed_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Return whether the header is that of an image which has this size uncompressed."""
    try:
        with archive.open(member) as file:
            return member.file_size <= uncompressed_size(file.read(START_BYTES))
    except Exception:  # what is wrong with it is reported when it is read
        return False


def member_paths(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield the path of each member, separated by `/`, that of a folder with one at its end.

    Programs on Windows may write backslashes, and macOS names in UTF-8 without the flag that says so.
    """
    members = archive.infolist()
    slashed = any("/" in member.filename for member in members)
    for member in members:
        path = member.filename
        if not member.flag_bits & UTF_8:
            with suppress(UnicodeError):
                path = path.encode("cp437").decode("utf-8")
        yield (path.replace("\\", "/") if member.create_system in WINDOWS or not slashed else path), member


def is_hidden(path: str) -> bool:
    """Return whether a file or a folder above it is hidden."""
    return any(map(is_hidden_name, PurePosixPath(path).parts))


def _quoted(member: zipfile.ZipInfo) -> str:
    """Return a member's name for a message: quoted, control characters escaped, cut after 100 characters."""
    name = member.filename
    return repr(name if len(name) <= 100 else f"{name[:100]}...")
