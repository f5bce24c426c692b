"""Paths of which nobody can tell what is there: each command refuses them."""

import errno
import os
from pathlib import Path

import pytest

LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", LONG],
        ["new", "images", "--output", LONG],
        ["list", LONG],
        ["runs", "list", LONG],
        ["compare", LONG, "images"],
        ["report", LONG],
        ["reproduce", LONG],
        ["predict", LONG, "images"],
        ["track", "status", LONG],
        ["pack", "part1_digits", "--output", LONG],
        ["run", "part1_digits", "--run-dir", LONG],
        ["run", f"{LONG}.yaml"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(LONG, "LONG"),
)
def test_a_path_that_no_file_can_have_is_refused(cli, arguments):
    answer = cli(*arguments)
    assert answer.code == 2 and "cannot be looked at: File name too long" in answer.err
    assert not Path("runs").exists()


def test_a_path_below_a_closed_folder_is_refused(cli, monkeypatch):
    status = Path.stat

    def closed(path: Path, **more: bool) -> os.stat_result:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return status(path, **more)

    monkeypatch.setattr(Path, "stat", closed)
    answer = cli("compare", "closed/a", "closed/b")
    assert answer.code == 2 and answer.err == "error: closed/a: cannot be looked at: Permission denied\n"
