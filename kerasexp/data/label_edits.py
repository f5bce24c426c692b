"""Edits of the labels: rare classes, fewer images, label noise, complementary labels."""

from __future__ import annotations

import numpy as np

from kerasexp.config.data_section import Labels
from kerasexp.data.file_accounting import counted
from kerasexp.data.label_sets import is_multi_label
from kerasexp.errors import Problem, UserError, closest, listing


def subsample(labels: np.ndarray, class_names: list[str], edits: Labels, seed: int, split: str) -> np.ndarray:
    """Return the ascending positions of the images that `keep`, `few_shot` and `at_most` leave.

    Args:
        labels: int64 [n], or uint8 [n, classes].
        class_names: class names in the order of the labels.
        edits: the section `data.labels`.
        seed: seed of the random choice.
        split: the name of theirs, for error messages.

    Raises:
        UserError: a class is unknown, or has fewer images than it should keep.
    """
    if is_multi_label(labels):  # with `--quick` alone, as the rules refuse edits of several labels an image
        count = len(labels) if edits.at_most is None else edits.at_most
        return np.sort(np.random.default_rng((seed, 1)).permutation(len(labels))[:count])
    wanted = _images_to_keep(np.bincount(labels, minlength=len(class_names)), class_names, edits, split)
    shuffled = np.random.default_rng((seed, 1)).permutation(len(labels))
    kept = [shuffled[labels[shuffled] == label][:count] for label, count in enumerate(wanted)]
    return np.sort(np.concatenate(kept))


def corrupt_labels(labels: np.ndarray, classes: int, edits: Labels, seed: int) -> np.ndarray:
    """Return the labels after `noise` or `complement`, int64 [n]; wrong labels are uniform over the other classes."""
    generator = np.random.default_rng((seed, 2))
    others = (labels + generator.integers(1, classes, len(labels))) % classes
    if edits.complement:
        return others
    wrong = generator.permutation(len(labels))[: round(edits.noise * len(labels))]
    result = labels.copy()
    result[wrong] = others[wrong]
    return result


def describe_edits(edits: Labels, has_val: bool) -> list[str]:
    """Return a sentence about each edit.

    Args:
        edits: the section `data.labels`.
        has_val: whether the source has a val split of its own, of which as much is kept as of train; otherwise val is held out
            of what is kept.
    """
    sentences, keeping = [], "train and val each keep" if has_val else "train and val keep"
    for name, amount in edits.keep.items():
        share = f"{100 * amount:g} % of the images" if isinstance(amount, float) else counted(amount, "image")
        sentences.append(f"of class {name}, {keeping} {share}")
    if edits.few_shot is not None:
        sentences.append(f"{keeping} {edits.few_shot} images of every class")
    if edits.at_most is not None:
        sentences.append(f"{keeping} about {edits.at_most:,} images at most, the same share of each class")
    if edits.noise:
        sentences.append(f"{100 * edits.noise:g} % of the labels of train and val are replaced by a random wrong one")
    if edits.complement:
        sentences.append("every label of train and val names a random class that the image is NOT of")
    return sentences


def _images_to_keep(counts: np.ndarray, class_names: list[str], edits: Labels, split: str) -> list[int]:
    """Return how many images of each class to keep."""
    for name in edits.keep:
        if name not in class_names:
            message = f"no class '{name}'{closest(name, class_names)}; classes: {listing(class_names)}"
            raise UserError(Problem(message, key="data.labels.keep"))
    wanted = []
    for name, count in zip(class_names, counts.tolist(), strict=True):
        amount, key = edits.keep.get(name), "data.labels.keep"
        if amount is None:
            amount, key = (count if edits.few_shot is None else edits.few_shot), "data.labels.few_shot"
        number = round(amount * count) if isinstance(amount, float) else amount
        if number > count:
            message = f"cannot keep {number} images of class '{name}', which has {count} in {split}"
            raise UserError(Problem(message, key=key))
        wanted.append(number)
    share = 1.0 if edits.at_most is None else min(edits.at_most / max(sum(wanted), 1), 1.0)
    return [max(round(share * number), min(number, 1)) for number in wanted]
