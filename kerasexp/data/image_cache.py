"""Images decoded and preprocessed once, packed as uint8, and kept under a key of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.config.data import Preprocessing
from kerasexp.data.disk_arrays import CHUNK_IMAGES, MAX_IN_MEMORY, ImagesOnDisk, ImagesWriter
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, ChangedImage, Images
from kerasexp.data.thread_pool import map_threads
from kerasexp.environment import cache_folder
from kerasexp.errors import RunError
from kerasexp.storage import replace_folder, temporary_folder, write_text

# Part of every key: raise it when decoding or preprocessing gives other pixels than before.
VERSION = 4
IMAGES, META = "images.npy", "meta.json"


@dataclass(frozen=True)
class DecodedImages:
    """Preprocessed images.

    Attributes:
        images: uint8 [n, height, width, channels]; on disk where they are many.
        kept: int64 [n], the position of each in what was packed; those that are missing could not be read.
        faults: (name, reason) of each image that could not be read.
    """

    images: np.ndarray | ImagesOnDisk
    kept: np.ndarray
    faults: list[tuple[str, str]]


def decode_cached(
    images: Images, how: Preprocessing, progress: Callable[[int, int], None] | None = None
) -> DecodedImages:
    """Decode and preprocess images, or read them from the cache where that was done before.

    A cache that cannot be written costs the next run its time, and this one nothing but memory. Nothing is kept where an
    image changed while it was read: the key is a digest of what was there before.

    Args:
        images: what to pack.
        how: the preprocessing.
        progress: called with (done, all) as images are decoded; not called when they come from the cache.
    """
    group, found = cache_folder() / "packed" / _group(images, how), None
    # Where none of these names was packed before, nothing needs to be read for a digest first, and then once more.
    if group.is_dir():
        found = _read(group / _content(images), len(images), (*how.size, how.channels))
    if found is None and is_large(len(images), how):
        found = _pack_on_disk(group, images, how, progress)
    if found is None:
        found, at_rest = _decoded(images, how, range(len(images)), progress)
        if at_rest:
            _write(group, images, found)
    return found


def is_large(count: int, how: Preprocessing) -> bool:
    """Return whether so many preprocessed images stay on disk."""
    return count * how.size[0] * how.size[1] * how.channels > MAX_IN_MEMORY


def _group(images: Images, how: Preprocessing) -> str:
    """Return what is known of a pack before any image is read."""
    told = json.dumps([VERSION, how.model_dump(mode="json"), images.names])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _content(images: Images) -> str:
    return hashlib.sha256(images.digest.encode()).hexdigest()[:32]


def _decoded(
    images: Images, how: Preprocessing, positions: range, progress: Callable[[int, int], None] | None
) -> tuple[DecodedImages, bool]:
    """Return all at these positions that can be read, and whether everything was as it is in the digest."""
    decoded, min_side = np.empty((len(positions), *how.size, how.channels), np.uint8), min_side_for(how)

    def one(position: int) -> BrokenImage | None:
        try:
            decoded[position - positions.start] = preprocess(images.read(position, min_side), how)
        except BrokenImage as broken:
            return broken
        return None

    faults, kept, at_rest = [], [], True
    for position, fault in zip(positions, map_threads(one, positions), strict=True):
        if fault is None:
            kept.append(position)
        else:
            faults.append((images.names[position], str(fault)))
            at_rest = at_rest and not isinstance(fault, ChangedImage)
        if progress is not None:
            progress(position + 1, len(images))
    kept = np.array(kept, dtype=np.int64)
    return DecodedImages(decoded[kept - positions.start] if faults else decoded, kept, faults), at_rest


def _pack_on_disk(
    group: Path, images: Images, how: Preprocessing, progress: Callable[[int, int], None] | None
) -> DecodedImages | None:
    """Decode into a file, some images at a time; return None where it cannot be written."""
    kept, faults, all_at_rest = [], [], True
    with suppress(OSError), temporary_folder(group) as temporary:
        with ImagesWriter(temporary / IMAGES, len(images), (*how.size, how.channels)) as file:
            for first in range(0, len(images), CHUNK_IMAGES):
                positions = range(first, min(first + CHUNK_IMAGES, len(images)))
                part, at_rest = _decoded(images, how, positions, progress)
                file.write(part.images)
                kept.append(part.kept)
                faults += part.faults
                all_at_rest = all_at_rest and at_rest
        found = DecodedImages(ImagesOnDisk(temporary / IMAGES), np.concatenate(kept), faults)
        if all_at_rest:
            _put(temporary, group, images, found)
        return found
    return None


def _read(folder: Path, count: int, shape: tuple[int, ...]) -> DecodedImages | None:
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        kept = np.array(meta["kept"], dtype=np.int64)
        large = len(kept) * int(np.prod(shape)) > MAX_IN_MEMORY
        images = ImagesOnDisk(folder / IMAGES) if large else np.load(folder / IMAGES, allow_pickle=False)
        right = images.dtype == np.uint8 and images.shape == (len(kept), *shape)
        if right and (len(kept) == 0 or (kept.min() >= 0 and kept.max() < count)):
            return DecodedImages(images, kept, [tuple(fault) for fault in meta["faults"]])
    except Exception:
        pass  # not there, or damaged in any of the ways that NumPy and json have words for: it is made anew
    return None


def _write(group: Path, images: Images, packed: DecodedImages) -> None:
    with suppress(OSError), temporary_folder(group) as temporary:
        np.save(temporary / IMAGES, packed.images, allow_pickle=False)
        _put(temporary, group, images, packed)


def _put(temporary: Path, group: Path, images: Images, packed: DecodedImages) -> None:
    """Say what the images in a temporary folder are, and give it its name."""
    with suppress(OSError, RunError):  # another process was first, or the disk is full
        write_text(temporary / META, json.dumps({"kept": packed.kept.tolist(), "faults": packed.faults}))
        replace_folder(group / _content(images), temporary)
