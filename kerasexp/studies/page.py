"""The page of a study: one HTML file with the table, the curves, and a link to each run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kerasexp.plots.study_plots import plot_study_accuracies, plot_study_curves
from kerasexp.report.html import DrawnPlot, Plot, render
from kerasexp.report.report_missing_parts import Failure, draw_all, rendered
from kerasexp.storage import write_bytes, write_text
from kerasexp.studies.results import ACCURACIES, StudyResults
from kerasexp.studies.table import difference_sentences, shown_table


def write_study_page(page: Path, plots: Path, results: StudyResults) -> None:
    """Draw the plots of a study into the folder `plots`, and write the page with them embedded."""
    images = []
    plots.mkdir(exist_ok=True)
    for name, draw in (("accuracies", _accuracies), ("learning_curves", _learning_curves)):
        for plot in draw_all(draw(results), "Results", name):
            images.append(plot)
            if isinstance(plot, DrawnPlot):
                write_bytes(plots / f"{plot.name}.png", plot.png)
    headings, rows = shown_table(results)
    content = {
        "results": results,
        "headings": headings,
        "rows": rows,
        "differences": list(difference_sentences(results)),
        "paper_notes": [variant for variant in results.variants if "note" in variant.reported],
        "images": images,
    }
    failures = [plot for plot in images if isinstance(plot, Failure)]
    facts = [f"{name}: {', '.join(cells)}" for name, *cells in rows]
    write_text(page, rendered(failures, lambda: render("study.html", content), results.study.name, facts))


def _accuracies(results: StudyResults) -> Iterator[Plot]:
    variants = [variant for variant in results.variants if variant.metrics]
    if not variants:
        return
    names, splits = [variant.name for variant in variants], dict(zip(("train", "val", "test"), ACCURACIES, strict=True))
    measured = {
        split: [list(variant.by_seed[metric].values()) for variant in variants] for split, metric in splits.items()
    }
    reported = {
        split: [
            value if isinstance(value := variant.reported.get(metric), int | float) else None for variant in variants
        ]
        for split, metric in splits.items()
    }
    yield Plot(
        "Results",
        "accuracies",
        "Accuracy of each variant: the mean, each seed (faint), and the paper's value (open diamond). Train accuracy is "
        "measured during training, with dropout and augmentation, in the epoch whose weights were kept.",
        "; ".join(f"{variant.name}: test {variant.metrics['test_accuracy'].mean:.4f}" for variant in variants),
        plot_study_accuracies(names, measured, reported),
    )


def _learning_curves(results: StudyResults) -> Iterator[Plot]:
    variants = [variant for variant in results.variants if variant.metrics]
    if not variants:
        return
    yield Plot(
        "Results",
        "learning_curves",
        "Accuracy and loss on val after each epoch: the mean over seeds, with a band from the lowest to the highest.",
        f"Learning curves of {len(variants)} variants.",
        plot_study_curves([variant.name for variant in variants], [variant.histories for variant in variants]),
    )
