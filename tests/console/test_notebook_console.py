"""Progress in a notebook: one output whose last line changes, without control characters."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from kerasexp.console import Console, QuietConsole, in_notebook, shown_path, standard_console


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    """Let this process be a notebook's kernel; the texts that its one output has had."""
    texts: list[str] = []

    def display(content, raw, display_id):
        assert raw and display_id and not texts
        texts.append(content["text/plain"])
        return SimpleNamespace(update=lambda content, raw: texts.append(content["text/plain"]))

    ipython, of_display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython, of_display.display = lambda: SimpleNamespace(kernel=object()), display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    monkeypatch.setattr("kerasexp.console.notebook_console.REDRAW_SECONDS", 0)
    return texts


def test_a_bar_is_below_the_lines_and_goes_away(shown, capsys):
    console = standard_console()
    console.line("begin")
    with console.bar("epoch 1/2", 30) as bar:
        bar.advance(10)
        console.line("between")
        bar.advance(30)
    console.line("end")
    assert shown == [
        "begin",
        f"begin\nepoch 1/2  {'█' * 10}{'░' * 20} 10/30",
        f"begin\nbetween\nepoch 1/2  {'█' * 10}{'░' * 20} 10/30",
        f"begin\nbetween\nepoch 1/2  {'█' * 30} 30/30",
        "begin\nbetween",
        "begin\nbetween\nend",
    ]
    assert capsys.readouterr() == ("", "") and "\x1b" not in "".join(shown)


def test_a_bar_without_a_total_counts(shown):
    with standard_console().bar("decoding", None) as bar:
        bar.advance(2000)
        bar.progress(5, 10)
    assert shown == ["decoding  2,000", f"decoding  {'█' * 15}{'░' * 15} 5/10", ""]


def test_updates_are_rare(shown, monkeypatch):
    monkeypatch.setattr("kerasexp.console.notebook_console.REDRAW_SECONDS", 60)
    console = standard_console()
    console.line("begin")
    with console.bar("epoch", 1000) as bar:
        for step in range(1000):
            bar.advance(step)
    assert shown == ["begin", "begin"]


def test_a_quiet_console_and_one_of_a_file_show_nothing_there(shown, tmp_path):
    with (tmp_path / "log").open("w+") as file:
        for console in (QuietConsole(), Console(file)):
            console.line("a line")
            with console.bar("bar", 3) as bar:
                bar.advance(1)
        assert shown == [] and (tmp_path / "log").read_text() == "a line\n"


def test_without_a_kernel_lines_are_printed(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    assert not in_notebook()
    console = standard_console()
    console.line("a line")
    with console.bar("bar", 3) as bar:
        bar.advance(1)
        bar.progress(2, 3)
    assert capsys.readouterr() == ("a line\n", "")


def test_paths_below_the_working_folder_are_shown_from_there(tmp_path):
    assert shown_path(tmp_path / "runs" / "1") == "runs/1" and shown_path(tmp_path.parent) == str(tmp_path.parent)
