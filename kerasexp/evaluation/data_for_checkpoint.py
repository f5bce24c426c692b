"""Data of other sources as a checkpoint needs them: its range of stored values, and its classes."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from kerasexp.config.data_section import Data
from kerasexp.config.section_base import composed
from kerasexp.data.label_sets import is_multi_label
from kerasexp.data.prepared_data import Split
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.data.value_range import BYTES, UnknownRange
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.saving.checkpoint import Checkpoint

# Pairs of class names in one message.
MOST_PAIRS = 4


def load_for_checkpoint(data: Data, checkpoint: Checkpoint) -> tuple[Data, Source]:
    """Load a source; return it and its section, with `range` set where the range is that of the checkpoint's training.

    Files of 16 bits, and arrays whose range is not found, have that of the training, unless `range` is given.

    Raises:
        UserError: see `load_source`; the values lie outside the range.
    """
    known = checkpoint.value_range
    try:
        source, _ = load_source(data)
        found = next(iter(source.splits.values())).value_range
        kept = found is None or found.of == "arrays" or found.source == "given"
        if kept or known is None or not known.applies_to_16_bit_files:
            return data, source
    except UnknownRange as unknown:
        if unknown.of == "files" and (known is None or not known.applies_to_16_bit_files):
            raise
    bounds = BYTES if known is None else known.bounds
    data = data.model_copy(update={"range": list(bounds)})
    return data, load_source(data)[0]


def with_class_names(
    checkpoint: Checkpoint, pairs: Sequence[str], stored: Sequence[str]
) -> tuple[Checkpoint, dict[str, str]]:
    """Return the checkpoint for data whose classes have other names, and class of the data -> class of the checkpoint.

    Args:
        checkpoint: with its own names.
        pairs: of `--class-names`, each `DATA=CHECKPOINT`.
        stored: the names of the classes of the data.

    Raises:
        UserError: a pair has no `=`, or the data or the checkpoint have no such class.
    """
    named = dict(_pair(pair, stored, checkpoint.class_names) for pair in pairs)
    return replace(checkpoint, folders={**checkpoint.folders, **named}), named


def taken_for(named: dict[str, str]) -> list[str]:
    """Return a sentence for each class of the data that has another name in the checkpoint."""
    return [f"{stored} is evaluated as {name}" for stored, name in named.items()]


def _pair(pair: str, stored: Sequence[str], outputs: Sequence[str]) -> tuple[str, str]:
    """Return the two names of `DATA=CHECKPOINT`; either may have a `=` in it."""
    pair = composed(pair)
    cuts = [(pair[:k], pair[k + 1 :]) for k, character in enumerate(pair) if character == "="]
    if not cuts:
        raise UserError(Problem(f"got '{pair}'; write DATA=CHECKPOINT, such as cats=cat", "--class-names"))
    for left, right in cuts:
        if left in stored and right in outputs:
            return left, right
    left, right = cuts[0]
    if left not in stored:
        wrong, allowed, message = left, stored, f"the data have no class '{left}'"
    else:
        wrong, allowed, message = right, outputs, f"the checkpoint has no class '{right}'"
    raise UserError(Problem(f"{message}{closest(wrong, allowed)}; allowed: {listing(allowed)}", "--class-names"))


def suggested_pairs(unknown: Sequence[str], outputs: Sequence[str]) -> str:
    """Return options that pair each unknown class with the nearest name, or with CLASS if none is near."""
    near = [next(iter(get_close_matches(name, outputs, 1, 0.5)), "CLASS") for name in unknown]
    return " ".join(shlex.join(["--class-names", f"{a}={b}"]) for a, b in zip(unknown[:MOST_PAIRS], near, strict=False))


def are_class_names(stored: Iterable[str], outputs: Collection[str], folders: Collection[str]) -> bool:
    """Return whether stored labels are names of classes, of which `outputs` are some: all are, and not all are stored labels."""
    stored = set(stored)
    return stored <= set(outputs) and not stored <= set(folders)


def with_checkpoint_labels(split: Split, source: Source, checkpoint: Checkpoint) -> Split:
    """Return the images with the checkpoint's labels: the class of the stored label there, or the class of the same name.

    A stored label such as `1` may also be the name of a class. Names count where all are of classes, and not all stored labels.

    Images of a stored label that the checkpoint's training left out by `select` are left out here as well.

    Raises:
        UserError: the checkpoint does not have a class, or no image is left.
    """
    outputs = {name: index for index, name in enumerate(checkpoint.class_names)}
    # The names of data are in composed form; those of an earlier checkpoint may not be.
    outputs = {composed(name): index for name, index in outputs.items()} | outputs
    folders = {composed(folder): name for folder, name in checkpoint.folders.items()} | checkpoint.folders
    are_names = are_class_names(source.class_names, outputs, folders)
    target, unknown = [], []
    for stored in source.class_names:
        name = stored if are_names else folders.get(stored, stored)
        if name not in outputs and stored not in folders:
            unknown.append(stored)
        target.append(outputs.get(name, -1))
    if unknown:
        raise UserError(
            Problem(
                f"the data have classes that the checkpoint does not have: {listing(unknown)}; it has "
                f"{listing(checkpoint.class_names)}; if the same classes have other names, add "
                f"{suggested_pairs(unknown, checkpoint.class_names)}",
                "--data",
            )
        )
    if is_multi_label(split.labels):
        return replace(split, labels=_label_columns(split.labels, target, len(checkpoint.class_names)))
    labels = np.array(target)[split.labels]
    kept = np.flatnonzero(labels >= 0)
    if len(kept) == 0:
        raise UserError(Problem("the data have no image of a class of the checkpoint", "--data"))
    taken = split.take(kept)
    return Split(taken.images, labels[kept], taken.names)


def _label_columns(labels: np.ndarray, target: list[int], classes: int) -> np.ndarray:
    """Return labels uint8 [n, classes], with the column of each stored label moved to its target; none where that is -1."""
    moved = np.zeros((len(labels), classes), np.uint8)
    for column, place in enumerate(target):
        if place >= 0:
            moved[:, place] |= labels[:, column]
    return moved
