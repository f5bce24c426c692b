"""Copies of folders, and names that are safe as file names."""

import shutil
from pathlib import Path

import pytest

from kerasexp.errors import RunError
from kerasexp.storage import GrowingTable, copy_folder, safe_name, write_rows


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

    def fail(*_):
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
