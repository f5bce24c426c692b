"""Advice on what to change, with the keys of the experiment to set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kerasexp.config.data_section import Data
from kerasexp.config.loss_section import MULTI_LABEL_LOSS
from kerasexp.config.model_section import Backbone, Model, classical_head
from kerasexp.config.training_section import Training, labels_are_complementary
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.diagnosis.results import Diagnosis, LabelAssessment
from kerasexp.errors import listing

SMOOTHING = 0.1
# Most class names in the keys of one piece of advice.
LISTED = 1000


@dataclass(frozen=True)
class Advice:
    """One piece of advice: the reason, and the keys to set; without keys the files need a change."""

    reason: str
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def yaml(self) -> str:
        return dump_yaml(self.change).rstrip() if self.change else ""


def advise(
    diagnosis: Diagnosis, data: Data, folders: dict[str, str], training: Training | None, model: Model | None = None
) -> list[Advice]:
    """Return the advice, most important first.

    Args:
        diagnosis: the results.
        data: the diagnosed section.
        folders: the class of each stored label.
        training, model: those of the experiment, if known; advice that they already follow, or cannot follow, is left out.
    """
    classical = classical_head(model)
    head = None if classical is None else classical[0]
    found = [*_for_labels(diagnosis, data, folders, training, head)]
    found += _for_classes(diagnosis, data, folders, training, head)
    return [*found, *_for_images(diagnosis, data, isinstance(model, Backbone) and model.needs_colour)]


def _for_labels(
    diagnosis: Diagnosis, data: Data, folders: dict[str, str], training: Training | None, head: str | None
) -> Iterator[Advice]:
    against_train = any(
        labels.split != "train" and labels.verdict.kind == "permuted" and not labels.knows_class_names
        for labels in diagnosis.labels
    )
    if against_train:
        yield Advice("The splits use class names for different classes; correct the files of one of them.")
    foremost = diagnosis.foremost
    if foremost is None:
        return
    kind, known = foremost.verdict.kind, training is not None
    # One map of names cannot correct two splits that differ.
    if kind == "permuted" and not against_train:
        permutation = foremost.verdict.permutation
        yield Advice(
            "The stored labels are names of other classes; these `class_names` correct them.",
            {"data": {"class_names": {stored: permutation.get(name, name) for stored, name in folders.items()}}},
        )
    elif kind == "complementary":
        if head is not None:
            yield Advice(f"head.{head} takes labels as they are; complementary ones need a network that is trained.")
        elif not (known and labels_are_complementary(training)):
            yield Advice(
                "Complementary labels need a loss for them, or cross_entropy with decode: argmin.",
                {"training": {"loss": "scl_nl"}},
            )
        of_test = [labels.verdict.kind for labels in diagnosis.labels if labels.split == "test"]
        # A test split that was held out of complementary labels is complementary too.
        if "complementary" in of_test or ("test" not in diagnosis.overview.splits and data.test is None):
            yield Advice("Evaluation needs true labels: name a source that has them in data.test.")
    elif kind == "noisy":
        yield from _for_noise(foremost, training, head)
    elif kind == "random":
        yield Advice("Nothing can be learned from random labels: check how images and labels were matched.")


def _for_noise(foremost: LabelAssessment, training: Training | None, head: str | None) -> Iterator[Advice]:
    count = len(foremost.verdict.errors.positions)
    yield Advice(f"Check the {count:,} labels that are likely wrong; they are listed with the likeliest first.")
    is_plain = training is None or (training.loss.name == "cross_entropy" and not training.loss.label_smoothing)
    if is_plain and head is None:
        yield Advice(
            "Label smoothing reduces the effect of wrong labels (Lukasik et al., ICML 2020).",
            {"training": {"loss": {"name": "cross_entropy", "label_smoothing": SMOOTHING}}},
        )


def _for_classes(
    diagnosis: Diagnosis, data: Data, folders: dict[str, str], training: Training | None, head: str | None
) -> Iterator[Advice]:
    names, train = diagnosis.overview.class_names, diagnosis.overview.classes.get("train")
    if train is None or not train.counts.any():
        yield Advice("The train split is empty.")
        return
    present = int((train.counts > 0).sum())
    # A class that `keep` removes is absent on purpose.
    absent = [names[k] for k in train.missing if data.labels.keep.get(names[k]) != 0]
    if head == "zero_shot":
        pass  # nothing is learned from train
    elif absent and present > 1:
        yield Advice(
            "Classes without training images cannot be learned: add images, or leave the classes out.",
            _without(absent, names, data, folders),
        )
    elif present < 2:
        yield Advice("Classification needs two classes: add images of another one.")
    foremost = diagnosis.foremost
    plain = head is None and (training is None or training.loss.name == "cross_entropy")
    balanced = data.oversample or (
        training is not None
        and (training.loss.by_counts or training.decode.name == "logit_adjusted" or training.class_batches)
    )
    ordinary = foremost is None or foremost.verdict.kind in ("ordinary", "permuted")
    if train.rare and plain and not balanced and ordinary and train.images is None:
        yield Advice(
            f"With a plain loss, rare classes are predicted too rarely: {listing(names[k] for k in train.rare)}.",
            {"training": {"loss": "logit_adjusted"}},
        )
    if train.rare and train.images is not None and training is not None and training.loss.class_weights is None:
        yield Advice(
            f"Rare labels are predicted too rarely: {listing(names[k] for k in train.rare)}.",
            {"training": {"loss": {"name": MULTI_LABEL_LOSS, "class_weights": "balanced"}}},
        )
    two_sample = diagnosis.overview.two_sample
    if two_sample is not None and two_sample.matters:
        yield Advice(
            "The images of train and test differ, so that the accuracy on images held out of train overestimates that on test"
            + ("." if head else "; augmentation can reduce the difference."),
            {}
            if data.augmentation or head
            else {"data": {"augmentation": {"rotation": 8, "shift": 0.05, "zoom": 0.1}}},
        )


def _without(absent: list[str], names: list[str], data: Data, folders: dict[str, str]) -> dict[str, Any]:
    """Return the keys that leave classes out of the data; none where they would be very many, or `keep` names such a class."""
    left_out = set(absent)
    kept = [name for name in names if name not in left_out]
    if len(kept) > LISTED or data.labels.keep.keys() & left_out:
        return {}
    if data.multi_label:
        return {"data": {"class_names": {stored: name for stored, name in folders.items() if name not in left_out}}}
    return {"data": {"labels": {"select": kept}}}


def _for_images(diagnosis: Diagnosis, data: Data, needs_colour: bool) -> Iterator[Advice]:
    duplicates, unusual, stored = diagnosis.overview.duplicates, diagnosis.overview.unusual, diagnosis.stored
    if duplicates.across:
        yield Advice(
            f"Images that lie in several splits ({len(duplicates.across):,}) leak from training into evaluation: remove them, "
            "or keep related images in one split by data.groups."
        )
    # Labels that exclude a class may all be right.
    is_complementary = diagnosis.foremost is not None and diagnosis.foremost.verdict.kind == "complementary"
    if duplicates.conflicting and not is_complementary:
        count = f"({len(duplicates.conflicting):,})"
        yield Advice(
            f"Equal images have different labels {count}: give them the same ones."
            if data.multi_label
            else f"Some images have several labels {count}: keep one label of each."
        )
    if unusual.blank:
        yield Advice(f"Blank images ({len(unusual.blank):,}) show no class: remove them.")
    preprocessing = data.preprocessing
    if unusual.inverted and preprocessing.invert is False:
        yield Advice(
            "Ink is dark on bright in some images and bright on dark in others.",
            {"data": {"preprocessing": {"invert": "auto"}}},
        )
    if stored is None:
        return
    if stored.colour and preprocessing.channels == 1 and not stored.odd_colours:
        yield Advice("The images are in colour, but are read as grey.", {"data": {"preprocessing": {"channels": 3}}})
    if not stored.colour and preprocessing.channels == 3 and not stored.odd_colours and not needs_colour:
        yield Advice("The images are grey: one channel is enough.", {"data": {"preprocessing": {"channels": 1}}})
    if stored.size is None and preprocessing.framing == "stretch":
        yield Advice(
            "Sizes vary, and stretching all images to one size distorts them.",
            {"data": {"preprocessing": {"framing": "fit"}}},
        )
