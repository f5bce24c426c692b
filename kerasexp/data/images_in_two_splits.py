"""Images that are in two splits, and classes that a split lacks: both make metrics misleading."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.config.section_base import one_line
from kerasexp.data.label_sets import count_labels
from kerasexp.data.lazy_images import chunks
from kerasexp.data.near_duplicates import near_duplicates
from kerasexp.errors import listing

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import Split


def split_notes(splits: Mapping[str, Split], class_names: list[str]) -> Iterator[str]:
    """Yield a sentence if two splits share images or have nearly the same ones, and one for each that lacks classes of `train`."""
    if sentence := shared_images(splits):
        yield sentence
    if sentence := near_duplicates(splits):
        yield sentence
    trained = _present(splits["train"], class_names)
    for name in ("val", "test"):
        if name in splits and (absent := sorted(trained - _present(splits[name], class_names))):
            classes = listing((class_names[label] for label in absent), 5)
            yield f"{name} has no image of {len(absent)} of {len(trained)} classes: {classes}"


def _present(split: Split, class_names: list[str]) -> set[int]:
    return set(np.flatnonzero(count_labels(split.labels, len(class_names))).tolist())


def shared_images(splits: Mapping[str, Split]) -> str | None:
    """Return a sentence about the images that are the same in two splits, pixel for pixel as the model sees them."""
    digests = {name: np.fromiter(map(_digest, _images(split)), np.uint64) for name, split in splits.items()}
    parts, example = [], None
    for one, other in combinations(digests, 2):
        shared = np.flatnonzero(np.isin(digests[other], digests[one]))
        if len(shared):
            parts.append(f"{len(shared):,} of the {len(digests[other]):,} of {other} are in {one}")
            same = np.flatnonzero(digests[one] == digests[other][shared[0]])[0]
            example = example or one_line(f"{splits[other].names[shared[0]]} is {splits[one].names[same]}")
    return f"splits share images, identical after preprocessing: {', '.join(parts)} ({example})" if parts else None


def _images(split: Split) -> Iterator[np.ndarray]:
    for portion in chunks(split.images):
        yield from np.ascontiguousarray(portion)


def _digest(image: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(image, digest_size=8).digest())
