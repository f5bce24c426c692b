"""`predict` with several labels an image: the labels whose probability reaches their threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasexp.data.label_sets import SEPARATOR
from kerasexp.storage import csv_text


def label_predictions(
    names: list[str], scores: np.ndarray, class_names: list[str], thresholds: np.ndarray, top: int
) -> Iterator[dict[str, Any]]:
    """Yield for each file `file`, `labels`, the likeliest first, and `top`, the likeliest classes whether they are labels or not.

    Args:
        names: of the files.
        scores: float32 [n, classes], probabilities.
        class_names: in the order of the classes.
        thresholds: float64 [classes].
        top: number of classes in `top`.
    """
    for name, score in zip(names, scores, strict=True):
        order = np.argsort(-score, kind="stable")
        ranked = [
            {
                "class": class_names[k],
                "probability": round(float(score[k]), 6),
                "threshold": round(float(thresholds[k]), 6),
            }
            for k in order
        ]
        labels = [one for one, k in zip(ranked, order, strict=True) if score[k] >= thresholds[k]]
        yield {"file": name, "labels": labels, "top": ranked[:top]}


def format_labels(predictions: list[dict[str, Any]], format: str) -> str:
    """Return the predictions as a text table, or as CSV that `source: table` reads.

    In CSV an image without labels has a separator alone: `source: table` does not use a row with an empty cell.
    """
    if format == "csv":
        count = max(len(p["top"]) for p in predictions)
        columns = [f"{key}_{k}" for k in range(1, count + 1) for key in ("class", "probability")]
        rows = [
            [
                p["file"],
                SEPARATOR.join(label["class"] for label in p["labels"]) or SEPARATOR,
                *(one[key] for one in p["top"] for key in ("class", "probability")),
            ]
            for p in predictions
        ]
        return csv_text(["file", "labels", *columns], rows)
    width = max(len(p["file"]) for p in predictions)
    lines = (
        f"{p['file']:<{width}}  "
        + ("  ".join(f"{one['class']} {one['probability']:.3f}" for one in p["labels"]) or "–")
        for p in predictions
    )
    return "".join(line + "\n" for line in lines)
