"""What notebooks show of runs, studies, searches and comparisons: tables, and plots embedded as PNG."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasexp.console import shown_path
from kerasexp.data.file_accounting import counted
from kerasexp.data.label_sets import label_text
from kerasexp.evaluation.mistakes import confident_mistakes
from kerasexp.evaluation.predictions_csv import Outcomes
from kerasexp.plots.epoch_curves import plot_curves
from kerasexp.report.html import Plot, draw, render
from kerasexp.runs.finished_run import FinishedRun, measured_split
from kerasexp.runs.metric_labels import metric_rows

if TYPE_CHECKING:
    from kerasexp.comparison.results import Comparison
    from kerasexp.search.run import FinishedSearch
    from kerasexp.studies.run import FinishedStudy

# Mistakes that are listed where their images are not drawn.
LISTED_MISTAKES = 8
# In rem.
CURVES_WIDTH, MISTAKES_WIDTH = 56, 28
LOSS = "loss"


@dataclass(frozen=True)
class Table:
    """A table; the first `texts` columns hold words, the others numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    texts: int = 1


@dataclass(frozen=True)
class EmbeddedPlot:
    """A plot as PNG, shown so many rem wide."""

    caption: str
    png: bytes
    width: int

    @property
    def data(self) -> str:
        return base64.b64encode(self.png).decode("ascii")


def run_html(run: FinishedRun) -> str:
    """Return the headline metrics of a run with their intervals, its curves and its most confident mistakes."""
    metrics, manifest = run.metrics, run.manifest
    split = measured_split(metrics)
    tables, plots = [_headline(run)], list(_curves(run))
    mistakes = run.directory.plots / "mistakes.png"
    if mistakes.is_file():
        plots.append(EmbeddedPlot("The most confident mistakes", mistakes.read_bytes(), MISTAKES_WIDTH))
    elif split == "test" and (rows := _mistake_rows(run.predictions)):
        headings = ("image", "true", "predicted", "probability")
        tables.append(Table(headings, rows, "The most confident mistakes", texts=3))
    trained = (
        f"{counted(metrics['epochs'], 'epoch')} in {metrics['train_seconds']:,.1f} s; " if metrics["epochs"] else ""
    )
    images = f"{metrics[split]['images']:,} {split} images of {len(manifest['data']['class_names'])} classes"
    return _html(
        run.name,
        shown_path(run.directory.path),
        [f"{manifest['data']['origin']}: {images}; {trained}{manifest['parameters']:,} parameters."],
        tables,
        warnings=[f"Stand-in: {sentence}." for sentence in manifest["stand_ins"]],
        plots=plots,
    )


def study_html(study: FinishedStudy) -> str:
    """Return the table of a study's variants, and the differences from the first."""
    from kerasexp.studies.table import difference_sentences, shown_table

    results = study.results
    headings, rows = shown_table(results)
    return _html(
        results.study.name,
        shown_path(study.path),
        list(difference_sentences(results)),
        [Table(headings, rows)],
        warnings=[note.text for note in results.notes],
    )


def search_html(search: FinishedSearch) -> str:
    """Return the best trials of a search, and the study of the winner."""
    from kerasexp.config.setting_text import short_names, value_text
    from kerasexp.search.table import LISTED

    results = search.results
    names, ranked = short_names(results.search.space.domains), results.ranked[:LISTED]
    rows = [
        [trial.id, f"{trial.score:.4f}", str(trial.epochs)]
        + [value_text(trial.values[name]) if name in trial.values else "–" for name in names]
        for trial in ranked
    ]
    headings = ["trial", results.search.settings.objective, "epochs", *names.values()]
    best = Table(headings, rows, f"The best {len(rows)} of {len(results.trials)} trials")
    confirmed = "" if search.confirmation is None else study_html(search.confirmation)
    return _html(results.search.name, shown_path(search.path), [], [best]) + confirmed


def comparison_html(comparison: Comparison) -> str:
    """Return the table of compared runs, and which differences are significant."""
    from kerasexp.comparison.table import comparison_rows, verdicts

    rows = [[label, *cells] for label, cells in comparison_rows(comparison)]
    warnings = [note.text for note in comparison.notes if note.kind == "warning"]
    remarks = [note.text for note in comparison.notes if note.kind != "warning"]
    sentences = [*verdicts(comparison), *remarks]
    return _html("Comparison", "", sentences, [Table(["", *comparison.labels], rows)], warnings=warnings)


def _html(
    title: str,
    place: str,
    sentences: Iterable[str],
    tables: Iterable[Table],
    warnings: Iterable[str] = (),
    plots: Iterable[EmbeddedPlot] = (),
) -> str:
    content: dict[str, Any] = {"title": title, "place": place, "sentences": sentences, "tables": tables}
    return render("notebook.html", {**content, "warnings": warnings, "plots": plots})


def _headline(run: FinishedRun) -> Table:
    split = measured_split(run.metrics)
    splits = dict.fromkeys(("val", split))
    rows = [
        [row["label"], *(row[name] for name in splits), row["interval"]]
        for row in metric_rows(run.metrics["val"], run.metrics[split], run.experiment.data.multi_label)
        if row["interval"] or row["label"] == LOSS
    ]
    return Table(["metric", *splits, f"95 % interval of {split}"], rows)


def _curves(run: FinishedRun) -> Iterator[EmbeddedPlot]:
    """Yield the curves as the report shows them; they are drawn if the run has no plots, and a classical head has none."""
    caption, drawn = "Loss, accuracy and learning rate over the epochs", run.directory.plots / "curves.png"
    if drawn.is_file():
        yield EmbeddedPlot(caption, drawn.read_bytes(), CURVES_WIDTH)
    elif run.metrics["epochs"]:
        history = [dict(zip(run.history, row, strict=True)) for row in zip(*run.history.values(), strict=True)]
        figure = plot_curves(history, kept=run.metrics["kept_epoch"])
        yield EmbeddedPlot(caption, draw(Plot("", "curves", caption, caption, figure)).png, CURVES_WIDTH)


def _mistake_rows(predictions: Outcomes) -> list[list[str]]:
    names = predictions.class_names
    return [
        [
            predictions.names[i],
            label_text(predictions.y_true[i], names),
            label_text(predictions.y_pred[i], names),
            f"{confidence:.4f}",
        ]
        for i in confident_mistakes(predictions, LISTED_MISTAKES)
        for confidence in [predictions.confidence[i]]
    ]
