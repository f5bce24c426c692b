"""What is known of the splits of a run after every image was read once: a digest of all pixels, and notes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.file_accounting import none_readable
from kerasexp.data.image_cache import remember_faults, request_text
from kerasexp.data.images_in_files import ImagesInFiles
from kerasexp.data.images_in_two_splits import image_digest, shared_images
from kerasexp.data.lazy_images import LazyImages, chunks
from kerasexp.data.near_duplicates import near_duplicates
from kerasexp.data.source import Images, Source
from kerasexp.data.value_range import COUNTED, few_values
from kerasexp.environment import cache_folder
from kerasexp.errors import RunError
from kerasexp.storage import write_json

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import Split


@dataclass(frozen=True)
class PixelFacts:
    """What follows from the preprocessed images, their labels and their splits.

    Attributes:
        fingerprint: hexadecimal digest of the arrays of all splits.
        notes: sentences on images of few values, on images in two splits, and on near duplicates.
    """

    fingerprint: str
    notes: list[str]


def read_once(
    given: dict[str, Split],
    split_up: Callable[[dict[str, Split]], dict[str, Split]],
    source: Source,
    config: Preprocessing,
) -> tuple[dict[str, Split], PixelFacts, list[tuple[str, str]]]:
    """Split the images of a source and read all of them once.

    Images that are decoded in every epoch are read here for the first time. Those that cannot be read are left out, and the
    rest is split again, so that the splits are the same as with decoded images. What was found is kept for the next run.

    Args:
        given: the splits of the source.
        split_up: from them to the splits of the run.
        source: where they come from.
        config: the preprocessing.

    Returns:
        The splits of the run, their facts, and (name, reason) of each image that cannot be read.
    """
    splits, faults = split_up(given), []
    in_files = [split.images for split in given.values() if isinstance(split.images, ImagesInFiles)]
    if in_files and (found := RememberedFacts(splits, source, config).load()):
        return splits, found, faults
    fingerprint, digests = _digests(splits, source.class_names)
    readable = dict(given)
    for name, split in given.items():
        readable[name], broken = readable_part(split, source.splits[name], config)
        faults += broken
    if faults:
        splits = split_up(readable)
        fingerprint, digests = _digests(splits, source.class_names)
    facts = PixelFacts(fingerprint, list(_notes(splits, digests)))
    if in_files and all(images.is_repeatable for images in in_files):
        RememberedFacts(splits, source, config).save(facts)
    return splits, facts, faults


def readable_part(split: Split, stored: Images, config: Preprocessing) -> tuple[Split, list[tuple[str, str]]]:
    """Return the images of a split of a source that can be read, and (name, reason) of the others, which are remembered.

    Raises:
        UserError: none of the images can be read.
    """
    images = split.images
    if not isinstance(images, ImagesInFiles) or images.is_remembered:
        return split, []
    kept, broken = images.readable()
    if len(split) and not len(kept):
        raise none_readable(list(broken.values()))
    if images.is_repeatable:
        remember_faults(stored, config, {position: reason for position, (_, reason) in broken.items()})
    return split.take(kept), list(broken.values())


def _digests(splits: Mapping[str, Split], class_names: list[str]) -> tuple[str, dict[str, np.ndarray]]:
    """Read all images, one chunk at a time; return the fingerprint, and the digests of the images of each split."""
    total, digests = hashlib.sha256("\0".join(class_names).encode("utf-8", "surrogateescape")), {}
    for name, split in splits.items():
        total.update(f"{name} {split.images.shape}".encode())
        own: list[int] = []
        for images in map(np.ascontiguousarray, chunks(split.images)):
            total.update(images)
            own += map(image_digest, images)
        total.update(np.ascontiguousarray(split.labels))
        digests[name] = np.array(own, np.uint64)
    return total.hexdigest(), digests


def _notes(splits: Mapping[str, Split], digests: Mapping[str, np.ndarray]) -> Iterator[str]:
    found = few_values([_spread(split.images) for split in splits.values()])
    yield from filter(None, (found, shared_images(splits, digests), near_duplicates(splits)))


def _spread(images: np.ndarray | LazyImages) -> np.ndarray:
    """Return some images, evenly spaced."""
    return images[:: max(len(images) // COUNTED, 1)]


class RememberedFacts:
    """The facts of images that are decoded in every epoch, kept for the next run of the same splits.

    Args:
        splits: the splits of the run.
        source: the source of their images.
        config: the preprocessing.
    """

    def __init__(self, splits: Mapping[str, Split], source: Source, config: Preprocessing):
        request = hashlib.sha256("\0".join(source.class_names).encode("utf-8", "surrogateescape"))
        for images in source.splits.values():
            request.update(request_text(images, config))
        for name, split in splits.items():
            request.update("\0".join([name, *split.names]).encode("utf-8", "surrogateescape"))
            request.update(np.ascontiguousarray(split.labels))
        self._group, self._stored = cache_folder() / "facts" / request.hexdigest()[:32], source.splits.values()

    def load(self) -> PixelFacts | None:
        """Return the facts of the same splits, if their stored content is the same."""
        # The digest of the content may have to read all files.
        if self._group.is_dir():
            with suppress(OSError, ValueError, TypeError):
                return PixelFacts(**json.loads(self._file().read_text(encoding="utf-8")))
        return None

    def save(self, facts: PixelFacts) -> None:
        """Keep the facts, if the cache can be written."""
        with suppress(OSError, RunError):
            self._group.mkdir(parents=True, exist_ok=True)
            write_json(self._file(), asdict(facts))

    def _file(self) -> Path:
        digests = "\0".join(images.digest for images in self._stored)
        return self._group / f"{hashlib.sha256(digests.encode()).hexdigest()[:32]}.json"
