"""Commands that pages run: one at a time, and not for ever."""

from pathlib import Path

import pytest

from kerasexp.browser import command_process
from kerasexp.browser.command_process import CommandProcess
from kerasexp.browser.comparison_page import _compare, comparison_page
from kerasexp.errors import UserError


def test_what_a_command_prints_is_returned(monkeypatch):
    monkeypatch.setattr(command_process.sys, "executable", "echo")
    done = CommandProcess("check").run("--set", Path("épochs"))
    assert done.returncode == 0 and done.stdout == "-m kerasexp check --set épochs\n"


def test_a_second_comparison_is_refused_until_the_first_has_ended(monkeypatch):
    monkeypatch.setattr(command_process.sys, "executable", "false")
    with (
        _compare._running,
        pytest.raises(UserError, match="compare: another one is running; try again when it has ended"),
    ):
        comparison_page([])
    with pytest.raises(UserError, match="compare ended with exit code 1"):
        comparison_page([])


def test_a_command_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(command_process, "LONGEST_SECONDS", 0.01)
    command = CommandProcess("check")
    with pytest.raises(UserError, match="check: took more than 0.01 seconds; run the command in a terminal"):
        command.run("--help")
    assert command._running.acquire(blocking=False)
