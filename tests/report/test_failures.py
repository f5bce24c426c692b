"""A plot or a part of a page that fails leaves the rest intact, and `report` draws it again."""

import gc
import json
import re
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from kerasexp.errors import RunError
from kerasexp.report.html import Plot, draw
from kerasexp.report.report_missing_parts import Failure, Unavailable, attempt, error_line


def manifest_of(run: Path) -> dict:
    return json.loads((run / "manifest.json").read_text())


def broken(*_, **__):
    raise ValueError("no such\ncolour")


def text_of(run: Path) -> str:
    return re.sub('base64,[^"]+', "", (run / "report.html").read_text())


def test_a_failure_is_one_line_and_errors_of_the_disk_pass():
    failures = []
    assert attempt(failures, "Classes", "table", broken, "nothing") == "nothing"
    assert failures == [Failure("Classes", "table", "ValueError: no such colour")]
    assert error_line(Unavailable("the images are gone")) == "the images are gone"
    assert len(error_line(ValueError("x" * 5000))) == 300

    def full():
        raise RunError("the disk is full")

    with pytest.raises(RunError):
        attempt(failures, "Classes", "table", full, None)


def test_garbage_is_collected_again_after_a_plot_also_after_one_that_fails():
    was_on = []

    def figure() -> Figure:
        was_on.append(gc.isenabled())
        return Figure(figsize=(2, 1))

    drawn = draw(Plot("Classes", "square", "", "", figure))
    assert (drawn.width, drawn.height, drawn.wide) == (220, 110, False) and draw(drawn) is drawn
    with pytest.raises(ValueError, match="no such"):
        draw(Plot("Classes", "broken", "", "", broken))
    assert was_on == [False] and gc.isenabled()


@pytest.mark.slow
@pytest.mark.plots
def test_a_plot_that_fails_costs_itself_alone_and_report_draws_it_again(cli, tiny_yaml, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("kerasexp.runs.probability_plots.plot_reliability", broken)
        answer = cli("run", tiny_yaml)
    assert answer.code == 0 and "not drawn: reliability: ValueError: no such colour" in answer.out
    run = Path(answer.last_line)
    assert manifest_of(run)["status"] == "finished"
    assert manifest_of(run)["not_drawn"] == [
        {"section": "Probabilities", "name": "reliability", "reason": "ValueError: no such colour"}
    ]
    section = text_of(run).partition('<h2 id="probabilities">')[2].partition("<h2")[0]
    assert "reliability could not be drawn: ValueError: no such colour" in section
    assert not (run / "plots" / "reliability.png").exists() and (run / "plots" / "confusion.png").exists()

    answer = cli("report", run)
    assert (answer.code, answer.last_line) == (0, str(run))
    assert "could not be drawn" not in text_of(run) and (run / "plots" / "reliability.png").exists()
    assert "not_drawn" not in manifest_of(run)


@pytest.mark.slow
@pytest.mark.plots
def test_report_reproduces_the_page(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml, "--set", "training.validate_at=[0, 2]").last_line)
    before = (run / "report.html").read_bytes()
    plots = {path.name: path.read_bytes() for path in (run / "plots").iterdir()}
    metrics = (run / "metrics.json").read_bytes()
    (run / "report.html").unlink()
    shutil.rmtree(run / "plots")
    assert cli("report", run.parent).code == 0
    assert (run / "report.html").read_bytes() == before
    assert {path.name: path.read_bytes() for path in (run / "plots").iterdir()} == plots
    assert (run / "metrics.json").read_bytes() == metrics


@pytest.mark.slow
@pytest.mark.plots
@pytest.mark.parametrize("lost", ["images", "model"])
def test_without_images_or_checkpoint_the_rest_is_drawn(cli, tiny_yaml, images, lost):
    run = Path(cli("run", tiny_yaml).last_line)
    if lost == "images":
        shutil.rmtree(images)
        shutil.rmtree("cache", ignore_errors=True)
    else:
        (run / "checkpoint" / "model.keras").unlink()
    shutil.rmtree(run / "plots")
    answer = cli("report", run)
    assert answer.code == 0 and "plots that need" in answer.out
    drawn = {path.stem for path in (run / "plots").iterdir()}
    assert {"curves", "gradient_flow", "confusion", "ranking", "reliability"} <= drawn
    assert ("samples" in drawn) == (lost == "model") and ("filters" in drawn) == (lost == "images")
    missed = {failure["name"] for failure in manifest_of(run)["not_drawn"]}
    assert {"diagnosis", "embedding"} <= missed
    assert f"{'samples' if lost == 'images' else 'explanations'} could not be drawn" in text_of(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("kerasexp.runs.results.interpret", "explanations"),
        ("kerasexp.runs.results.dataset_overview", "diagnosis"),
        ("kerasexp.runs.results.embed", "embedding"),
        ("kerasexp.runs.page.diagnosis_content", "text of the diagnosis"),
        ("kerasexp.runs.page.class_rows", "table of the classes"),
    ],
)
def test_a_part_that_fails_is_noted_and_metrics_are_written(cli, tiny_yaml, monkeypatch, place, name):
    monkeypatch.setattr(place, broken)
    # Features are embedded for a plot, and only where plots are drawn.
    plots = "true" if name == "embedding" else "false"
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1", "--set", f"report.plots={plots}")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    assert [failure["name"] for failure in manifest_of(run)["not_drawn"]] == [name]
    assert f"{name} could not be drawn: ValueError: no such colour" in text_of(run)
    assert "test" in json.loads((run / "metrics.json").read_text())


@pytest.mark.slow
def test_a_template_that_fails_leaves_a_minimal_page(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr("kerasexp.runs.page.render", broken)
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    page = text_of(Path(answer.last_line))
    assert "<h1>tiny</h1>" in page and "Test accuracy 0." in page and "page could not be drawn: ValueError" in page


@pytest.mark.slow
def test_a_disk_that_is_full_still_stops_the_run(cli, tiny_yaml, monkeypatch):
    def full(*_):
        raise RunError("report.html: cannot be written: No space left on device")

    monkeypatch.setattr("kerasexp.runs.page.write_text", full)
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1")
    assert answer.code == 1 and "No space left" in answer.err


@pytest.mark.slow
def test_a_comparison_a_study_and_a_diagnosis_have_the_same_guard(cli, finished_runs, tmp_path, monkeypatch):
    shutil.copytree(finished_runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr("kerasexp.comparison.page.plot_learning_curves", broken)
    assert cli("compare", "runs/tiny/1", "runs/worse").code == 0
    page = Path("comparison.html").read_text()
    assert "learning_curves could not be drawn: ValueError" in page and page.count("data:image/png") > 0

    monkeypatch.setattr("kerasexp.diagnosis.page_plots.plot_class_counts", broken)
    assert cli("diagnose", "images", "--output", "diagnosis.html").code == 0
    assert "class_counts could not be drawn: ValueError" in Path("diagnosis.html").read_text()

    Path("study.yaml").write_text(Path("tiny.yaml").read_text() + "seeds: [0, 1]\n")
    monkeypatch.setattr("kerasexp.studies.page.plot_study_curves", broken)
    answer = cli("run", "study.yaml", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    assert "learning_curves could not be drawn: ValueError" in (Path(answer.last_line) / "study.html").read_text()


def test_report_of_what_is_no_run_is_refused(cli, tmp_path):
    answer = cli("report", tmp_path)
    assert answer.code == 2 and "is not a run directory" in answer.err
