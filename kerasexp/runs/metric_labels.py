"""The names of metrics in tables, the rows of a run's metrics, and the length of a table of classes."""

from __future__ import annotations

from typing import Any

# With several labels an image.
LABEL_SET_METRICS = {"accuracy": "exact match", "majority_accuracy": "exact match of the most frequent labels"}
# Most rows of a table of classes.
MOST_ROWS = 1000


def metric_label(key: str, multi_label: bool = False) -> str:
    """Return the name of a metric as it is written in tables."""
    if multi_label and key in LABEL_SET_METRICS:
        return LABEL_SET_METRICS[key]
    name = key.removesuffix("_calibrated")
    label = name.replace("_", " ") if name == key else f"calibrated {name}"
    for short, written in (("nll", "negative log likelihood"), ("ece", "expected calibration error"), ("auc", "AUC")):
        label = label.replace(short, written)
    return label.replace("f1", "F1").replace("brier", "Brier score").replace("hamming", "Hamming")


def metric_rows(val: dict[str, Any], test: dict[str, Any], multi_label: bool = False) -> list[dict[str, str]]:
    """Return a row of texts for each metric: its label, val, test, and the interval of test."""
    rows = []
    for key in test:
        if key == "per_class" or key.endswith(("_low", "_high")):
            continue
        low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
        rows.append(
            {
                "label": metric_label(key, multi_label),
                "val": _formatted(val.get(key)),
                "test": _formatted(test[key]),
                "interval": "" if low is None else f"{low:.4f} to {high:.4f}",
            }
        )
    return rows


def _formatted(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
