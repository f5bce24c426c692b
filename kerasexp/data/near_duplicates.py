"""Images of val and test that are nearly the same as one of train, as the frames of one video are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from kerasexp.config.section_base import one_line
from kerasexp.data.lazy_images import chunks

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import Split

# Side of the grey thumbnails that are compared; noise of a camera averages out in them.
SIDE = 16
# Images that are compared, spread over a split: of val and of test, and of train.
COMPARED, TRAIN = 200, 5000
# Two thumbnails are nearly the same if they differ by less than this part of their contrast. Of MNIST, of printed and written
# digits and of photographs, at most 3 % of the images have such a neighbour; of the frames of a video, most have.
NEAR = 0.15
# Least share of the compared images that have a neighbour in train, least number of them, and least contrast of each.
SHARE, FEWEST, CONTRAST = 0.2, 10, 8


def near_duplicates(splits: Mapping[str, Split]) -> str | None:
    """Return a sentence if many images of val and test have a near duplicate in train, else None.

    Equal images do not count; `shared_images` names them. A sample is compared, so that the time does not grow with the data.
    """
    train, train_names = _thumbnails(splits["train"], TRAIN)
    parts, example = [], None
    for name in ("val", "test"):
        if name not in splits or not len(splits[name]) or not len(train):
            continue
        found, names = _thumbnails(splits[name], COMPARED)
        neighbour, distance = _nearest(found, train)
        near = np.flatnonzero((distance > 0) & (distance < NEAR * found.std(axis=1)) & (found.std(axis=1) >= CONTRAST))
        if len(near) >= max(FEWEST, SHARE * len(found)):
            parts.append(f"{len(near):,} of {len(found):,} compared images of {name}")
            example = example or one_line(f"{names[near[0]]} is like {train_names[neighbour[near[0]]]}")
    if not parts:
        return None
    return (
        f"{' and '.join(parts)} are nearly the same as one of train ({example}), as frames of one video are: their metrics say "
        "little about new images; data.groups keeps images that belong together in one split, where splits are held out of train"
    )


def _thumbnails(split: Split, most: int) -> tuple[np.ndarray, list[str]]:
    """Return grey thumbnails of evenly spaced images, float32 [n, pixels], and their names."""
    sample = split.take(np.arange(0, len(split), max(-(-len(split) // most), 1)))
    found = np.empty((len(sample), SIDE * SIDE), np.float32)
    images = (image for part in chunks(sample.images) for image in part)
    for row, image in zip(found, images, strict=True):
        row[:] = cv2.resize(image.mean(axis=-1, dtype=np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
    return found, sample.names


def _nearest(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each image, the position of the nearest other and the root of the mean squared difference."""
    squares = (images**2).sum(axis=1)[:, np.newaxis] + (others**2).sum(axis=1) - 2 * images @ others.T
    position = squares.argmin(axis=1)
    # Computed again: of nearly equal images, the difference of squares has few correct digits.
    return position, np.sqrt(np.square(images - others[position]).mean(axis=1))
