"""Events as lines for people and as JSON for programs, and what each console shows of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kerasexp.console import (
    Console,
    Failed,
    Finished,
    JobEnded,
    JsonConsole,
    Note,
    QuietConsole,
    Started,
    WarningConsole,
    standard_console,
)
from kerasexp.errors import Interrupted, Problem, RunError, UserError
from kerasexp.training.epoch_progress import EpochEnded

EVENTS = [
    Started("run", "digits", Path("runs/digits/1"), epochs=3),
    EpochEnded(Path("runs/digits/1"), 1, 3, {"loss": 0.5, "accuracy": 0.75, "val_loss": float("nan")}, 0.001),
    Note("a sentence"),
    JobEnded("study", "plain", 4, Path("r"), "finished", 1, 2, {"a": 1.0}, {"a": 1.0}, text="1/2  plain, seed 4"),
    Finished("run", "digits", Path("runs/digits/1"), None, {"test": {"accuracy": 0.9}}, 2.5, text="trained in 2.5 s"),
]


def show_all(console: Console) -> None:
    for event in EVENTS:
        console.show(event)
    console.heading("a heading")
    console.warning("be warned")
    for display in (console.bar("bar", 3), console.training(2, 3, 4), console.jobs("jobs", 2)):
        with display:
            pass
    console.answer(Path("runs/digits/1"))


def test_people_read_lines(capsys):
    show_all(standard_console())  # not a terminal here
    assert capsys.readouterr() == (
        "run directory: runs/digits/1\n"
        "epoch 1/3  loss 0.5000  accuracy 0.7500  val_loss nan  learning_rate 0.001\n"
        "a sentence\n"
        "1/2  plain, seed 4\n"
        "trained in 2.5 s\n"
        "\n"
        "a heading\n"
        "be warned\n"
        "runs/digits/1\n",
        "",
    )


def test_programs_read_one_object_a_line(capsys):
    show_all(JsonConsole())
    out, err = capsys.readouterr()
    assert err == "" and [json.loads(line) for line in out.splitlines()] == [
        {
            "event": "started",
            "kind": "run",
            "name": "digits",
            "run": "runs/digits/1",
            "resumed": False,
            "epochs": 3,
            "jobs": None,
        },
        {
            "event": "epoch",
            "run": "runs/digits/1",
            "epoch": 1,
            "epochs": 3,
            "loss": 0.5,
            "accuracy": 0.75,
            "val_loss": None,
            "learning_rate": 0.001,
        },
        {"event": "note", "message": "a sentence"},
        {
            "event": "job",
            "kind": "study",
            "job": "plain",
            "seed": 4,
            "run": "r",
            "status": "finished",
            "done": 1,
            "total": 2,
            "metrics": {"a": 1.0},
            "so_far": {"a": 1.0},
            "values": {},
            "cause": None,
        },
        {
            "event": "finished",
            "kind": "run",
            "name": "digits",
            "run": "runs/digits/1",
            "report": None,
            "metrics": {"test": {"accuracy": 0.9}},
            "seconds": 2.5,
        },
        {"event": "warning", "message": "be warned"},
    ]


def test_a_line_of_json_is_ascii_and_has_no_line_end(capsys):
    JsonConsole().line("two\nlines, 95 ± 1 %, \udcff")
    out = capsys.readouterr().out
    assert out.isascii() and out.count("\n") == 1
    assert json.loads(out)["message"] == "two\nlines, 95 ± 1 %, \udcff"


@pytest.mark.parametrize(("console", "err"), [(QuietConsole(), ""), (WarningConsole(), "warning: be warned\n")])
def test_a_quiet_console_prints_the_answer(console, err, capsys):
    show_all(console)
    assert capsys.readouterr() == ("runs/digits/1\n", err)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            UserError(Problem("got 0", "a.yaml", "training.epochs")),
            Failed(
                "a.yaml: training.epochs: got 0",
                2,
                [{"message": "got 0", "file": "a.yaml", "key": "training.epochs"}],
            ),
        ),
        (RunError("the disk is full"), Failed("the disk is full", 1)),
        (Interrupted(15, "; continue"), Failed("interrupted; continue", 143)),
        (ValueError("a bug"), Failed("ValueError: a bug", 1)),
    ],
)
def test_errors_are_events(error, expected):
    assert Failed.of(error) == expected
