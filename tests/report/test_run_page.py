"""The page of a run, with unusual data."""

import html
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from kerasexp.config import load_experiment
from kerasexp.console import QuietConsole
from kerasexp.runs.run_request import RunRequest

# Most of these train a model or draw a whole page.
pytestmark = pytest.mark.slow

ALL = [
    "class_counts", "confused_pairs", "confusion", "confusion_normalised", "curves", "embedding", "feature_maps", "filters",
    "grad_cam", "gradient_flow", "information", "label_table", "mistakes", "ranking", "reliability",
    "risk_coverage", "samples",
]  # fmt: skip


def class_table(page: str) -> dict[str, list[str]]:
    """Return the cells of the table of classes, by class name."""
    body = page.split('<h2 id="classes">')[1].split("<tbody>")[1].split("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>") if "<td" in row]
    return {html.unescape(row[1]): row for row in rows}


@pytest.mark.plots
def test_every_plot_is_drawn_and_is_in_the_page(npz_run):
    run = npz_run(4, [0, 1, 2, 3], 5)
    drawn = sorted(p.stem for p in (run / "plots").iterdir())
    # Of the eight labels of val, rounding decides whether enough agree for others to be called wrong.
    assert [name for name in drawn if name != "label_errors"] == ALL
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(drawn)
    assert len(re.findall(r'<img [^>]*alt="[^"]{8,}"', page)) == len(drawn)
    for plot in (run / "plots").iterdir():
        with Image.open(plot) as image:
            image.verify()
    sections = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert sections == [
        "Metrics", "Training", "Predictions", "Classes", "Probabilities", "Inside the network", "Data", "How it was run",
    ]  # fmt: skip


@pytest.mark.plots
def test_strange_names_are_shown_as_they_are_and_never_as_markup(npz_run, odd_names):
    run = npz_run(5, [0, 1, 2, 3, 4], 3, odd_names)
    page = (run / "report.html").read_text()
    assert set(class_table(page)) == set(odd_names)
    assert "<script>document" not in page and page.count("<script>") == 1
    assert list(json.loads((run / "metrics.json").read_text())["test"]["per_class"]) == odd_names


@pytest.mark.plots
def test_a_class_without_test_images_has_no_recall_and_is_named(npz_run):
    page = (npz_run(4, [0, 2, 3], 4) / "report.html").read_text()
    assert "The test split has no image of 1;" in page
    number, name, images, predicted, precision, recall, interval, f1, auc, ap = class_table(page)["1"]
    assert (images, recall, f1, auc, ap) == ("0", "–", "–", "–", "–") and interval == "&ndash;"
    assert class_table(page)["0"][5] != "–"


@pytest.mark.plots
def test_a_class_never_predicted_has_no_precision(npz_run):
    """After so little training some class is never predicted."""
    run = npz_run(6, list(range(6)), 2)
    per_class = json.loads((run / "metrics.json").read_text())["test"]["per_class"]
    never = [name for name, row in per_class.items() if row["predicted"] == 0]
    table = class_table((run / "report.html").read_text())
    assert never and all(table[name][4] == "–" and table[name][5] == "0.0000" for name in never)


@pytest.mark.plots
def test_a_test_split_of_one_image(npz_run):
    page = (npz_run(3, [1], 1) / "report.html").read_text()
    assert "on 1 image\n" in page and "The test split has no image of 0, 2;" in page


@pytest.mark.plots
def test_two_hundred_classes(npz_run):
    run = npz_run(200, list(range(200)), 2, epochs=3)
    page = (run / "report.html").read_text()
    assert len(class_table(page)) == 200
    assert (run / "report.html").stat().st_size < 5_000_000


@pytest.mark.plots
def test_an_mlp_has_no_kernels_to_show(cli, tiny_yaml):
    answer = cli("run", tiny_yaml, "--set", "model={name: mlp, units: [8]}", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    drawn = {p.stem for p in (Path(answer.last_line) / "plots").iterdir()}
    assert set(ALL) - drawn == {"filters", "feature_maps", "grad_cam"}


def test_the_metric_of_the_paper_is_in_the_first_lines(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml).last_line)
    page = (run / "report.html").read_text()
    val = json.loads((run / "metrics.json").read_text())["val"]["accuracy"]
    lead = page.split("<h1>")[1].split("<nav")[0]
    assert f"The paper reports a val accuracy of 0.5000; this run has {val:.4f}" in lead
    assert f"{val - 0.5:+.4f}".replace("-", "−") in lead and "made up" in page


def test_samples_and_mistakes_are_as_many_as_asked_for(tiny_yaml, monkeypatch):
    from kerasexp.runs import run

    shown = []
    monkeypatch.setattr("kerasexp.runs.page.write_report", lambda run, results, *rest: shown.append(results))
    experiment = load_experiment(tiny_yaml, ["report={samples: 2, mistakes: 3}", "training.epochs=1"])
    run.run_experiment(RunRequest(experiment), QuietConsole())
    (results,) = shown
    correct = results.test.correct
    assert correct[results.samples].tolist() == [True] * min(2, correct.sum()) + [False] * min(2, (~correct).sum())
    assert len(results.mistakes) == min(3, (~correct).sum())


def test_without_plots_the_page_has_its_tables_alone(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line)
    page = (run / "report.html").read_text()
    assert "data:image/png" not in page and list((run / "plots").iterdir()) == []
    assert "Expected calibration error".lower() in page.lower() and "<pre>" in page
