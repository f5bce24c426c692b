"""Limits of what is computed from predictions, so that time and memory stay bounded with classes and images.

All limits lie above 60,000 images of 200 classes, which are computed in full.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Most probabilities (images times classes) that are copied or sorted at a time: 128 MiB as float64.
SCORES = 2**24
# Probabilities in one chunk, where there are more than `SCORES`.
CHUNK = 2**22
# Most cells that a bootstrap draws over all resamples; the usual and the smallest number of resamples.
DRAWN_CELLS, RESAMPLES, FEWEST_RESAMPLES = 2**26, 1000, 100
# Most classes with a full confusion matrix; of more, only the filled cells are kept, and plots show blocks of classes.
DENSE_CLASSES = 1000
# Most images whose neighbours are searched for, and most images to search among.
NEIGHBOURS_SEARCHED = 60_000


def most_images(classes: int) -> int:
    """Return how many images of so many classes have at most `SCORES` probabilities."""
    return max(SCORES // max(classes, 1), 1)


def sampled_positions(count: int, most: int, seed: int = 0) -> np.ndarray:
    """Return int64 ascending positions of at most `most` of `count` images, drawn at random."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng((seed, 21)).permutation(count)[:most])


def row_slices(count: int, classes: int) -> Iterator[slice]:
    """Yield slices of images: one of all if they have at most `SCORES` probabilities, else of `CHUNK` probabilities each."""
    step = max(count, 1) if count * classes <= SCORES else max(CHUNK // classes, 1)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def resamples_of(cells: int) -> int:
    """Return the number of resamples of a bootstrap over so many filled cells."""
    return int(np.clip(DRAWN_CELLS // max(cells, 1), FEWEST_RESAMPLES, RESAMPLES))


def resample_chunks(cells: int) -> Iterator[int]:
    """Yield how many resamples to draw at a time; they add up to `resamples_of(cells)`."""
    left, step = resamples_of(cells), max(CHUNK // max(cells, 1), 1)
    while left > 0:
        yield min(step, left)
        left -= step


def sampled_note(what: str, count: int, total: int) -> str:
    """Return the sentence that says that something was computed on a sample."""
    return f"{what}: computed on {count:,} of {total:,} predictions, drawn at random."
