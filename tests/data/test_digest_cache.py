"""Cached digests: valid while the state of the files is unchanged, and never if that could hide a change."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from kerasexp.data import digest_cache
from kerasexp.data import image_archive as archive
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


def digest(place: Path) -> str:
    files = open_files(place)
    return files.digest_of(files.paths)


def notes() -> list[Path]:
    """The files of cached digests."""
    return sorted((cache_folder() / "digests").iterdir())


def test_a_folder_is_recognized_by_the_state_of_its_files(folder, read):
    first = digest(folder)
    assert len(read) == 3
    assert digest(folder) == first and len(read) == 3
    assert digest(Path(os.path.relpath(folder))) == first and len(read) == 3


def test_files_are_not_read_twice_for_the_digest(folder, read):
    expected = digest(folder)
    shutil.rmtree(cache_folder())
    read.clear()
    files = open_files(folder)
    assert files.read("a/2.png") == b"a/2.png"
    assert files.digest_of(files.paths) == expected and sorted(read) == ["1.png", "1.png", "2.png"]


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


def test_other_files_of_a_folder_change_nothing(folder, read):
    first = open_files(folder).digest_of(["b/1.png", "a/1.png"])
    (folder / "notes.txt").write_text("x")
    (folder / "a" / "3.png").symlink_to("nowhere")
    written_over(folder / "a" / "2.png")
    assert open_files(folder).digest_of(["a/1.png", "b/1.png"]) == first and read == ["1.png", "1.png"]


def test_files_that_are_not_there_have_a_digest(folder):
    lacking = open_files(folder).digest_of(["a/1.png", "a/9.png"])
    assert lacking != open_files(folder).digest_of(["a/1.png"])
    added(folder / "a" / "1.png")
    os.rename(folder / "a" / "3.png", folder / "a" / "9.png")
    assert open_files(folder).digest_of(["a/1.png", "a/9.png"]) != lacking


def test_a_folder_that_grows_leaves_one_file_of_some_digests(folder, read):
    for number in range(2 * digest_cache.MOST_SETS):
        (folder / "a" / f"new {number}.png").write_bytes(b"x")
        grown = digest(folder)
    (note,) = notes()
    assert len(json.loads(note.read_text())) == digest_cache.MOST_SETS
    read.clear()
    assert digest(folder) == grown and not read


@pytest.mark.parametrize("change", [written_over, replaced, moved, added, Path.unlink])
def test_every_change_changes_the_digest(folder, change):
    before = digest(folder)
    change(folder / "a" / "1.png")
    changed = digest(folder)
    assert changed != before
    shutil.rmtree(cache_folder())
    assert digest(folder) == changed


def test_a_recently_written_file_is_read_again(folder, read, monkeypatch):
    monkeypatch.setattr(digest_cache, "SETTLED", NEVER)
    for times in (1, 2):
        digest(folder)
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
        without = digest(folder)
    assert digest(folder) != without


@pytest.mark.parametrize("spoilt", [b"", b"\xff", b"[]", b"{}", b'{"states": 1, "digest": 2}'], ids=repr)
def test_a_damaged_cache_entry_is_replaced(folder, read, spoilt):
    first = digest(folder)
    (note,) = notes()
    kept = note.read_bytes()
    note.write_bytes(spoilt)
    assert digest(folder) == first and len(read) == 6
    assert note.read_bytes() == kept


def test_an_unwritable_digest_cache_only_costs_time(folder, read, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "file"))
    assert digest(folder) == digest(folder) and len(read) == 6


def test_digests_of_archives_are_cached_too(folder, tmp_path, monkeypatch):
    path = tmp_path / "files.zip"
    with zipfile.ZipFile(path, "w") as written:
        written.write(folder / "a" / "1.png", "a/1.png")
    first = digest(path)
    with monkeypatch.context() as patched:
        patched.setattr(archive.hashlib, "file_digest", None)
        assert digest(path) == first
        path.touch()
        with pytest.raises(TypeError):
            digest(path)
