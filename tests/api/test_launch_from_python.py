"""kerasexp.run and kerasexp.search: in scripts, threads, event loops and processes, stopped and resumed."""

import asyncio
import filecmp
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny import TINY

import kerasexp
from kerasexp.config.yaml_text import parse_yaml

TINY_KEYS = {"name": "tiny", **parse_yaml(TINY)}
SHORT = {"training.epochs": 1}
# A script without `if __name__ == "__main__"`.
SCRIPT = """
import kerasexp
study = kerasexp.run({"base": "tiny.yaml", "seeds": [0, 1]}, set={"training.epochs": 1}, jobs=2, quiet=True)
print(study.name, sorted(study.runs["experiment"]))
"""


@pytest.fixture
def stop_after_one_step(monkeypatch):
    """Let this process get Ctrl-C once."""
    from kerasexp.training.training_state import TrainingState

    original, sent = TrainingState.on_train_batch_end, []

    def watched(self, batch, logs=None):
        if not sent:
            sent.append(batch)
            os.kill(os.getpid(), signal.SIGINT)
        original(self, batch, logs)

    monkeypatch.setattr(TrainingState, "on_train_batch_end", watched)


def test_a_run_is_that_of_the_command_line(cli, tiny_yaml, capsys):
    command = Path(cli("run", tiny_yaml).last_line)
    run = kerasexp.run(TINY_KEYS, quiet=True)
    assert capsys.readouterr().out == "" and run.path == Path("runs/tiny/2").resolve()
    assert filecmp.cmp(command / "predictions.csv", run.path / "predictions.csv", shallow=False)
    assert kerasexp.run(tiny_yaml, run_dir="elsewhere", set=SHORT).path == Path("elsewhere").resolve()
    assert "epoch 1/1" in capsys.readouterr().out
    with pytest.raises(kerasexp.UserError, match="elsewhere: is there already"):
        kerasexp.run(tiny_yaml, run_dir="elsewhere")


