"""What a run's page shows of `report.stroke_widths`: a sentence and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerasexp.plots.stroke_width_curve import plot_stroke_widths
from kerasexp.report.html import Plot
from kerasexp.runs.results import PREDICTIONS, Results


def stroke_widths(results: Results) -> Iterator[Plot]:
    """Yield the plot of accuracy over stroke width, if it was measured."""
    if measured := results.metrics.get("stroke_widths"):
        rows = measured["factors"]
        yield Plot(
            PREDICTIONS,
            "stroke_widths",
            "Accuracy on val with the strokes thinned and thickened before preprocessing, over their width relative to that in "
            "the images.",
            f"Accuracy {accuracy_by_width(measured)} of the width.",
            lambda: plot_stroke_widths(rows),
        )


def accuracy_by_width(measured: dict[str, Any]) -> str:
    """Return the accuracy for each factor of the width, as text."""
    return ", ".join(f"{row['accuracy']:.4f} at {row['factor']:g}" for row in measured["factors"])


def stroke_width_sentence(metrics: dict[str, Any]) -> str:
    """Return a sentence on the pen, and on the width with the lowest accuracy; "" if it was not measured."""
    if (measured := metrics.get("stroke_widths")) is None:
        return ""
    rows = measured["factors"]
    own = next(row["accuracy"] for row in rows if row["factor"] == 1)
    worst = min(rows, key=lambda row: row["accuracy"])
    pen = f"Stroke width: the pen of val is {measured['pen_width']:.3g} pixels wide in the stored images (median)."
    if worst["accuracy"] == own:
        return f"{pen} No other width of {rows[0]['factor']:g} to {rows[-1]['factor']:g} times this has a lower accuracy on val."
    return (
        f"{pen} Accuracy on val is {own:.4f} with the strokes as they are, and lowest at {worst['factor']:g} times their width: "
        f"{worst['accuracy']:.4f}, which is {own - worst['accuracy']:.4f} less."
    )
