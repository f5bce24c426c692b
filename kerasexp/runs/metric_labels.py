"""The names of metrics in tables, and the length of a table of classes."""

from __future__ import annotations

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
