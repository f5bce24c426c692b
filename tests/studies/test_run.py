"""Studies from the YAML to the page: which runs are made, which are not made again, which fail."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from kerasexp.errors import Interrupted
from kerasexp.report import html
from kerasexp.runs import results as run_results
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import is_locked
from kerasexp.studies import run as study_run
from kerasexp.training import fit as training

pytestmark = pytest.mark.slow

KILLS, SEEDS = (5, [0, 1, 2]) if os.environ.get("KERASEXP_FULL") else (1, [0, 1])
STUDY = """
data: {source: digits}
model: {name: mlp, units: [16]}
training: {epochs: 2, batch_size: 50}
seeds: [0, 1]
variants:
  plain: {reported: {accuracy: 0.9, test_accuracy: 0.7, note: "made up"}}
  high rate: {training.optimizer.learning_rate: 0.01}
"""
WITHOUT_PLOTS = "report: {plots: false}\n"


@pytest.fixture
def study(request, tmp_path) -> Path:
    """Two variants with two seeds; their runs draw plots in tests with the marker `plots`."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY if request.node.get_closest_marker("plots") else WITHOUT_PLOTS + STUDY)
    return path


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """The directories of the runs that have really been trained."""
    made, fit = [], training.fit

    def noted(model, data, experiment, run, console):
        made.append(str(run.path))
        return fit(model, data, experiment, run, console)

    monkeypatch.setattr(training, "fit", noted)
    return made


def results(folder: str | Path) -> dict:
    return json.loads((Path(folder) / "study.json").read_text())


def test_a_study_leaves_its_runs_its_table_and_its_page(cli, study, trained):
    answer = cli("run", study)
    assert answer.code == 0, answer.err
    assert answer.last_line == "runs/study/1"
    folder, found = Path("runs/study/1"), results("runs/study/1")
    runs = [folder / variant / seed for variant in ("plain", "high_rate") for seed in ("0", "1")]
    assert trained == [str(folder / v / s) for s in ("0", "1") for v in ("plain", "high_rate")]
    for run in runs:
        assert json.loads((run / "manifest.json").read_text())["status"] == "finished"
    assert found["status"] == "finished" and found["seeds"] == [0, 1] and found["reference"] == "plain"
    plain, high = found["variants"]
    tests = [json.loads((run / "metrics.json").read_text())["test"]["accuracy"] for run in runs]
    assert plain["metrics"]["test_accuracy"]["mean"] == pytest.approx(sum(tests[:2]) / 2)
    assert high["differences"]["test_accuracy"]["spread"]["mean"] == pytest.approx(
        (sum(tests[2:]) - sum(tests[:2])) / 2
    )
    assert [run["test_accuracy"] for run in plain["runs"]] == tests[:2]
    page = (folder / "study.html").read_text()
    for text in ("made up", "plain/0/report.html", "no difference can be claimed at 2 seeds", "0.9 / – / 0.7"):
        assert text in page, text
    assert (folder / "table.md").read_text() in answer.out
    assert {path.name for path in (folder / "plots").iterdir()} == {"accuracies.png", "learning_curves.png"}
    assert cli("compare", folder / "plain", folder / "high_rate").code == 0
    for named in (folder, "runs/study"):
        assert (
            "is a study; name its runs, such as runs/study/1/VARIANT/0" in cli("compare", named, folder / "plain").err
        )


@pytest.mark.plots
def test_what_follows_from_the_data_is_found_once_for_all_variants(cli, study, monkeypatch):
    looked_at, drawn = [], []
    overview, draw = run_results.dataset_overview, html.draw
    monkeypatch.setattr(
        run_results, "dataset_overview", lambda s, n, seed: looked_at.append(seed) or overview(s, n, seed)
    )
    monkeypatch.setattr("kerasexp.runs.page_plots.draw", lambda plot: drawn.append(plot.name) or draw(plot))
    answer = cli("run", study)
    assert answer.code == 0, answer.err
    folder = Path(answer.last_line)
    assert looked_at == [0, 1] and drawn == ["class_counts"]
    plots = [path.read_bytes() for path in folder.glob("*/*/plots/class_counts.png")]
    assert len(plots) == 4 and len(set(plots)) == 1
    # A run on its own draws and finds the same.
    alone = Path(cli("run", folder / "plain" / "1" / "experiment.yaml", "--run-dir", "alone").last_line)
    for name in (
        "predictions.csv",
        "confusion.csv",
        "plots/class_counts.png",
        "plots/label_table.png",
        "plots/embedding.png",
    ):
        assert (alone / name).read_bytes() == (folder / "plain" / "1" / name).read_bytes()
    pages = [data_section(run / "report.html") for run in (alone, folder / "plain" / "1")]
    assert pages[0] == pages[1] != ""


