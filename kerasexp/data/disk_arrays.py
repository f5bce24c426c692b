"""Images that stay on disk, where they are more than should lie in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

# Images of so many bytes, and no more, are held in memory. Copies of the splits, and TensorFlow's own, come to that.
MAX_IN_MEMORY = 256 * 2**20
# So many are looked at or written at a time.
CHUNK_IMAGES = 1000


class ImagesOnDisk:
    """uint8 [n, height, width, channels] of an `.npy` file, indexed as an array is, and read where they are asked for.

    It is no memory map, whose pages count as this process's memory once they have been read. The file is held open, so that
    whoever deletes it takes nothing away. In another process, such as one of another machine, it is an array.

    Args:
        file: holds uint8 images; version 1.0 of NumPy's format.
        positions: int64 [n], which of them, in this order; None for all.

    Raises:
        ValueError: the file is something else, or cut off.
        OSError: it cannot be read.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, file: Path):
        self._file = file.open("rb", buffering=0)
        np.lib.format.read_magic(self._file)
        stored, in_columns, dtype = np.lib.format.read_array_header_1_0(self._file)
        self._begin, self._each = self._file.tell(), stored[1:]
        size = self._begin + int(np.prod(stored))
        if dtype != self.dtype or in_columns or len(stored) != 4 or file.stat().st_size != size:
            raise ValueError(f"{file} holds no images")
        self._positions = np.arange(stored[0])
        self._one_at_a_time = threading.Lock()

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

    def take(self, positions: np.ndarray) -> ImagesOnDisk:
        """Return the images at these positions, in this order, without reading them."""
        taken = object.__new__(ImagesOnDisk)
        taken.__dict__ |= self.__dict__ | {"_positions": self._positions[positions]}
        return taken

    def _read(self, wanted: np.ndarray) -> np.ndarray:
        found = np.empty((len(wanted), *self._each), np.uint8)
        size = int(np.prod(self._each))
        rows = found.reshape(len(wanted), size)
        # Neighbours in the file are read at once.
        starts = np.flatnonzero(np.diff(wanted, prepend=-2) != 1)
        with self._one_at_a_time:
            for start, end in pairwise([*starts, len(wanted)]):
                self._file.seek(self._begin + int(wanted[start]) * size)
                if self._file.readinto(rows[start:end]) != (end - start) * size:
                    raise OSError(f"{self._file.name} is shorter than it was")
        return found


def chunks(images: np.ndarray | ImagesOnDisk) -> Iterator[np.ndarray]:
    """Yield images, some at a time, in their order."""
    for first in range(0, len(images), CHUNK_IMAGES):
        yield images[first : first + CHUNK_IMAGES]


class ImagesWriter:
    """Writes images to an `.npy` file whose number is known only at the end; used in a `with` block.

    It writes in a thread of its own, so that the next ones are decoded meanwhile; what fails is raised by the next call, or
    at the end of the block.

    Args:
        file: to make.
        most: how many there are at most.
        each: height, width and channels.
    """

    def __init__(self, file: Path, most: int, each: tuple[int, ...]):
        self._file, self._count, self._each = file.open("wb"), 0, each
        self._thread, self._last = ThreadPoolExecutor(max_workers=1), None
        self._header(most)

    def write(self, images: np.ndarray) -> None:
        """Append images, uint8 [n, height, width, channels], which must not be changed afterwards."""
        self._wait()
        self._last = self._thread.submit(self._file.write, np.ascontiguousarray(images))
        self._count += len(images)

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def __enter__(self) -> ImagesWriter:
        return self

    def __exit__(self, *error: object) -> None:
        with self._file, self._thread:
            if error[0] is None:
                self._wait()
                # NumPy's header has room for any number, so that it stays as long as it was.
                self._file.seek(0)
                self._header(self._count)

    def _header(self, count: int) -> None:
        described = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._each)}
        np.lib.format.write_array_header_1_0(self._file, described)
