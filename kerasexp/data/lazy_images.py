"""Images that are read when they are indexed, because all of them are too large for memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

# Images read or written at a time.
CHUNK_IMAGES, CHUNK_BYTES = 1000, 2**27


class LazyImages(ABC):
    """Images, uint8 [n, height, width, channels], that are indexed like an array and read when they are indexed.

    `np.asarray` reads all of them. Pickling, as for a process on another machine, turns them into an array.

    Args:
        count: number of stored images.
        shape: height, width and channels of an image.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, count: int, shape: tuple[int, ...]):
        self._positions, self._each = np.arange(count), shape

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), *self._each

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, key: Any) -> np.ndarray:
        wanted = self._positions[key]
        found = self._read(np.atleast_1d(wanted))
        return found if np.ndim(wanted) else found[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)

    def __reduce__(self):
        return np.asarray, (self[:],)

    def take(self, positions: np.ndarray) -> Self:
        """Return the images at these positions, in this order, without reading them."""
        taken = object.__new__(type(self))
        taken.__dict__ |= self.__dict__ | {"_positions": self._positions[positions]}
        return taken

    @abstractmethod
    def _read(self, stored: np.ndarray) -> np.ndarray:
        """Read the images at these positions among the stored ones, int64 [m]."""


def images_at_once(each: Sequence[int]) -> int:
    """Return how many images of a shape are held in memory at a time: up to `CHUNK_IMAGES`, and 128 MiB of them."""
    return max(min(CHUNK_IMAGES, CHUNK_BYTES // max(math.prod(each), 1)), 1)


def chunks(images: np.ndarray | LazyImages) -> Iterator[np.ndarray]:
    """Yield the images in order, some at a time."""
    size = images_at_once(images.shape[1:])
    for first in range(0, len(images), size):
        yield images[first : first + size]