def data_section(page: Path) -> str:
    return page.read_text().partition('<h2 id="data">')[2].partition("<h2")[0]


def test_finished_runs_are_not_trained_again(cli, study, trained):
    assert cli("run", study).code == 0
    assert cli("run", study).last_line == "runs/study/1"
    assert len(trained) == 4
    # With another variant it is another study, which copies the runs of the first.
    study.write_text(study.read_text() + "  wide: {model.units: [24]}\n")
    answer = cli("run", study)
    assert answer.code == 0 and answer.last_line == "runs/study/2"
    assert trained[4:] == ["runs/study/2/wide/0", "runs/study/2/wide/1"]
    first, second = (Path(f"runs/study/{n}/plain/0/predictions.csv").read_bytes() for n in (1, 2))
    assert first == second
    # The resolved study is the same study.
    assert cli("run", "runs/study/2/experiment.yaml").last_line == "runs/study/2"
    assert len(trained) == 6


def test_a_failed_variant_does_not_stop_the_others(cli, study):
    study.write_text(study.read_text() + "  broken: {training.batch_size: 5000}\n")
    answer = cli("run", study)
    assert answer.code == 1
    assert (
        "2 of 6 runs failed; the first is broken, seed 0: study: training.batch_size: 5000 is more than" in answer.err
    )
    found = results("runs/study/1")
    assert found["status"] == "failed"
    assert [run["status"] for v in found["variants"] for run in v["runs"]] == ["finished"] * 4 + ["failed"] * 2
    assert "failed: study: training.batch_size: 5000 is more than" in Path("runs/study/1/study.html").read_text()


def test_a_study_whose_data_have_changed_keeps_its_results(cli, study, tiny_yaml, images):
    study.write_text(
        f"base: {tiny_yaml.name}\nseeds: [0, 1]\nvariants: {{plain: {{}}, other: {{training.batch_size: 4}}}}\n"
    )
    assert cli("run", study).code == 0
    before = results("runs/study/1")
    (images / "disc" / "00.png").unlink()
    answer = cli("run", study)
    assert answer.code == 1 and "plain, seed 0 had finished, and now fails" in answer.err, answer.err
    assert "other data" in answer.err and "name another --run-dir" in answer.err
    after = results("runs/study/1")
    assert after["variants"] == before["variants"]
    assert cli("run", study, "--run-dir", "anew").code == 0


def test_an_interrupted_study_is_resumed(cli, study, trained, monkeypatch):
    whole = cli("run", study, "--run-dir", "whole")
    assert whole.code == 0
    original, calls = training.fit, []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training, "fit", stopped)
    answer = cli("run", study, "--run-dir", "stopped")
    assert answer.code == 130
    assert answer.err.endswith(f"; continue with: python -m kerasexp run {study} --run-dir stopped\n")
    statuses = [run["status"] for v in results("stopped")["variants"] for run in v["runs"]]
    assert statuses == ["finished", "interrupted", "finished", "waiting"]
    del trained[:]
    assert cli("run", study, "--run-dir", "stopped").code == 0
    assert trained == ["stopped/plain/1", "stopped/high_rate/1"]
    assert without_times(results("stopped")) == without_times(results("whole"))


def without_times(found: dict) -> dict:
    for variant in found["variants"]:
        variant["metrics"].pop("train_seconds")
        for run in variant["runs"]:
            run.pop("train_seconds")
    return found


def test_a_directory_that_holds_something_else_is_refused(cli, study):
    Path("full").mkdir()
    Path("full/file").touch()
    answer = cli("run", study, "--run-dir", "full")
    assert answer.code == 2 and "full: is there already" in answer.err
    assert cli("run", study, "--run-dir", "taken", "--set", "seeds=[0]", "--set", "training.epochs=1").code == 0
    answer = cli("run", study, "--run-dir", "taken")
    assert answer.code == 2 and "taken: holds another study" in answer.err


