"""Files in a folder or in a zip archive, which is read without unpacking it."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from kerasexp.data.pictures import BrokenPicture
from kerasexp.data.threads import in_threads
from kerasexp.errors import Problem, UserError

MAX_MEMBER = 256 * 2**20
MAX_RATIO = 200


@dataclass(frozen=True)
class Files:
    """The files of one folder or archive: their paths with `/`, and how to read one."""

    origin: str
    paths: list[str]
    read: Callable[[str], bytes]
    _digest: Callable[[], str]

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of everything that is in them."""
        return self._digest()


def open_files(path: Path) -> Files:
    """List a folder (its links to files included) or a zip archive.

    Raises:
        UserError: it is neither, it cannot be read, or the archive is unsafe: a member outside the archive's own folder,
            a link, a name given twice, or one that unpacks to far more than is there.
    """
    if path.is_dir():
        return _open_folder(path)
    if zipfile.is_zipfile(path):
        return _open_zip(path)
    if not path.exists():
        raise UserError(Problem("no such file or folder", str(path)))
    raise UserError(Problem("is neither a folder nor a zip archive", str(path)))


def _open_folder(folder: Path) -> Files:
    paths = sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and not _is_hidden(p.relative_to(folder).parts)
    )

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise BrokenPicture(f"cannot be read: {error.strerror or error}") from None

    def digest() -> str:
        def one(name: str) -> bytes:
            try:
                content = read(name)
            except BrokenPicture as broken:
                content = str(broken).encode()
            return name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest()

        total = hashlib.sha256()
        for part in in_threads(one, paths):
            total.update(part)
        return total.hexdigest()

    return Files(str(folder), paths, read, digest)


def _open_zip(path: Path) -> Files:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UserError(Problem(f"is not a readable zip archive: {error}", str(path))) from None
    members = [m for m in archive.infolist() if not m.is_dir()]
    _refuse_unsafe(members, path)
    paths = sorted(m.filename for m in members if not _is_hidden(PurePosixPath(m.filename).parts))

    def read(name: str) -> bytes:
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
            raise BrokenPicture(f"cannot be unpacked: {error}") from None
        except Exception as error:  # zlib.error and its kin have no common base
            raise BrokenPicture(f"cannot be unpacked: {error}") from None

    def digest() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return Files(str(path), paths, read, digest)


def _refuse_unsafe(members: list[zipfile.ZipInfo], path: Path) -> None:
    seen = set()
    for member in members:
        name = member.filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or ":" in name.split("/")[0]:
            raise UserError(
                Problem(f"the member '{name}' points outside the archive; such an archive is not read", str(path))
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(Problem(f"the member '{name}' is a link; such an archive is not read", str(path)))
        if name in seen:
            raise UserError(Problem(f"the member '{name}' is there twice; such an archive is not read", str(path)))
        seen.add(name)
        if member.file_size > MAX_MEMBER or (
            member.file_size > 2**20 * 16 and member.file_size > MAX_RATIO * max(member.compress_size, 1)
        ):
            raise UserError(
                Problem(
                    f"the member '{name}' unpacks from {member.compress_size:,} to {member.file_size:,} bytes: a zip bomb?",
                    str(path),
                )
            )
    packed, unpacked = path.stat().st_size, sum(m.file_size for m in members)
    if unpacked > 2**30 and unpacked > MAX_RATIO * packed:
        raise UserError(Problem(f"unpacks from {packed:,} to {unpacked:,} bytes: a zip bomb?", str(path)))


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
