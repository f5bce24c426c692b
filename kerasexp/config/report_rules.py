"""Rules that tie the section `report` to the rest of the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kerasexp.config.training_section import labels_are_complementary

if TYPE_CHECKING:
    from kerasexp.config.experiment import Experiment


def report_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for what cannot be measured in this experiment."""
    widths, reject = experiment.report.stroke_widths, experiment.report.reject
    if widths and (channels := experiment.data.preprocessing.channels) != 1:
        yield (
            "report.stroke_widths",
            f"is for images of strokes, with data.preprocessing.channels: 1, and this experiment has {channels}; leave it out",
        )
    measured = {"report.stroke_widths": bool(widths), "report.reject": reject is not None}
    for key in (key for key, is_asked in measured.items() if is_asked):
        if experiment.data.multi_label:
            yield key, "measures one label an image, and is not for data.multi_label"
        elif labels_exclude_a_class(experiment):
            yield key, "needs labels of val that say what an image is, and these say what it is NOT; leave it out"


def labels_exclude_a_class(experiment: Experiment) -> bool:
    """Return whether the labels of val say what an image is NOT."""
    pseudo_labels = experiment.init is not None and experiment.init.pseudo_labels
    return labels_are_complementary(experiment.training) or pseudo_labels
