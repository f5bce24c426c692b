"""`report` on unfinished runs: a page of what there is, and the command that continues them."""

import json
import re
import shlex
from pathlib import Path

import pytest

from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.resume_command import resume_command
from kerasexp.training.epoch_progress import EpochProgress


def killed_after(epochs: int, monkeypatch) -> None:
    """Let a run die after so many epochs, without the last word that an error has."""
    done = EpochProgress.on_epoch_end

    def dying(self, epoch, logs=None):
        done(self, epoch, logs)
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochProgress, "on_epoch_end", dying)


@pytest.fixture
def unfinished(cli, tiny_yaml, monkeypatch) -> Path:
    """A run that was stopped after two of three epochs."""
    with monkeypatch.context() as patch:
        killed_after(2, patch)
        assert cli("run", tiny_yaml).code == 130
    return Path("runs/tiny/1")


@pytest.mark.slow
@pytest.mark.plots
@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_the_page_of_an_unfinished_run_has_its_curves_and_the_command_that_continues_it(cli, unfinished, status):
    manifest = json.loads((unfinished / "manifest.json").read_text())
    (unfinished / "manifest.json").write_text(json.dumps(manifest | {"status": status}))
    before = (unfinished / "history.csv").read_bytes()

    answer = cli("report", "runs/tiny")
    assert (answer.code, answer.last_line) == (0, "runs/tiny/1")
    command = "python -m kerasexp run runs/tiny/1/experiment.yaml --run-dir runs/tiny/1 --resume"
    assert (
        f"unfinished: 2 of 3 epochs; the page has the curves so far, and nothing of test; continue it with: {command}"
        in answer.out
    )
    page = re.sub('base64,[^"]+', "", (unfinished / "report.html").read_text())
    assert "<strong>Unfinished:</strong> 2 of 3 epochs" in page and f"<pre>{command}</pre>" in page
    assert ("it was killed" in page) == (status == "running")
    assert {path.stem for path in (unfinished / "plots").iterdir()} == {"curves", "gradient_flow"}
    assert not (unfinished / "metrics.json").exists() and (unfinished / "history.csv").read_bytes() == before

    assert cli(*shlex.split(command)[3:]).code == 0
    assert json.loads((unfinished / "manifest.json").read_text())["status"] == "finished"
    assert "Unfinished" not in (unfinished / "report.html").read_text()


@pytest.mark.slow
def test_the_page_names_the_epoch_that_is_in_the_checkpoint(cli, unfinished):
    """By the rule of the training: with `keep: last` it is the last one, whatever its metrics."""
    rows = (unfinished / "history.csv").read_text().splitlines()
    columns = dict(zip(rows[0].split(","), range(99), strict=False))
    for keep, better in (("best", 1), ("best", 2), ("last", 1)):
        values = [row.split(",") for row in rows[1:]]
        for number, row in enumerate(values, start=1):
            row[columns["val_accuracy"]] = "0.9" if number == better else "0.5"
        (unfinished / "history.csv").write_text("\n".join([rows[0], *map(",".join, values)]) + "\n")
        text = (unfinished / "experiment.yaml").read_text()
        (unfinished / "experiment.yaml").write_text(re.sub("keep: (best|last)", f"keep: {keep}", text))
        assert cli("report", unfinished).code == 0
        kept = 2 if keep == "last" else better
        assert f"in the checkpoint, epoch {kept}<" in (unfinished / "report.html").read_text()


@pytest.mark.slow
def test_a_run_without_an_epoch_is_refused_with_the_command_that_continues_it(cli, unfinished):
    (unfinished / "history.csv").unlink()
    answer = cli("report", unfinished)
    assert answer.code == 2 and "none of its epochs has ended; continue it with: python -m kerasexp run" in answer.err
    answer = cli("compare", unfinished, unfinished)
    assert answer.code == 2 and "its status is interrupted; continue it with: python -m kerasexp run" in answer.err


def test_a_run_of_a_study_or_a_search_is_continued_by_that():
    for folder, file in (("study", "study.json"), ("search", "search.json"), ("search/confirmation", "study.json")):
        Path(folder).mkdir()
        Path(folder, file).write_text("{}")
    commands = {
        path: resume_command(RunDirectory(Path(path))) for path in ("alone/1", "study/a/0", "search/trial_0/run")
    }
    assert commands["alone/1"] == "python -m kerasexp run alone/1/experiment.yaml --run-dir alone/1 --resume"
    assert commands["study/a/0"] == "python -m kerasexp run study/experiment.yaml --run-dir study"
    assert commands["search/trial_0/run"] == "python -m kerasexp search search/search.yaml --run-dir search"
    assert resume_command(RunDirectory(Path("search/confirmation/a/0"))) == commands["search/trial_0/run"]
    Path("study/study.json").write_text('{"quick": true}')
    assert resume_command(RunDirectory(Path("study/a/0"))) == commands["study/a/0"] + " --quick"
