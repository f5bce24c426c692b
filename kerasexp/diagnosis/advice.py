"""What to change in the experiment, as keys that an experiment has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kerasexp.config.data import Data
from kerasexp.config.rules import BY_COUNTS, labels_are_complementary
from kerasexp.config.training import Training
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.diagnosis.results import Diagnosis, JudgedLabels
from kerasexp.errors import listing

SMOOTHING = 0.1


@dataclass(frozen=True)
class Advice:
    """One thing to do: why, and the keys to change; without any it is to be done to the files."""

    reason: str
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def yaml(self) -> str:
        return dump_yaml(self.change).rstrip() if self.change else ""


def advise(diagnosis: Diagnosis, data: Data, folders: dict[str, str], training: Training | None) -> list[Advice]:
    """Return what to change, what matters most first.

    Args:
        diagnosis: what was found.
        data: the section that was diagnosed.
        folders: the class of each stored label.
        training: how it is trained, where that is known; what it does already is not advised again.
    """
    found = [*_for_labels(diagnosis, data, folders, training), *_for_classes(diagnosis, data, training)]
    return [*found, *_for_images(diagnosis, data)]


def _for_labels(
    diagnosis: Diagnosis, data: Data, folders: dict[str, str], training: Training | None
) -> Iterator[Advice]:
    against_train = any(
        judged.split == "test" and judged.verdict.kind == "permuted" and not judged.knows_names
        for judged in diagnosis.labels
    )
    if against_train:
        yield Advice("Train and test mean different classes by these names; put one of them right in its files.")
    foremost = diagnosis.foremost
    if foremost is None:
        return
    kind, known = foremost.verdict.kind, training is not None
    # One map of names cannot mend two splits that differ.
    if kind == "permuted" and not against_train:
        moved = foremost.verdict.moved
        yield Advice(
            "The stored labels are other classes' names; this gives each its own.",
            {"data": {"class_names": {stored: moved.get(name, name) for stored, name in folders.items()}}},
        )
    elif kind == "complementary":
        if not (known and labels_are_complementary(training)):
            yield Advice(
                "A loss for labels that say what an image is NOT; or cross_entropy with decode: argmin.",
                {"training": {"loss": "scl_nl"}},
            )
        if "test" not in diagnosis.look.splits and data.test is None:
            yield Advice("Judging needs true labels: name a source of such images that has them in data.test.")
    elif kind == "noisy":
        yield from _for_noise(foremost, training)
    elif kind == "random":
        yield Advice(
            "Nothing can be learned from labels that are drawn by chance: look for how images and labels were "
            "brought together."
        )


def _for_noise(foremost: JudgedLabels, training: Training | None) -> Iterator[Advice]:
    count = len(foremost.verdict.errors.positions)
    yield Advice(f"Look at the {count:,} labels that are likely wrong; those that are listed first are it most likely.")
    if training is None or (training.loss.name == "cross_entropy" and not training.loss.label_smoothing):
        yield Advice(
            "Smoothed labels follow wrong ones less (Lukasik et al., ICML 2020).",
            {"training": {"loss": {"name": "cross_entropy", "label_smoothing": SMOOTHING}}},
        )


def _for_classes(diagnosis: Diagnosis, data: Data, training: Training | None) -> Iterator[Advice]:
    names, train = diagnosis.look.class_names, diagnosis.look.classes.get("train")
    if train is None or not train.counts.any():
        yield Advice("There is nothing to learn from: train is empty.")
        return
    there = [name for name, count in zip(names, train.counts, strict=True) if count]
    if train.missing and len(there) > 1:
        yield Advice(
            "No loss can teach a class of which train has no image: bring some, or leave it out.",
            {"data": {"labels": {"select": there}}},
        )
    elif len(there) < 2:
        yield Advice("Telling apart needs two classes: bring images of another one.")
    foremost = diagnosis.foremost
    plain = training is None or training.loss.name == "cross_entropy"
    balanced = data.oversample or (
        training is not None
        and (training.loss.name in BY_COUNTS or training.decode.name == "logit_adjusted" or training.class_batches)
    )
    ordinary = foremost is None or foremost.verdict.kind in ("ordinary", "permuted")
    if train.rare and plain and not balanced and ordinary:
        yield Advice(
            f"Rare classes are guessed too seldom by a plain loss: {listing(names[k] for k in train.rare)}.",
            {"training": {"loss": "logit_adjusted"}},
        )
    apart = diagnosis.look.apart
    if apart is not None and apart.matters:
        yield Advice(
            "Train and test are of different images, so that val, which comes from train, promises more than test will "
            "hold; the part that differs may be changed at random.",
            {} if data.augmentation else {"data": {"augmentation": {"rotation": 8, "shift": 0.05, "zoom": 0.1}}},
        )


def _for_images(diagnosis: Diagnosis, data: Data) -> Iterator[Advice]:
    found, odd, stored = diagnosis.look.duplicates, diagnosis.look.odd, diagnosis.stored
    if found.across:
        yield Advice(
            f"Images that lie in several splits ({len(found.across):,}) are judged after they were learned: remove them, or "
            "let data.groups keep together what belongs together."
        )
    if found.conflicting:
        yield Advice(f"Images with several labels ({len(found.conflicting):,}): keep one label of each.")
    if odd.blank:
        yield Advice(f"Blank images ({len(odd.blank):,}) teach that nothing is something: remove them.")
    how = data.preprocessing
    if odd.inverted and how.invert is False:
        yield Advice(
            "Ink is dark on bright in some images and bright on dark in others.",
            {"data": {"preprocessing": {"invert": "auto"}}},
        )
    if stored is None:
        return
    if stored.colour and how.channels == 1 and not stored.odd_colours:
        yield Advice("The images are in colour, which is not read.", {"data": {"preprocessing": {"channels": 3}}})
    if not stored.colour and how.channels == 3 and not stored.odd_colours:
        yield Advice("The images are grey: one channel holds it all.", {"data": {"preprocessing": {"channels": 1}}})
    if stored.size is None and how.framing == "stretch":
        yield Advice(
            "Sizes vary, and stretching them to one changes their shapes.",
            {"data": {"preprocessing": {"framing": "fit"}}},
        )