def test_a_quick_study_says_that_it_is_one(cli, study):
    answer = cli(
        "run", study, "--quick", "--set", "training.epochs=1", "--set", "variants.plain.data.labels.at_most=200"
    )
    assert answer.code == 0, answer.err
    assert "A quick study (2 seeds, at most" in answer.out and results("runs/study/1")["quick"]
    assert cli("run", study, "--set", "training.epochs=1").last_line == "runs/study/2"


def test_one_variant_at_a_time(cli, study, trained):
    assert cli("run", study, "--variant", "high rate").code == 0
    statuses = [run["status"] for v in results("runs/study/1")["variants"] for run in v["runs"]]
    assert statuses == ["waiting", "waiting", "finished", "finished"]
    answer = cli("run", study, "--variant", "plain")
    assert answer.last_line == "runs/study/1" and results("runs/study/1")["status"] == "finished"
    assert len(trained) == 4
    answer = cli("run", study, "--variant", "pain")
    assert answer.code == 2 and "no variant 'pain'; did you mean 'plain'?" in answer.err


@pytest.mark.parametrize("option", [["--jobs", "2"], ["--quick"], ["--variant", "plain"]])
def test_options_of_studies_are_refused_for_one_experiment(cli, tiny_yaml, option):
    answer = cli("run", tiny_yaml, *option)
    assert answer.code == 2 and f"{option[0]}: is for studies" in answer.err


def test_show_and_check_take_studies(cli, study):
    shown = cli("show", study)
    assert shown.code == 0 and "high rate:" in shown.out
    checked = cli("check", study)
    assert checked.code == 0 and "variant high rate:" in checked.out
    wrong = cli("check", study, "--set", "training.batch_size=5000")
    assert wrong.code == 2 and wrong.err.count("5000 is more than") == 1


def test_two_jobs_that_are_killed_lose_and_repeat_nothing(study):
    """Real processes, killed each time another run has finished: once in the tests, five times with KERASEXP_FULL."""
    command = [
        sys.executable,
        "-m",
        "kerasexp",
        "run",
        str(study),
        "--set",
        f"seeds={SEEDS}",
        "--jobs",
        "2",
        "--run-dir",
    ]
    assert subprocess.run([*command, "whole"], capture_output=True, timeout=600).returncode == 0
    kills, times = 0, {}
    while kills < KILLS:
        process, before = subprocess.Popen([*command, "killed"], stdout=subprocess.DEVNULL), len(_finished("killed"))
        while process.poll() is None and len(_finished("killed")) == before:
            time.sleep(0.05)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        _wait_for_orphans(Path("killed"))
        for run in _finished("killed"):
            times.setdefault(run, _times(run))
    last = subprocess.run([*command, "killed"], capture_output=True, text=True, timeout=600)
    assert last.returncode == 0, last.stderr
    print(f"\n{kills} kills; {len(times)} runs had finished before the last")
    assert kills > KILLS // 2 and times
    assert {run: _times(run) for run in times} == times  # none was made again
    assert without_times(results("killed")) == without_times(results("whole"))


def _times(run: Path) -> dict:
    return json.loads((run / "manifest.json").read_text())["times"]


def _finished(folder: str) -> list[Path]:
    found = []
    for path in sorted(Path(folder).glob("*/*/manifest.json")):
        try:
            if json.loads(path.read_text())["status"] == "finished":
                found.append(path.parent)
        except ValueError:
            pass
    return found


def _wait_for_orphans(folder: Path) -> None:
    """Wait until the killed process's workers have seen that it is gone, and saved."""
    deadline = time.monotonic() + 60
    while list(folder.glob("*/*/.lock")) and time.monotonic() < deadline:
        time.sleep(0.1)


def test_an_interrupted_study_is_not_sent_to_trackers_as_still_running(cli, study, monkeypatch):
    held = []

    @contextmanager
    def followed(folder, track, console):
        try:
            yield
        finally:
            held.append(is_locked(RunFiles(folder).lock))

    def interrupt(*_):
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(study_run, "followed", followed)
    monkeypatch.setattr(study_run._StudyProgress, "run", interrupt)
    assert cli("run", study).code == 128 + signal.SIGINT
    assert held == [False]