def test_ctrl_c_saves_the_state_and_resume_continues(images, stop_after_one_step, monkeypatch):
    before, shown = signal.getsignal(signal.SIGINT), []
    monkeypatch.setattr("kerasexp.console.console_choice.in_notebook", lambda: True)
    monkeypatch.setattr(
        "kerasexp.console.notebook_console.NotebookOutput.show", lambda output, bar, text: shown.append(text)
    )
    monkeypatch.setattr("kerasexp.console.notebook_console.NotebookOutput.add", lambda output, line: None)
    with pytest.raises(kerasexp.Interrupted, match="^interrupted; continue with the same call with resume=True$"):
        kerasexp.run(TINY_KEYS)
    assert shown[-2].startswith("epoch 1/3  ") and shown[-1] is None
    assert json.loads(Path("runs/tiny/1/manifest.json").read_text())["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before
    resumed = kerasexp.run(TINY_KEYS, resume=True, quiet=True)
    assert resumed.path.name == "1" and len(resumed.history["epoch"]) == 3


@pytest.mark.parametrize(("call", "launched"), [(kerasexp.run, "launch_run"), (kerasexp.search, "launch_search")])
def test_the_callers_random_states_and_number_format_are_given_back(monkeypatch, call, launched):
    def states() -> tuple:
        _, numbers, *rest = np.random.get_state()
        return random.getstate(), numbers.tolist(), rest, keras.config.dtype_policy().name

    def train(*given):
        keras.utils.set_random_seed(7)
        keras.config.set_dtype_policy("mixed_float16")
        raise kerasexp.RunError("it failed")

    monkeypatch.setattr(f"kerasexp.api.launch_from_python.{launched}", train)
    before = states()
    with pytest.raises(kerasexp.RunError, match="it failed"):
        call(TINY_KEYS)
    assert states() == before


@pytest.mark.slow
def test_a_run_works_in_an_event_loop_and_in_another_thread(images):
    async def main():
        return kerasexp.run(TINY_KEYS, set=SHORT, quiet=True)

    inside, found = asyncio.run(main()), []
    thread = threading.Thread(target=lambda: found.append(kerasexp.run(TINY_KEYS, set=SHORT, quiet=True)))
    thread.start()
    thread.join()
    assert (inside.predictions.probabilities == found[0].predictions.probabilities).all()


@pytest.mark.slow
def test_a_study_gives_its_runs_and_its_table(images, capsys):
    given = {**TINY_KEYS, "seeds": [0, 1], "variants": {"one": {}, "two": {"model.head.dropout": 0.0}}}
    study = kerasexp.run(given, set=SHORT, quiet=True)
    assert isinstance(study, kerasexp.StudyResult) and study.path == Path("runs/tiny/1").resolve()
    assert list(study.runs) == ["one", "two"] and list(study.runs["two"]) == [0, 1]
    of_two = [study.runs["two"][seed].metrics["test"]["accuracy"] for seed in (0, 1)]
    assert study.metrics["two"]["test_accuracy"]["mean"] == pytest.approx(sum(of_two) / 2)
    assert study.results["status"] == "finished" and study.report.is_file()
    assert str(study) == (study.path / "table.md").read_text() and str(study).startswith("| variant |")
    assert repr(study) == "<StudyResult tiny: 2 variants, 2 seeds, runs/tiny/1>"
    page = study._repr_html_()
    assert "two against one: " in page and page.count("<tr>") == 3
    assert kerasexp.run(kerasexp.load(given, set=SHORT), quiet=True).path == study.path
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_search_gives_its_trials_its_winner_and_a_model(images):
    given = {
        **TINY_KEYS,
        "search": {"algorithm": "grid", "confirm": [0]},
        "training": {"batch_size": {"choice": [4, 8]}},
    }
    found = kerasexp.search(given, set=SHORT, quiet=True)
    assert len(found.trials) == 2 and found.best_score == max(trial["score"] for trial in found.trials)
    assert found.best.training.batch_size == found.best_values["training.batch_size"]
    assert found.report.is_file() and found.predict("images/disc").probabilities.shape == (20, 3)
    assert list(found.confirmation.runs["found"]) == [0] and "batch_size" in str(found)
    page = found._repr_html_()
    assert "The best 2 of 2 trials" in page and "tiny_confirmed" in page
    assert repr(found).startswith("<SearchResult tiny: 2 trials, val_accuracy ")


@pytest.mark.slow
def test_a_script_without_a_guard_runs_a_study_in_processes(tiny_yaml):
    Path("script.py").write_text(SCRIPT)
    answer = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "experiment [0, 1]\n"), answer.stderr


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: kerasexp.run(TINY_KEYS, jobs=2), "^tiny: --jobs: is for studies"),
        (lambda: kerasexp.run(TINY_KEYS, jobs=0), "^jobs: got 0; a whole number from 1 to 64"),
        (lambda: kerasexp.run(TINY_KEYS, variants=["x"]), "^tiny: --variant: is for studies"),
        (lambda: kerasexp.run({**TINY_KEYS, "seeds": [0]}, variants=["x"]), "no variant 'x'"),
        (lambda: kerasexp.run({**TINY_KEYS, "seed": {"int": [0, 1]}}), "seed: cannot be searched"),
        (
            lambda: kerasexp.run({**TINY_KEYS, "training": {"epochs": {"int": [1, 2]}}}),
            "which `search` searches: kerasexp.search$",
        ),
        (lambda: kerasexp.search(TINY_KEYS), "^tiny: has no domain to search"),
        (lambda: kerasexp.run({**TINY_KEYS, "data": {"source": "image_folder", "path": "nix"}}), "nix"),
    ],
)
def test_bad_requests_leave_nothing_behind(images, call, text):
    with pytest.raises(kerasexp.UserError, match=text):
        call()
    assert not Path("runs").exists()
