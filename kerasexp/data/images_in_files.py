"""Images that are decoded and preprocessed whenever they are read, for data that outgrow memory and disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from kerasexp.backend import keep_freed_memory
from kerasexp.config.data_section import Preprocessing
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.lazy_images import LazyImages, images_at_once
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, Images, PassingFault
from kerasexp.errors import RunError


@dataclass
class FirstReading:
    """What is found when each stored image is read for the first time.

    Attributes:
        unread: bool [n], the images that were not read yet.
        count: number of the others.
        faults: position -> reason, of each image that cannot be read.
        is_remembered: whether an earlier process read every image.
        is_repeatable: whether the next start would find the same faults, and no image changed since its digest.
        failure: the last error of a thread, which TensorFlow reports as one of its own.
    """

    unread: np.ndarray
    count: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    is_remembered: bool = False
    is_repeatable: bool = True
    failure: RunError | None = None


class ImagesInFiles(LazyImages):
    """Stored images, uint8 [n, height, width, channels] as the preprocessing makes them; no decoded image is kept.

    Of an image that cannot be read, the first reading notes the reason and gives a black image; `readable` leaves it out. A
    later reading raises RunError.

    Args:
        stored: the images of a source.
        config: the preprocessing.
        progress: called with (done, total) as images are read for the first time.
        faults: position -> reason, if the stored images were all read before, in an earlier process.
    """

    def __init__(
        self,
        stored: Images,
        config: Preprocessing,
        progress: Callable[[int, int], None] | None = None,
        faults: dict[int, str] | None = None,
    ):
        super().__init__(len(stored), (*config.size, config.channels))
        keep_freed_memory()
        self._stored, self._config, self._progress = stored, config, progress
        self._first = FirstReading(np.full(len(stored), faults is None), 0, faults or {}, faults is not None)

    @property
    def framing(self) -> str:
        """How the preprocessing frames the images."""
        return self._config.framing

    @property
    def is_remembered(self) -> bool:
        """Whether an earlier process read every stored image."""
        return self._first.is_remembered

    @property
    def is_repeatable(self) -> bool:
        """Whether the next start would find the same faults, and no image changed while it was read."""
        return self._first.is_repeatable

    def readable(self) -> tuple[np.ndarray, dict[int, tuple[str, str]]]:
        """Read what was not read yet; return the positions of the images that can be read, and of the others name and reason."""
        rest = np.flatnonzero(self._first.unread)
        size = images_at_once(self._each)
        for start in range(0, len(rest), size):
            self._read(rest[start : start + size])
        broken = {position: (self._stored.names[position], reason) for position, reason in self._first.faults.items()}
        return np.setdiff1d(np.arange(len(self._stored)), list(broken)), dict(sorted(broken.items()))

    def read(self, positions: np.ndarray, crops: np.ndarray | None = None) -> np.ndarray:
        """Read images one after the other: for a pipeline, which reads several batches at once.

        Args:
            positions: int64 [m].
            crops: float32 [m, 4], what to keep of each stored image: top, left, bottom and right as fractions of what the
                framing shows.
        """
        found = np.empty((len(positions), *self._each), np.uint8)
        for number, position in enumerate(self._positions[positions]):
            found[number] = self._one(int(position), None if crops is None else crops[number])
        return found

    def _read(self, stored: np.ndarray) -> np.ndarray:
        found = np.empty((len(stored), *self._each), np.uint8)
        for number, image in enumerate(map_threads(self._one, stored.tolist())):
            found[number] = image
            if self._first.unread[stored[number]]:
                self._first.unread[stored[number]] = False
                self._first.count += 1
                if self._progress is not None:
                    self._progress(self._first.count, len(self._stored))
        return found

    def _one(self, position: int, crop: np.ndarray | None = None) -> np.ndarray:
        try:
            side = min_side_for(self._config)
            if side is not None and crop is not None:
                side = math.ceil(side / min(crop[2] - crop[0], crop[3] - crop[1]))
            return preprocess(self._stored.read(position, side), self._config, crop)
        except BrokenImage as broken:
            if not self._first.unread[position]:
                self._first.failure = RunError(f"{self._stored.names[position]}: {broken}")
                raise self._first.failure from None
            self._first.faults[position] = str(broken)
            self._first.is_repeatable = self._first.is_repeatable and not isinstance(broken, PassingFault)
            return np.zeros(self._each, np.uint8)


def crops_stored(images: np.ndarray | LazyImages) -> bool:
    """Return whether crops are cut from the stored images, not from the preprocessed ones.

    They are where images are decoded in every epoch; but `framing: center` needs the ink of the whole image.
    """
    return isinstance(images, ImagesInFiles) and images.framing != "center"


@contextmanager
def reading_errors(*images: np.ndarray | LazyImages) -> Iterator[None]:
    """Raise the error of an image that could not be read, in place of the one that TensorFlow makes of it.

    Raises:
        RunError: with the name of the file and the reason.
    """
    try:
        yield
    except Exception:
        failures = [own._first.failure for own in images if isinstance(own, ImagesInFiles)]
        failure = next((failure for failure in failures if failure is not None), None)
        if failure is None:
            raise
        raise failure from None
