"""The live displays of a terminal, at several widths, and what is left of them at the end."""

from __future__ import annotations

import io
import re
import time

import pytest
import rich.console

from kerasexp.console import Console, Position, standard_console
from kerasexp.console.live_line import Part, fitted
from kerasexp.console.terminal_console import TerminalConsole
from kerasexp.console.terminal_displays import TerminalJobs, TerminalTraining

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Screen:
    def add(self, display):
        pass

    remove = add


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(display, width: int, height: int = 24, encoding: str = "utf-8") -> list[str]:
    """Return the lines of a display, without the characters of bars."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    terminal = rich.console.Console(file=file, width=width, height=height, legacy_windows=False)
    terminal.print(display)
    file.seek(0)
    return [line.rstrip() for line in file.read().splitlines()]


@pytest.fixture
def clock(monkeypatch):
    """Return the seconds of a clock, which a test sets."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def training(clock) -> TerminalTraining:
    """Three epochs of 100 steps of 32 images, 80 steps a minute, at step 61 of the second."""
    training = TerminalTraining(Screen(), 3, 100, 32)
    for epoch, step in [(1, 1), (1, 41), (1, 81), (2, 21), (2, 61)]:
        training.step(epoch, step, 0.51234, 0.87654)
        training.position()
        clock[0] += 3
    clock[0] -= 3
    return training


def test_a_training_is_one_line(training):
    (line,) = drawn(training, 120)
    words = re.sub(" *[━╸╺]+ *", " BAR ", line)
    # 160 steps in 12 s; the last 10 s have three samples with 120 steps of 32 images in 9 s.
    assert words == "epoch 2/3 BAR 61/100  0:10 left  loss 0.5123  accuracy 0.8765  427 images/s"
    assert len(line) <= 119


def test_a_narrow_terminal_shows_what_matters(training):
    assert drawn(training, 80) == ["epoch 2/3  61/100  0:10 left  loss 0.5123  accuracy 0.8765  427 images/s"]
    assert drawn(training, 60) == ["epoch 2/3  61/100  0:10 left  loss 0.5123  acc 0.8765"]
    assert drawn(training, 40) == ["epoch 2/3  0:10 left  loss 0.5123"]
    assert drawn(training, 8) == ["epoch 2"]


def test_a_terminal_without_utf_8_gets_a_bar_of_ascii(training):
    (line,) = drawn(training, 120, encoding="ascii")
    assert line.isascii() and "-----" in line


def test_validation_and_the_first_step_are_named(clock):
    training = TerminalTraining(Screen(), 3, 100, 32)
    assert "preparing the first step" in drawn(training, 100)[0]
    training.step(1, 100, 0.5, 0.75)
    training.validate()
    (line,) = drawn(training, 120)
    assert "validating" in line and "100/100" not in line


POSITIONS = {
    "plain, seed 0": Position("training", 4, 12, 50, 100, 0.5, 0.75, 1500.0, 65.0),
    "pretrained, seed 0": Position("evaluating"),
}


@pytest.fixture
def jobs(clock) -> TerminalJobs:
    table = TerminalJobs(Screen(), "study", 6)
    for name, position in POSITIONS.items():
        table.start(name, lambda position=position: position)
    return table


def test_the_table_says_what_each_job_does(jobs):
    head, *rows = drawn(jobs, 110)
    assert head.startswith("study ") and head.endswith("0/6 done  2 running")
    assert rows == [
        "  plain, seed 0       epoch 4/12, 29%  loss 0.5000  accuracy 0.7500  1,500 images/s  1:05 left",
        "  pretrained, seed 0  evaluating",
    ]
    head, *rows = drawn(jobs, 60)
    assert rows == ["  plain, seed 0       epoch 4/12, 29%  1:05 left", "  pretrained, seed 0  evaluating"]
    assert max(map(len, drawn(jobs, 30))) <= 30 and all(map(str.isascii, drawn(jobs, 30)))


