"""Cached digests: valid while the state of the files is unchanged, and never if that could hide a change."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from kerasexp.data import digest_cache
from kerasexp.data import image_archive as archive
from kerasexp.data.digest_cache import DigestCache, file_state
from kerasexp.data.image_archive import open_files
from kerasexp.environment import cache_folder

LONG_AGO, NEVER = 0, 10**15


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of three files, an empty cache, and files that count as settled at once."""
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digest_cache, "SETTLED", LONG_AGO)
    made = tmp_path / "files"
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(name.encode())
    return made


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The files that are read."""
    seen, content = [], archive._read_file
    monkeypatch.setattr(archive, "_read_file", lambda path, state: seen.append(Path(path).name) or content(path, state))
    return seen


def test_a_folder_is_recognized_by_the_state_of_its_files(folder, read):
    first = open_files(folder).digest
    assert len(read) == 3
    assert open_files(folder).digest == first and len(read) == 3
    assert open_files(Path(os.path.relpath(folder))).digest == first and len(read) == 3


def test_files_are_not_read_twice_for_the_digest(folder, read):
    expected = open_files(folder).digest
    shutil.rmtree(cache_folder())
    read.clear()
    files = open_files(folder)
    assert files.read("a/2.png") == b"a/2.png"
    assert files.digest == expected and sorted(read) == ["1.png", "1.png", "2.png"]


def written_over(file: Path) -> None:
    """Other content of the same size, and the time of the content set back, as a copying program might."""
    before = file.stat()
    file.write_bytes(b"x" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"y" * file.stat().st_size)
    shutil.copystat(file, other)
    os.replace(other, file)


def moved(file: Path) -> None:
    os.rename(file, file.with_name("3.png"))


def added(file: Path) -> None:
    shutil.copy2(file, file.with_name("3.png"))


@pytest.mark.parametrize("change", [written_over, replaced, moved, added, Path.unlink])
def test_every_change_changes_the_digest(folder, change):
    before = open_files(folder).digest
    change(folder / "a" / "1.png")
    changed = open_files(folder).digest
    assert changed != before
    shutil.rmtree(cache_folder())
    assert open_files(folder).digest == changed


def test_a_recently_written_file_is_read_again(folder, read, monkeypatch):
    monkeypatch.setattr(digest_cache, "SETTLED", NEVER)
    for times in (1, 2):
        open_files(folder).digest  # noqa: B018
        assert len(read) == 3 * times
    assert not (cache_folder() / "digests").exists()


def test_unreadable_files_are_tried_again(folder, monkeypatch):
    may = os.open

    def may_not(path, *arguments):
        if str(path).endswith("2.png"):
            raise OSError(5, "Input/output error")
        return may(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", may_not)
        without = open_files(folder).digest
    assert open_files(folder).digest != without


@pytest.mark.parametrize("spoilt", [b"", b"\xff", b"[]", b"{}", b'{"states": 1, "digest": 2}'], ids=repr)
def test_a_damaged_cache_entry_is_replaced(folder, read, spoilt):
    first = open_files(folder).digest
    (note,) = (cache_folder() / "digests").iterdir()
    kept = note.read_bytes()
    note.write_bytes(spoilt)
    assert open_files(folder).digest == first and len(read) == 6
    assert note.read_bytes() == kept


def test_an_unwritable_digest_cache_only_costs_time(folder, read, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "file"))
    assert open_files(folder).digest == open_files(folder).digest and len(read) == 6


def test_digests_of_archives_are_cached_too(folder, tmp_path, monkeypatch):
    path = tmp_path / "files.zip"
    with zipfile.ZipFile(path, "w") as written:
        written.write(folder / "a" / "1.png", "a/1.png")
    first = open_files(path).digest
    with monkeypatch.context() as patched:
        patched.setattr(archive.hashlib, "file_digest", None)
        assert open_files(path).digest == first
    assert DigestCache(str(path), {"": file_state(path)}).get() == first
    written_over(path)
    assert DigestCache(str(path), {"": file_state(path)}).get() is None
