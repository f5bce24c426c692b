"""Rules of experiments with several labels an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kerasexp.config.custom_code import CustomSource
from kerasexp.config.data_section import DataSource, Labels
from kerasexp.config.decode_section import Argmax
from kerasexp.config.loss_section import MULTI_LABEL_LOSS

if TYPE_CHECKING:
    from kerasexp.config.experiment import Experiment


# Sources that can have several labels an image.
MULTI_LABEL_SOURCES = ("table", "npz")


def may_have_several_labels(data: DataSource) -> bool:
    """Return whether a source can have several labels an image; one of a user's own can."""
    return isinstance(data.source, CustomSource) or data.source in MULTI_LABEL_SOURCES


def one_label_only(source: str) -> str:
    """Return the message for a source that cannot have several labels an image."""
    reason = (
        "a folder gives each image one label"
        if source == "image_folder"
        else f"source: {source} gives each image one label"
    )
    return f"{reason}; several come from a table (source: table) or from arrays (source: npz)"


def multi_label_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for what does not go with the number of labels an image."""
    data, loss = experiment.data, experiment.training.loss
    if not data.multi_label:
        yield from _single_label_rules(experiment)
        return
    for at, section in {"data": data, "data.offline": data.offline, "data.test": data.test}.items():
        if not isinstance(section, DataSource):
            continue
        if not may_have_several_labels(section):
            yield f"{at}.source", one_label_only(section.source_name)
        elif not section.multi_label:
            yield f"{at}.multi_label", "must be true, as data.multi_label is"
    if not loss.multi_label:
        yield (
            "training.loss",
            f"got {loss.name}, which takes one label an image; data.multi_label needs {MULTI_LABEL_LOSS}",
        )
    yield from _refused(experiment)


def _single_label_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    data, loss = experiment.data, experiment.training.loss
    if loss.multi_label:
        yield "training.loss", f"{loss.name} takes several labels an image; it needs data.multi_label: true"
    for at, section in {"data": data, "data.offline": data.offline, "data.test": data.test}.items():
        if not isinstance(section, DataSource):
            continue
        if section.multi_label:  # `data` itself is not
            yield f"{at}.multi_label", "is true, and data.multi_label is not; a model has the labels of one kind"
        if section.columns is not None and isinstance(section.columns.label, list):
            yield f"{at}.columns.label", "is a list, for several labels an image; that needs data.multi_label: true"
        if section.columns is not None and section.columns.separator is not None:
            yield f"{at}.columns.separator", "is for several labels an image; that needs data.multi_label: true"


def _refused(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Refuse what needs one label an image."""
    data, training = experiment.data, experiment.training
    if not isinstance(training.decode, Argmax):
        yield (
            "training.decode",
            f"{training.decode.name} picks one class an image; with data.multi_label, thresholds fitted on val decide",
        )
    if training.class_batches is not None:
        yield "training.class_batches", "draws images by their class, and with data.multi_label they may have several"
    if data.oversample:
        yield (
            "data.oversample",
            "repeats images of rare classes, and with data.multi_label they may be of frequent ones as well; "
            f"use loss: {{name: {MULTI_LABEL_LOSS}, class_weights: balanced}}",
        )
    sections = {"data.labels": data.labels, "data.offline.labels": data.offline and data.offline.labels}
    for at, edits in sections.items():
        for key in Labels.model_fields if edits is not None else ():
            if getattr(edits, key) != getattr(Labels(), key):
                yield f"{at}.{key}", "edits one label an image, and is not for data.multi_label"
    head = getattr(experiment.model, "head", None)
    for name in () if head is None else head.classical():
        yield f"model.head.{name}", "gives one class an image; data.multi_label needs a head that is trained"
    if experiment.init is not None and experiment.init.pseudo_labels:
        yield "init.pseudo_labels", "gives one class an image, and is not for data.multi_label"
