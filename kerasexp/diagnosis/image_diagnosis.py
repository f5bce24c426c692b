"""Checks of the images: duplicates, blank images, inverted ink, unusual sizes and colours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kerasexp.data.dataset_statistics import ImageStatistics
from kerasexp.data.label_sets import label_set_numbers
from kerasexp.data.lazy_images import chunks
from kerasexp.data.prepared_data import Split
from kerasexp.data.preprocessing import border_means

# An image with a range of values below this, of 255, is blank.
BLANK = 8
# Standard deviation of the border up to which it is uniform; paper and scanners leave about this much.
UNIFORM = 24
# With at least this share of uniform borders the images are ink on a page, which has a polarity.
INK_SHARE = 0.8
# A size or colour that at least this share of the stored images has is usual, and any other one unusual.
USUAL = 0.9
# An image is tiny if its shorter side is below this share of the median.
TINY = 0.25

# An image: its split and its position there.
Place = tuple[str, int]


@dataclass(frozen=True)
class Duplicates:
    """Images that are equal pixel by pixel after preprocessing.

    Attributes:
        groups: places of equal images, two or more each; groups with several labels first, then those in several splits.
        across: positions in `groups` of those that lie in more than one split.
        conflicting: positions in `groups` of those with more than one label.
        images: number of images in groups, without the first of each.
    """

    groups: list[list[Place]]
    across: list[int]
    conflicting: list[int]
    images: int


@dataclass(frozen=True)
class UnusualImages:
    """Places of blank images, and of those whose ink has the rarer polarity."""

    blank: list[Place]
    inverted: list[Place]


@dataclass(frozen=True)
class StoredImages:
    """Image files as they are stored, before preprocessing.

    Attributes:
        looked_at: number of decoded files.
        size: the usual height and width; None where there is none.
        smallest, largest: height and width.
        odd_sizes: names of images of another size than the usual one.
        tiny: names of images with a side far below the median.
        odd_colours: names of colour images among grey ones, or of grey ones among colour images.
        colour: whether most are in colour.
    """

    looked_at: int
    size: tuple[int, int] | None
    smallest: tuple[int, int]
    largest: tuple[int, int]
    odd_sizes: list[str]
    tiny: list[str]
    odd_colours: list[str]
    colour: bool


def find_duplicates(splits: Mapping[str, Split]) -> Duplicates:
    """Find groups of equal images by a digest of their pixels; blank images are left to `find_unusual_images`."""
    places = [(name, i) for name, split in splits.items() for i in range(len(split))]
    digests = np.frombuffer(
        b"".join(_digests(chunk) for split in splits.values() for chunk in chunks(split.images)), "V16"
    )
    blank = np.concatenate([np.zeros(0, bool), *(_each(is_blank, split) for split in splits.values())])
    labels = np.concatenate([split.labels for split in splits.values()]) if splits else np.zeros(0, np.int64)
    labels = label_set_numbers(labels)
    _, group, sizes = np.unique(digests, return_inverse=True, return_counts=True)
    several = np.flatnonzero((sizes[group] > 1) & ~blank)
    several = several[np.argsort(group[several], kind="stable")]
    found = np.split(several, np.flatnonzero(np.diff(group[several])) + 1) if len(several) else []

    def conflict(members: np.ndarray) -> bool:
        return len(np.unique(labels[members])) > 1

    def spread(members: np.ndarray) -> bool:
        return len({places[i][0] for i in members}) > 1

    found.sort(key=lambda members: (not conflict(members), not spread(members), members[0]))
    return Duplicates(
        [[places[i] for i in members] for members in found],
        [k for k, members in enumerate(found) if spread(members)],
        [k for k, members in enumerate(found) if conflict(members)],
        len(several) - len(found),
    )


def _each(function: Callable[[np.ndarray], np.ndarray], split: Split) -> np.ndarray:
    """Return the function's value for each image of a split, computed in chunks."""
    found = [function(chunk) for chunk in chunks(split.images)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def _digests(images: np.ndarray) -> bytes:
    return b"".join([hashlib.blake2b(row, digest_size=16).digest() for row in _flat(np.ascontiguousarray(images))])


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def is_blank(images: np.ndarray) -> np.ndarray:
    """Return whether each image is blank: bool [n]."""
    flat = _flat(images)
    return flat.max(axis=1) - flat.min(axis=1) < BLANK


def find_unusual_images(splits: Mapping[str, Split]) -> UnusualImages:
    """Find blank images, and images of ink with the rarer polarity (bright on dark among dark on bright, or the reverse)."""
    blank = {name: _each(is_blank, split) for name, split in splits.items()}
    bright = {name: _each(border_means, split) > 127.5 for name, split in splits.items()}
    uniform = {name: _each(_border_deviation, split) < UNIFORM for name, split in splits.items()}
    ink = {name: uniform[name] & ~blank[name] for name in splits}
    total, pages = sum(map(len, splits.values())), sum(int(i.sum()) for i in ink.values())
    inverted: list[Place] = []
    if total and pages >= INK_SHARE * total:
        usual = 2 * sum(int((bright[name] & ink[name]).sum()) for name in splits) > pages
        inverted = [(name, int(i)) for name in splits for i in np.flatnonzero(ink[name] & (bright[name] != usual))]
    return UnusualImages([(name, int(i)) for name in splits for i in np.flatnonzero(blank[name])], inverted)


def _border_deviation(images: np.ndarray) -> np.ndarray:
    """Return the standard deviation along the border of each image, in its most varied channel: [n]."""
    lines = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    return lines.std(axis=1, dtype=np.float32).max(axis=1)


def check_stored_images(statistics: ImageStatistics) -> StoredImages | None:
    """Find files of unusual size or colour; None where no file was decoded."""
    if len(statistics.names) == 0:
        return None
    sizes = np.stack([statistics.heights, statistics.widths], axis=1)
    kinds, counts = np.unique(sizes, axis=0, return_counts=True)
    usual = kinds[counts.argmax()] if counts.max() >= USUAL * len(sizes) else None
    shorter = sizes.min(axis=1)
    by_area = np.argsort(sizes.prod(axis=1), kind="stable")
    most_colour = statistics.colour.mean() > 0.5
    one_kind = max(statistics.colour.mean(), 1 - statistics.colour.mean()) >= USUAL
    unusual_size = (sizes != usual).any(axis=1) if usual is not None else np.zeros(len(sizes), bool)
    unusual_colour = (statistics.colour != most_colour) if one_kind else np.zeros(len(sizes), bool)
    return StoredImages(
        len(sizes),
        None if usual is None else tuple(usual.tolist()),
        tuple(sizes[by_area[0]].tolist()),
        tuple(sizes[by_area[-1]].tolist()),
        [statistics.names[i] for i in np.flatnonzero(unusual_size)],
        [statistics.names[i] for i in np.flatnonzero(shorter < TINY * np.median(shorter))],
        [statistics.names[i] for i in np.flatnonzero(unusual_colour)],
        bool(most_colour),
    )
