"""Arrays of images that stay on disk because they are too large for memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from kerasexp.data.lazy_images import LazyImages

# Up to this many bytes of images are held in memory; copies for the splits and for TensorFlow come on top.
MAX_IN_MEMORY = 256 * 2**20


class ImagesOnDisk(LazyImages):
    """Images of an `.npy` file, uint8 [n, height, width, channels].

    Not a memory map: its pages would count as memory of this process once read. The file stays open, so deleting it does no
    harm.

    Args:
        file: uint8 images in version 1.0 of NumPy's format.

    Raises:
        ValueError: the file is not such an array, or is cut off.
        OSError: the file cannot be read.
    """

    def __init__(self, file: Path):
        self._file = file.open("rb", buffering=0)
        np.lib.format.read_magic(self._file)
        stored, in_columns, dtype = np.lib.format.read_array_header_1_0(self._file)
        self._begin, size = self._file.tell(), int(np.prod(stored))
        if dtype != self.dtype or in_columns or len(stored) != 4 or file.stat().st_size != self._begin + size:
            raise ValueError(f"{file} is not an array of uint8 images")
        super().__init__(stored[0], stored[1:])
        self._lock = threading.Lock()

    def _read(self, stored: np.ndarray) -> np.ndarray:
        found = np.empty((len(stored), *self._each), np.uint8)
        size = int(np.prod(self._each))
        rows = found.reshape(len(stored), size)
        # Adjacent images are read together.
        starts = np.flatnonzero(np.diff(stored, prepend=-2) != 1)
        with self._lock:
            for start, end in pairwise([*starts, len(stored)]):
                self._file.seek(self._begin + int(stored[start]) * size)
                rest = memoryview(rows[start:end]).cast("B")
                # A system reads at most 2 GiB in a call.
                while rest and (count := self._file.readinto(rest)):
                    rest = rest[count:]
                if rest:
                    raise OSError(f"{self._file.name} was cut off while it was in use")
        return found


class ImagesWriter:
    """Writes images to an `.npy` file when their number is known only at the end; use it in a `with` block.

    A thread of its own writes while the next images are decoded. An error is raised by the next call or at the end of the
    block.

    Args:
        file: the file to create.
        max_count: upper bound on the number of images.
        shape: height, width and channels of an image.
    """

    def __init__(self, file: Path, max_count: int, shape: tuple[int, ...]):
        self._file, self._count, self._shape = file.open("wb"), 0, shape
        self._thread, self._last = ThreadPoolExecutor(max_workers=1), None
        self._write_header(max_count)

    def write(self, images: np.ndarray) -> None:
        """Append images, uint8 [n, height, width, channels], which must not be modified afterwards."""
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
                # NumPy pads the header, so its length does not depend on the count.
                self._file.seek(0)
                self._write_header(self._count)

    def _write_header(self, count: int) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
