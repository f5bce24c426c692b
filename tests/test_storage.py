"""Copies of folders, locks, and names that are safe as file names."""

import errno
import fcntl
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kerasexp.errors import RunError
from kerasexp.storage import GrowingTable, copy_folder, exclusive_lock, new_folder, safe_name, write_rows


def folder(path: str, content: str) -> Path:
    Path(path, "inner").mkdir(parents=True)
    Path(path, "inner", "file").write_text(content)
    return Path(path)


def test_a_copy_replaces_the_folder_and_leaves_nothing_else(tmp_path):
    source, target = folder("source", "new"), folder("target", "old")
    # What a killed process left.
    folder(".target.copy", "half")
    folder(".target.old", "older")
    copy_folder(source, target)
    assert (target / "inner" / "file").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_a_copy_that_fails_leaves_the_folder_as_it_was(monkeypatch):
    source, target = folder("source", "new"), folder("target", "old")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(RunError, match="target: cannot be written: No space left on device"):
        copy_folder(source, target)
    assert (target / "inner" / "file").read_text() == "old"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cats_2.v-1", "cats_2.v-1"),
        ("my cats!", "my_cats"),
        ("../x", "x"),
        ("数字", "other"),
        ("é" * 9 + "a" * 200, "e" * 9 + "a" * 91),
    ],
)
def test_names_are_safe(text, name):
    assert safe_name(text, "other") == name


def test_a_growing_table_is_the_table_of_all_rows_and_formats_each_once(tmp_path):
    formatted = []

    class Row(dict):
        def values(self):
            formatted.append(self["epoch"])
            return super().values()

    growing, rows = GrowingTable(tmp_path / "growing.csv"), []
    for epoch in range(1, 6):
        rows += [Row(epoch=epoch, loss=1 / epoch, note="a,b")] * (1 if epoch != 3 else 2)
        growing.write(rows)
        assert formatted == [row["epoch"] for row in rows]
        write_rows(tmp_path / "whole.csv", [dict(row) for row in rows])
        assert (tmp_path / "growing.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


HOLD = """
import sys, time
from pathlib import Path
from kerasexp.storage import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def held(tmp_path):
    """Return a function that lets another process hold the lock for some seconds."""
    processes = []

    def hold(lock: Path, seconds: float) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", HOLD, lock, str(seconds)], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"locked\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()


def test_a_lock_that_another_process_holds_is_refused_or_waited_for(held, tmp_path):
    lock, said = tmp_path / ".lock", []
    held(lock, 1.5)
    with pytest.raises(BlockingIOError), exclusive_lock(lock):
        pass
    with exclusive_lock(lock, lambda: said.append("waiting")) as waited:
        assert (waited, said) == (True, ["waiting"])
    assert not lock.exists()
    with exclusive_lock(lock, lambda: said.append("waiting")) as waited:
        assert (waited, said) == (False, ["waiting"])


def test_a_lock_ends_with_its_process(held, tmp_path):
    lock = tmp_path / ".lock"
    process = held(lock, 60)
    process.kill()
    process.wait()
    assert lock.exists()
    with exclusive_lock(lock) as waited:
        assert not waited


def test_one_thread_at_a_time_holds_a_lock_although_each_removes_the_file(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with exclusive_lock(tmp_path / ".lock", lambda: None):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and max(most) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_locks_nobody_out(monkeypatch, tmp_path, number):
    """Network drives answer in several ways that they have no locks."""

    def refuse(*_):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(2):
        with exclusive_lock(tmp_path / ".lock") as waited:
            assert not waited
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), exclusive_lock(tmp_path / "gone" / ".lock"):
        pass


def test_a_new_folder_takes_the_place_of_an_empty_one(tmp_path):
    (tmp_path / "target").mkdir()
    with new_folder(tmp_path / "target") as temporary:
        (temporary / "file").touch()
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["file"]
    with pytest.raises(OSError), new_folder(tmp_path / "target"):
        pass
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["file"]
