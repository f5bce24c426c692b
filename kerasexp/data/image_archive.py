"""The files of a folder or of a zip archive; an archive is read without unpacking it to disk."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.digest_cache import MODE, DigestCache, FileState, file_state, state_from_stat
from kerasexp.data.folder_listing import Listing, list_folder
from kerasexp.data.image_headers import START_BYTES, start_of
from kerasexp.data.image_zip_checks import MAX_MEMBER, EncryptedArchive, is_hidden, member_paths, open_zip
from kerasexp.data.source import BrokenImage, ChangedImage, PassingFault
from kerasexp.errors import Problem, UserError

# O_NONBLOCK: opening a pipe must not wait for a writer. O_BINARY: Windows would translate line ends.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
CHANGED = "the file was changed or removed while the images were being read"


@dataclass(frozen=True)
class Files:
    """The files of one folder or archive.

    Attributes:
        origin: path of the folder or archive.
        paths: paths of the files inside it, separated by `/`.
        folders: paths of the folders inside it.
        hidden: paths of the files that are not listed: hidden ones, and those that macOS adds.
        notes: sentences about links.
        read: returns the content of one file; raises BrokenImage, or ChangedImage if the file changed since it was listed.
        head: returns the first bytes of one file, or fewer if they cannot be read.
        digest_of: returns a hexadecimal SHA-256 of the content of files of these names, in any order. Those that were not read
            before are read for it. In an archive it is that of the whole archive.
    """

    origin: str
    paths: list[str]
    folders: list[str]
    hidden: list[str]
    notes: list[str]
    read: Callable[[str], bytes]
    head: Callable[[str], bytes]
    digest_of: Callable[[Iterable[str]], str]

    @property
    def name(self) -> str:
        """Name of the folder or archive, for messages."""
        return Path(self.origin).name


def open_files(path: Path) -> Files:
    """List a folder, following links, or a zip archive.

    Raises:
        UserError: the path is neither, cannot be read, or is an unsafe archive; see `open_zip`.
    """
    if path.is_dir():
        return open_listed(path, list_folder(path))
    if zipfile.is_zipfile(path):
        return _open_zip(path)
    if not path.exists():
        raise UserError(Problem("no such file or folder", str(path)))
    raise UserError(Problem("is neither a folder nor a zip archive", str(path)))


def open_listed(folder: Path, listing: Listing) -> Files:
    """Return the files of a folder that are listed."""
    states, hashes, unread = listing.files, {}, set()
    known = DigestCache(str(folder), states)

    def read(name: str) -> bytes:
        if name not in states:
            raise BrokenImage("no such file")
        try:
            content = _read_file(f"{folder}/{name}", states[name])
        except BrokenImage as broken:
            hashes[name] = hashlib.sha256(str(broken).encode()).digest()
            unread.add(name)
            raise
        hashes[name] = hashlib.sha256(content).digest()
        return content

    def head(name: str) -> bytes:
        # Opening a pipe would wait for its other end.
        state = states.get(name)
        is_file = state is not None and stat.S_ISREG(state[MODE])
        return start_of(f"{folder}/{name}") if is_file else b""

    def hashed(name: str) -> bytes:
        if name not in hashes:
            with suppress(BrokenImage):
                read(name)
        # A file that is not listed has no content.
        return name.encode("utf-8", "surrogateescape") + b"\0" + hashes.get(name, b"")

    def digest_of(names: Iterable[str]) -> str:
        own = sorted(dict.fromkeys(names))

        def digest() -> tuple[str, bool]:
            total = hashlib.sha256()
            for part in map_threads(hashed, own):
                total.update(part)
            # An unreadable file may become readable without any change in its state, so such a digest is not cached.
            return total.hexdigest(), unread.isdisjoint(own)

        return known.get_or_compute(own, digest)

    return Files(
        str(folder),
        list(states),
        listing.folders,
        listing.hidden,
        listing.notes,
        read,
        head,
        digest_of,
    )


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


def _open_zip(path: Path) -> Files:
    opened = file_state(path)
    known = DigestCache(str(path), {"": opened})
    try:
        archive = open_zip(path)
    except EncryptedArchive as error:
        advice = "unpack it with its password and give the folder, or make it again without one"
        raise UserError(Problem(f"{error.fault}; {advice}", str(path))) from None
    members = dict(member_paths(archive))
    named = sorted(path for path in members if not path.endswith("/"))
    visible = [path for path in named if not is_hidden(path)]
    above = {parent for path in members for parent in _folders_above(path) if not is_hidden(parent)}

    def read(name: str) -> bytes:
        try:
            with archive.open(members[name]) as member:
                # Without a size, zipfile would unpack everything, whatever size the directory declares.
                return member.read(members[name].file_size)
        except Exception as error:  # errors of zipfile, zlib and the system have no common base class
            kind = PassingFault if isinstance(error, OSError) else BrokenImage
            raise kind(f"cannot be unpacked: {error}") from None
        finally:
            if file_state(path) != opened:
                raise ChangedImage(CHANGED) from None

    def digest() -> tuple[str, bool]:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), True

    @cache
    def whole() -> str:
        return known.get_or_compute([""], digest)

    def head(name: str) -> bytes:
        try:
            with archive.open(members[name]) as member:
                return member.read(START_BYTES)
        except Exception:  # `read` reports why it cannot be unpacked
            return b""

    return Files(
        str(path),
        visible,
        sorted(above),
        [path for path in named if is_hidden(path)],
        [],
        read,
        head,
        lambda names: whole(),
    )


def _folders_above(path: str) -> Iterator[str]:
    """Yield the folders that a member of an archive is in; a path that ends in `/` is a folder itself."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