def test_a_table_that_is_too_long_is_cut(clock):
    table = TerminalJobs(Screen(), "search", None)
    for number in range(60):
        table.start(f"trial {number}", lambda: Position("training"))
    table.skip(440)
    lines = drawn(table, 100, height=10)
    assert len(lines) == 9 and lines[-1] == "  and 53 more" and "440 done" in lines[0]


def test_names_of_jobs_keep_their_ends(clock):
    table = TerminalJobs(Screen(), "study", 2)
    for seed in range(2):
        table.start(f"a_variant_with_quite_a_long_name, seed {seed}", lambda: Position("preparing"))
    assert drawn(table, 60)[1:] == [f"  a_variant_with_.. seed {seed}  preparing" for seed in range(2)]


def test_the_time_left_follows_from_jobs_that_have_trained(jobs, clock):
    drawn(jobs, 100)  # asks where they are
    clock[0] += 60
    jobs.end("pretrained, seed 0")  # it was never seen in training: it may have been copied
    assert jobs.seconds_left() is None
    jobs.end("plain, seed 0")
    jobs.start("third", lambda: Position("starting"))
    clock[0] += 15
    # 45 s of this one, and three that wait.
    assert jobs.seconds_left() == 45 + 3 * 60 and drawn(jobs, 100)[0].endswith("2/6 done  1 running  3:45 left")


def test_jobs_are_asked_once_a_second(clock):
    asked, table = [], TerminalJobs(Screen(), "study", 2)
    table.start("a", lambda: asked.append(1) or Position("training"))
    for _ in range(10):
        drawn(table, 80)
        clock[0] += 0.25
    assert len(asked) == 3


def test_parts_of_low_rank_give_way():
    parts = [Part("name", 3), Part("longer", 1, short="long"), Part("", 2), Part("last", 2)]
    assert [part.text for part in fitted(parts, 18)] == ["name", "longer", "last"]
    assert [part.text for part in fitted(parts, 17)] == ["name", "long", "last"]
    assert [part.text for part in fitted(parts, 15)] == ["name", "last"]
    assert [part.text for part in fitted(parts, 1)] == ["name"]


def live(monkeypatch, **environment: str) -> tuple[Console, Terminal]:
    file = Terminal()
    monkeypatch.setattr("sys.stdout", file)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", **environment}.items():
        monkeypatch.setenv(name, value)
    return standard_console(), file


def test_displays_leave_a_clean_terminal_also_after_ctrl_c(monkeypatch):
    console, file = live(monkeypatch)
    assert isinstance(console, TerminalConsole)
    with pytest.raises(KeyboardInterrupt), console.jobs("study", 2) as table, console.bar("decoding", 10) as bar:
        table.start("a", lambda: Position("starting"))
        bar.advance(5)
        console.line("a line above")
        raise KeyboardInterrupt
    shown = file.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW) == 1 and "a line above" in shown and "decoding" in shown
    assert "study" not in shown.rpartition(SHOW)[2]
    console.line("the last line")
    assert file.getvalue().endswith("the last line\n") and HIDE not in file.getvalue().rpartition(SHOW)[2]


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    yellow = "\x1b[33m"
    console, file = live(monkeypatch)
    console.warning("be warned")
    assert yellow in file.getvalue()
    console, file = live(monkeypatch, NO_COLOR="1")
    console.warning("be warned")
    assert yellow not in file.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    console, file = live(monkeypatch, TERM="dumb")
    assert type(console) is Console
    with console.training(3, 10, 32) as line:
        line.step(1, 1, 0.5, 0.5)
        console.heading("a heading")
    assert file.getvalue() == "\na heading\n"


def test_a_long_path_stays_whole(monkeypatch):
    console, file = live(monkeypatch, COLUMNS="20")
    path = "runs/a_name_that_is_longer_than_the_line/1/report.html"
    console.line(f"trained in 2.5 s; report: {path}")
    assert path in file.getvalue() and file.getvalue().startswith("trained in 2.5 s;")
