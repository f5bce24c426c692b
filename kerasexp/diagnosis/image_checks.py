"""Images that stand out whatever their label: the same one twice, blank ones, ink of the other polarity, odd sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kerasexp.data.disk_arrays import chunks
from kerasexp.data.prepared_data import Split
from kerasexp.data.preprocessing import border_means
from kerasexp.data.survey import ImageStatistics

# Less contrast than this, of 255, shows nothing.
BLANK = 8
# The border of a written page is of one shade; paper and scanners leave this much, as a standard deviation.
FLAT = 24
# Where so many borders are of one shade, images are ink on a page, and polarity means something.
MOST_FLAT = 0.8
# What so many stored images have in common is usual, and the others are odd.
USUAL = 0.9
# An image with a side so much shorter than usual has little to show.
TINY = 0.25

# An image by its split and its position there.
Place = tuple[str, int]


@dataclass(frozen=True)
class Duplicates:
    """Images that are the same, pixel by pixel, as the model sees them.

    Attributes:
        groups: places of the same image, two or more each; those with several labels first, then those across splits.
        across: positions in `groups` of those that lie in more than one split.
        conflicting: positions in `groups` of those with more than one label.
        images: how many there are more than once, without the first of each.
    """

    groups: list[list[Place]]
    across: list[int]
    conflicting: list[int]
    images: int


@dataclass(frozen=True)
class OddImages:
    """Places of images that show nothing, and of those whose ink is of the rarer polarity."""

    blank: list[Place]
    inverted: list[Place]


@dataclass(frozen=True)
class Stored:
    """Files as they are stored, before preprocessing.

    Attributes:
        looked_at: how many were decoded.
        size: the usual height and width, or None where there is none.
        smallest, largest: height and width.
        odd_sizes, tiny, odd_colours: names of images with another size, with a side far below the median, and of those
            in colour among grey ones, or the other way round.
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
    """Find images that are there more than once, by a digest of their pixels; blank ones are counted elsewhere."""
    places = [(name, i) for name, split in splits.items() for i in range(len(split))]
    digests = np.frombuffer(
        b"".join(_digests(part) for split in splits.values() for part in chunks(split.images)), "V16"
    )
    blank = np.concatenate([np.zeros(0, bool), *(_each(is_blank, split) for split in splits.values())])
    labels = np.concatenate([split.labels for split in splits.values()]) if splits else np.zeros(0, np.int64)
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


def _each(figure: Callable[[np.ndarray], np.ndarray], split: Split) -> np.ndarray:
    """Return a figure of each image of a split, some of which are looked at at a time."""
    found = [figure(part) for part in chunks(split.images)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def _digests(images: np.ndarray) -> bytes:
    return b"".join([hashlib.blake2b(row, digest_size=16).digest() for row in _flat(np.ascontiguousarray(images))])


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def is_blank(images: np.ndarray) -> np.ndarray:
    """Return whether each image shows nothing: bool [n]."""
    flat = _flat(images)
    return flat.max(axis=1) - flat.min(axis=1) < BLANK


def find_odd(splits: Mapping[str, Split]) -> OddImages:
    """Find blank images, and written ones whose ink is bright on dark among dark on bright, or the other way round."""
    blank = {name: _each(is_blank, split) for name, split in splits.items()}
    bright = {name: _each(border_means, split) > 127.5 for name, split in splits.items()}
    flat = {name: _each(_border_spread, split) < FLAT for name, split in splits.items()}
    written = {name: flat[name] & ~blank[name] for name in splits}
    total, pages = sum(map(len, splits.values())), sum(int(w.sum()) for w in written.values())
    inverted: list[Place] = []
    if total and pages >= MOST_FLAT * total:
        usual = 2 * sum(int((bright[name] & written[name]).sum()) for name in splits) > pages
        inverted = [(name, int(i)) for name in splits for i in np.flatnonzero(written[name] & (bright[name] != usual))]
    return OddImages([(name, int(i)) for name in splits for i in np.flatnonzero(blank[name])], inverted)


def _border_spread(images: np.ndarray) -> np.ndarray:
    """Return the standard deviation along the border of each image, in its most varied channel: [n]."""
    lines = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    return lines.std(axis=1, dtype=np.float32).max(axis=1)


def find_odd_files(looked: ImageStatistics) -> Stored | None:
    """Find files of another size or kind of colour than the usual one; None where none was looked at."""
    if len(looked.names) == 0:
        return None
    sizes = np.stack([looked.heights, looked.widths], axis=1)
    kinds, counts = np.unique(sizes, axis=0, return_counts=True)
    usual = kinds[counts.argmax()] if counts.max() >= USUAL * len(sizes) else None
    shorter = sizes.min(axis=1)
    by_area = np.argsort(sizes.prod(axis=1), kind="stable")
    most_colour = looked.colour.mean() > 0.5
    one_kind = max(looked.colour.mean(), 1 - looked.colour.mean()) >= USUAL
    odd_size = (sizes != usual).any(axis=1) if usual is not None else np.zeros(len(sizes), bool)
    odd_colour = (looked.colour != most_colour) if one_kind else np.zeros(len(sizes), bool)
    return Stored(
        len(sizes),
        None if usual is None else tuple(usual.tolist()),
        tuple(sizes[by_area[0]].tolist()),
        tuple(sizes[by_area[-1]].tolist()),
        [looked.names[i] for i in np.flatnonzero(odd_size)],
        [looked.names[i] for i in np.flatnonzero(shorter < TINY * np.median(shorter))],
        [looked.names[i] for i in np.flatnonzero(odd_colour)],
        bool(most_colour),
    )
