"""The result of loading a source: stored images with labels and names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.config.section_base import composed, name_fault
from kerasexp.data.file_accounting import Accounting
from kerasexp.errors import Problem, UserError, closest, listing

if TYPE_CHECKING:
    from kerasexp.data.value_range import ValueRange

# A larger image is refused because of its header, before any pixel is unpacked.
MAX_PIXELS = 100_000_000


class BrokenImage(Exception):
    """An image cannot be read; the message gives the reason."""


class WrongPixelCount(BrokenImage):
    """An image has no pixels, or more than `MAX_PIXELS`.

    `count` is their number; where it is not known, one that they exceed.
    """

    def __init__(self, message: str, count: int):
        super().__init__(message)
        self.count = count


class PassingFault(BrokenImage):
    """An image cannot be read here and now, for a cause outside of it; the next start may read it."""


class ChangedImage(PassingFault):
    """An image changed since the source was loaded, so its content does not match the digest."""


class MissingData(Exception):
    """The files of a source were not found and cannot be downloaded; the message lists the places searched.

    `key` is the experiment's key that names them, if it is not `path`.
    """

    def __init__(self, message: str, key: str | None = None):
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Images:
    """Stored images of one split.

    Attributes:
        names: one per image: its path in the folder or archive, or split and position for arrays.
        labels: int64 [n], positions in the source's class names; uint8 [n, classes] of 0 and 1 with several an image.
        read: returns the stored image at a position, uint8 [height, width, 1 or 3]. A second argument, the shortest side
            that suffices, allows downsampling as in `decode_image`. Raises BrokenImage.
        compute_digest: returns a hexadecimal digest of the stored content, independent of the labels. Cheaper after the
            images were decoded, because files are not read twice.
        array: all images as uint8 [n, height, width, channels], if they are in memory.
        value_range: the stored values that became 0..255; None if they are 0..255.
        groups: one per image, if the source has groups that stay in one split.
    """

    names: list[str]
    labels: np.ndarray
    read: Callable[..., np.ndarray]
    compute_digest: Callable[[], str]
    array: np.ndarray | None = None
    value_range: ValueRange | None = None
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def digest(self) -> str:
        """Hexadecimal digest of the stored content."""
        return self.compute_digest()

    def take(self, positions: np.ndarray) -> Images:
        """Return the images at these positions, in this order."""
        read = self.read
        return replace(
            self,
            names=[self.names[i] for i in positions],
            labels=self.labels[positions],
            read=lambda i, min_side=None: read(int(positions[i]), min_side),
            array=None if self.array is None else self._take_array(positions),
            groups=self.groups and [self.groups[i] for i in positions],
        )

    def _take_array(self, positions: np.ndarray) -> np.ndarray:
        # The usual case, all images in order, needs no copy.
        everything = len(positions) == len(self.array) and np.array_equal(positions, np.arange(len(positions)))
        return self.array if everything else self.array[positions]


@dataclass(frozen=True)
class Source:
    """A loaded source: its splits (`train`, optionally `val` and `test`) and its classes.

    `folders` maps a stored label, such as the folder `Sample001`, to its class name. `notes` are sentences about how the
    stored data were read, where they can be read in several ways. `accounting` says what became of the files of a folder or
    archive.
    """

    origin: str
    class_names: list[str]
    folders: dict[str, str]
    splits: dict[str, Images]
    notes: tuple[str, ...] = ()
    accounting: Accounting | None = None


def natural_key(text: str) -> tuple:
    """Sort key that puts `img2` before `img10`; no two texts have the same."""
    parts = re.split(r"(\d+)", text)
    return [_digits_key(part) if part.isdecimal() else (1, 0, part) for part in parts if part], text


def _digits_key(digits: str) -> tuple:
    # As text: Python refuses to convert more than 4,300 digits.
    plain = "".join(str(int(digit)) for digit in digits).lstrip("0")
    return 0, len(plain), plain


def resolve_classes(stored: Sequence[str], class_names: dict[str, str] | None) -> dict[str, str]:
    """Return stored label -> class name, in the order of `class_names`, or in natural order without it.

    Names are compared, and returned, in Unicode's composed form.

    Raises:
        UserError: `class_names` has a label that is not stored, or a label cannot be the name of a class.
    """
    found = sorted(set(stored), key=lambda label: (natural_key(composed(label)), label))
    for label in found:
        if fault := name_fault(label):
            raise UserError(Problem(f"the name {label!r:.100} of a class {fault}; rename its folder or label"))
    if class_names is None:
        return {label: composed(label) for label in found}
    alike: dict[str, list[str]] = {}
    for label in found:
        alike.setdefault(composed(label), []).append(label)
    absent = [name for name in class_names if composed(name) not in alike]
    if absent:
        message = f"'{absent[0]}' is not in the data{closest(absent[0], found)}; stored labels: {listing(found)}"
        raise UserError(Problem(message, key="data.class_names"))
    return {label: composed(class_names[name]) for name in class_names for label in alike[composed(name)]}


def require_two_classes(source: Source) -> None:
    """Raise UserError if there is only one class."""
    if len(source.class_names) < 2:
        names = listing(source.class_names)
        raise UserError(
            Problem(f"only one class ({names}); classification needs two. Each class is a folder or a label")
        )


def assign_labels(stored: np.ndarray, folders: dict[str, str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the positions whose stored label has a class, their labels, int64 [n], and the class names in order."""
    names = list(dict.fromkeys(folders.values()))
    places = {name: place for place, name in enumerate(names)}
    index = {label: places[name] for label, name in folders.items()}
    labels = np.array([index.get(str(label), -1) for label in stored], dtype=np.int64)
    kept = np.flatnonzero(labels >= 0)
    return kept, labels[kept], names


def _array_reader(images: np.ndarray) -> Callable[..., np.ndarray]:
    return lambda position, min_side=None: images[position]


def source_from_arrays(
    origin: str,
    splits: dict[str, tuple[np.ndarray, np.ndarray]],
    class_names: dict[str, str] | None,
    value_range: ValueRange | None = None,
    names: Mapping[str, list[str] | None] | None = None,
) -> Source:
    """Make a source of arrays in memory.

    Args:
        origin: where the images come from, for messages.
        splits: split -> (uint8 [n, height, width, channels], labels [n] of any type that can be converted to text).
        class_names: the key `data.class_names`.
        value_range: the stored values that became 0..255.
        names: of the images of a split, where they are given; otherwise numbers.
    """
    stored = {split: np.asarray(labels).astype(str) for split, (_, labels) in splits.items()}
    folders = resolve_classes(np.unique(np.concatenate(list(stored.values()))).tolist(), class_names)
    result, class_list = {}, []
    for split, (images, _) in splits.items():
        kept, labels, class_list = assign_labels(stored[split], folders)
        digest = hashlib.sha256(f"{images.shape}".encode())
        for start in range(0, len(images), 1000):  # in chunks, because an array that is not contiguous is copied
            digest.update(np.ascontiguousarray(images[start : start + 1000]))
        own = (names or {}).get(split) or [f"{split}/{i:05d}" for i in range(len(images))]
        unlabelled = np.zeros(len(images), np.int64)
        everything = Images(own, unlabelled, _array_reader(images), digest.hexdigest, images, value_range)
        result[split] = replace(everything.take(kept), labels=labels)
    return Source(origin, class_list, folders, result)
