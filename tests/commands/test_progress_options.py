"""`--quiet` and `--json` of the commands that train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SHORT = "training.epochs=2"


def events(out: str) -> list[dict[str, Any]]:
    """Return the objects of a command's output, which has nothing else."""
    return [json.loads(line) for line in out.splitlines()]


def kinds(out: str) -> list[str]:
    """Return the names of the events that are no notes, in their order."""
    return [event["event"] for event in events(out) if event["event"] != "note"]


def test_a_run_as_json_ends_with_its_directory(cli, tiny_yaml):
    answer = cli("run", tiny_yaml, "--json", "--set", SHORT)
    assert answer.code == 0 and kinds(answer.out) == ["started", "epoch", "epoch", "finished"]
    started, first, last, finished = (event for event in events(answer.out) if event["event"] != "note")
    assert started["run"] == first["run"] == finished["run"] == "runs/tiny/1" and started["epochs"] == 2
    assert (first["epoch"], last["epoch"], first["epochs"]) == (1, 2, 2)
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} < first.keys()
    written = json.loads(Path("runs/tiny/1/metrics.json").read_text())
    assert finished["metrics"]["test"]["accuracy"] == written["test"]["accuracy"]
    assert finished["seconds"] == written["train_seconds"] and Path(finished["report"]).is_file()
    again = cli("run", tiny_yaml, "--json", "--set", SHORT, "--resume")
    assert kinds(again.out) == ["finished"] and events(again.out)[-1] == finished


def test_a_quiet_run_prints_its_directory_and_warnings(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", "http://127.0.0.1:9/mnist.npz")
    path = tmp_path / "offline.yaml"
    path.write_text(
        "data: {source: mnist, offline: digits}\nmodel: mlp\ntraining: {epochs: 1}\nreport: {plots: false}\n"
    )
    answer = cli("run", path, "--quiet")
    assert answer.code == 0 and answer.out == "runs/offline/1\n"
    assert answer.err.startswith("warning: STAND-IN: 'digits' stands in for 'mnist'")


def test_people_get_a_summary(cli, tiny_yaml):
    lines = cli("run", tiny_yaml, "--set", SHORT).out.splitlines()
    assert lines[-1] == "runs/tiny/1" and lines[-2].endswith(" s; report: runs/tiny/1/report.html")
    assert sum(line.startswith("epoch ") for line in lines) == 2


@pytest.mark.parametrize("command", ["run", "search", "reproduce"])
def test_the_options_exclude_each_other(cli, command, tiny_yaml):
    answer = cli(command, tiny_yaml, "--json", "--quiet")
    assert answer.code == 2 and "error: --quiet: cannot be given together with --json" in answer.err
    (failed,) = events(answer.out)
    assert failed["event"] == "failed" and failed["problems"][0]["key"] == "--quiet"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["tiny.yaml", "--set", "training.epoch=3"], "did you mean"),
        (["no_such_experiment"], "no such file or experiment"),
        (["tiny.yaml", "--jobs", "1000"], "--jobs"),
        (["tiny.yaml", "--no-such-option"], "No such option"),
        ([], "EXPERIMENT"),
    ],
)
def test_a_mistake_is_an_event(cli, tiny_yaml, words, problem):
    answer = cli("run", *words, "--json")
    (failed,) = events(answer.out)
    assert answer.code == failed["exit_code"] == 2 and problem in failed["cause"] and problem in answer.err


def test_a_bug_is_an_event_too(cli, tiny_yaml, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise ValueError("a bug")

    monkeypatch.setattr("kerasexp.api.launch_from_python.launch_run", fail)
    with pytest.raises(ValueError, match="a bug"):
        cli("run", tiny_yaml, "--json")
    (failed,) = events(capsys.readouterr().out)
    assert (failed["event"], failed["cause"], failed["exit_code"]) == ("failed", "ValueError: a bug", 1)


def test_a_failed_run_says_so_last(cli, tiny_yaml):
    exploding = ["--set", "training.optimizer={name: sgd, learning_rate: 100}", "--set", "training.epochs=20"]
    answer = cli("run", tiny_yaml, "--json", *exploding)
    assert answer.code == 1 and kinds(answer.out)[0] == "started" and kinds(answer.out)[-1] == "failed"
    assert "the loss is not finite" in events(answer.out)[-1]["cause"]


@pytest.mark.slow
def test_a_study_reports_each_run(cli, tiny_yaml, tmp_path):
    (tmp_path / "study.yaml").write_text(
        "base: tiny.yaml\nseeds: [0, 1]\nvariants: {plain: {}, started: {init: {experiment: tiny.yaml}}}\n"
        "training: {epochs: 1}\n"
    )
    answer = cli("run", "study.yaml", "--json")
    assert answer.code == 0 and kinds(answer.out) == ["started", "job", "job", "job", "job", "finished"]
    started, *jobs, finished = (event for event in events(answer.out) if event["event"] != "note")
    assert started["kind"] == finished["kind"] == "study" and started["jobs"] == 4
    assert [(job["job"], job["seed"], job["done"], job["total"]) for job in jobs] == [
        ("plain", 0, 1, 4),
        ("started", 0, 2, 4),
        ("plain", 1, 3, 4),
        ("started", 1, 4, 4),
    ]
    both = [job["metrics"]["test_accuracy"] for job in jobs[::2]]
    assert jobs[2]["so_far"]["test_accuracy"] == pytest.approx(sum(both) / 2)
    assert finished["metrics"]["plain"]["test_accuracy"] == jobs[2]["so_far"]["test_accuracy"]
    lines = cli("run", "study.yaml").out.splitlines()
    assert [line.partition(",")[0] for line in lines if "/4  " in line] == [
        "1/4  plain",
        "2/4  started",
        "3/4  plain",
        "4/4  started",
    ]
    assert lines[-2] == "report: runs/study/1/study.html" and lines[-1] == "runs/study/1"


@pytest.mark.slow
def test_a_search_reports_each_trial_and_the_best(cli, tiny_yaml):
    narrow = "training.optimizer.learning_rate={choice: [0.01, 0.001]}"
    given = ["--set", SHORT, "--set", narrow, "--set", "search={algorithm: grid, max_trials: 2, confirm: []}"]
    answer = cli("search", tiny_yaml, "--json", *given)
    assert answer.code == 0 and kinds(answer.out) == ["started", "job", "job", "finished"], answer.err
    started, *jobs, finished = (event for event in events(answer.out) if event["event"] != "note")
    assert started["jobs"] == 2 and [job["done"] for job in jobs] == [1, 2]
    best = max(jobs, key=lambda job: job["metrics"]["val_accuracy"])
    assert finished["metrics"]["val_accuracy"] == best["metrics"]["val_accuracy"] == jobs[1]["so_far"]["val_accuracy"]
    assert cli("search", tiny_yaml, "--quiet", *given).out == f"{finished['run']}\n"


@pytest.mark.slow
def test_a_reproduction_says_whether_all_is_the_same(cli, tiny_yaml):
    run = cli("run", tiny_yaml, "--set", SHORT).last_line
    answer = cli("reproduce", run, "--json")
    *_, of_run, last = events(answer.out)
    assert answer.code == 0 and (of_run["kind"], last["kind"], last["run"]) == ("run", "reproduction", "runs/tiny/2")
    assert last["metrics"]["is_same"] is True and last["metrics"]["differing"] == []
    assert kinds(cli("reproduce", run, "--json", "--check").out) == []
