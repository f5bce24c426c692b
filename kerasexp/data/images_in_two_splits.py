"""Images and groups that are in two splits, and classes that a split lacks: all make metrics misleading."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.config.section_base import one_line
from kerasexp.data.file_accounting import counted
from kerasexp.data.label_sets import count_labels
from kerasexp.errors import listing

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import Split
    from kerasexp.data.source import Images


def absent_classes(splits: Mapping[str, Split], class_names: list[str]) -> Iterator[str]:
    """Yield a sentence for each of `val` and `test` that lacks classes of `train`."""
    trained = _present(splits["train"], class_names)
    for name in ("val", "test"):
        if name in splits and (absent := sorted(trained - _present(splits[name], class_names))):
            classes = listing((class_names[label] for label in absent), 5)
            yield f"{name} has no image of {len(absent)} of {len(trained)} classes: {classes}"


def _present(split: Split, class_names: list[str]) -> set[int]:
    return set(np.flatnonzero(count_labels(split.labels, len(class_names))).tolist())


def shared_groups(splits: Mapping[str, Split | Images]) -> Iterator[str]:
    """Yield a sentence if splits share groups. An image without one has a group of its own that begins with NUL."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, split in splits.items():
        for group in split.groups or ():
            found[group].add(name)
    shared = sorted(group for group, names in found.items() if len(names) > 1 and not group.startswith("\0"))
    if shared:
        yield one_line(f"{counted(len(shared), 'group')} with images in several splits: {listing(shared, 3)}")


def shared_images(splits: Mapping[str, Split], digests: Mapping[str, np.ndarray]) -> str | None:
    """Return a sentence about the images that are the same in two splits, pixel for pixel as the model sees them.

    Args:
        splits: the splits.
        digests: of the images of each, uint64 [n], by `image_digest`.
    """
    parts, example = [], None
    for one, other in combinations(digests, 2):
        shared = np.flatnonzero(np.isin(digests[other], digests[one]))
        if len(shared):
            parts.append(f"{len(shared):,} of the {len(digests[other]):,} of {other} are in {one}")
            same = np.flatnonzero(digests[one] == digests[other][shared[0]])[0]
            example = example or one_line(f"{splits[other].names[shared[0]]} is {splits[one].names[same]}")
    return f"splits share images, identical after preprocessing: {', '.join(parts)} ({example})" if parts else None


def image_digest(image: np.ndarray) -> int:
    """Return a digest of 8 bytes of an image, uint8 [height, width, channels]."""
    return int.from_bytes(hashlib.blake2b(image, digest_size=8).digest())
