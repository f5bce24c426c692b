"""Decoded and preprocessed images, cached under a key of their content and their preprocessing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.disk_arrays import MAX_IN_MEMORY, ImagesOnDisk, ImagesWriter
from kerasexp.data.images_in_files import ImagesInFiles
from kerasexp.data.lazy_images import LazyImages, images_at_once
from kerasexp.data.preprocessing import min_side_for, preprocess
from kerasexp.data.source import BrokenImage, Images, PassingFault
from kerasexp.environment import cache_folder, missing_of
from kerasexp.errors import RunError
from kerasexp.storage import replace_folder, temporary_folder, write_json, write_text

# Part of every key: raise it whenever decoding or preprocessing gives different pixels.
VERSION = 7
IMAGES, META = "images.npy", "meta.json"
Cache = Literal["packed", "memory", "none"]


@dataclass(frozen=True)
class DecodedImages:
    """Preprocessed images.

    Attributes:
        images: uint8 [n, height, width, channels]; on disk if they are many.
        kept: int64 [n], position of each among the stored images; those left out could not be read.
        faults: (name, reason) of each image that could not be read.
    """

    images: np.ndarray | LazyImages
    kept: np.ndarray
    faults: list[tuple[str, str]]


def decode_cached(
    images: Images,
    config: Preprocessing,
    progress: Callable[[int, int], None] | None = None,
    cache: Cache = "packed",
) -> DecodedImages:
    """Decode and preprocess images, or load them from the cache.

    If the cache cannot be written, the images stay in memory and the next run decodes them again. Nothing is cached if an
    image changed while it was read, because the key is a digest of the content before, or if a fault may pass, as one of the
    disk does.

    Args:
        images: the stored images.
        config: the preprocessing.
        progress: called with (done, total) while images are decoded; not called if they come from the cache.
        cache: as the key `data.cache`. With `none`, no image is decoded here: `remember_faults` is called after the first
            reading.
    """
    if cache == "memory":
        return _decode(images, config, range(len(images)), progress)[0]
    group, found = cache_folder() / "images" / _request_key(images, config), None
    if cache == "none":
        return _in_files(group, images, config, progress)
    # The digest reads all files. It is needed first only if a set of images with these names was cached before.
    if group.is_dir():
        found = _load(group / _content_key(images), len(images), (*config.size, config.channels))
    if found is None and is_large(len(images), config):
        found = _decode_to_disk(group, images, config, progress)
    if found is None:
        found, lasting = _decode(images, config, range(len(images)), progress)
        if lasting:
            _save(group, images, found)
    return found


def _in_files(
    group: Path, images: Images, config: Preprocessing, progress: Callable[[int, int], None] | None
) -> DecodedImages:
    """Return images that are decoded when they are read, without those that an earlier process could not read."""
    everything = np.arange(len(images))
    if group.is_dir() and (faults := _load_faults(group / f"{_content_key(images)}.json", len(images))) is not None:
        kept = np.setdiff1d(everything, list(faults))
        named = [(images.names[position], reason) for position, reason in faults.items()]
        return DecodedImages(ImagesInFiles(images, config, progress, faults).take(kept), kept, named)
    return DecodedImages(ImagesInFiles(images, config, progress), everything, [])


def _load_faults(file: Path, count: int) -> dict[int, str] | None:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        faults = {
            int(position): str(reason) for position, reason in json.loads(file.read_text(encoding="utf-8")).items()
        }
        return faults if all(0 <= position < count for position in faults) else None
    return None


def remember_faults(images: Images, config: Preprocessing, faults: Mapping[int, str]) -> None:
    """Keep which images cannot be read, by position, so that with `data.cache: none` the next run need not read all of them."""
    group = cache_folder() / "images" / _request_key(images, config)
    with suppress(OSError, RunError):  # without a writable cache, the next run reads them again
        group.mkdir(parents=True, exist_ok=True)
        write_json(group / f"{_content_key(images)}.json", dict(faults))


def is_large(count: int, config: Preprocessing) -> bool:
    """Return whether this many preprocessed images stay on disk."""
    return count * config.size[0] * config.size[1] * config.channels > MAX_IN_MEMORY


def request_text(images: Images, config: Preprocessing) -> bytes:
    """Return what is known before any image is read: version, preprocessing, range of values, names, and what reads HEIC."""
    value_range = None if images.value_range is None else images.value_range.bounds
    # An image that was left out for want of the package is read once that is there.
    extras = [] if missing_of("heic") else ["heic"]
    text = json.dumps([VERSION, config.model_dump(mode="json"), value_range, images.names, *extras])
    return text.encode("utf-8", "surrogateescape")


def _request_key(images: Images, config: Preprocessing) -> str:
    return hashlib.sha256(request_text(images, config)).hexdigest()[:32]


def _content_key(images: Images) -> str:
    return hashlib.sha256(images.digest.encode()).hexdigest()[:32]


def _decode(
    images: Images, config: Preprocessing, positions: range, progress: Callable[[int, int], None] | None
) -> tuple[DecodedImages, bool]:
    """Decode the readable images at these positions; also return whether the next start would find the same."""
    decoded, min_side = np.empty((len(positions), *config.size, config.channels), np.uint8), min_side_for(config)

    def one(position: int) -> BrokenImage | None:
        try:
            decoded[position - positions.start] = preprocess(images.read(position, min_side), config)
        except BrokenImage as broken:
            return broken
        return None

    faults, kept, lasting = [], [], True
    for position, fault in zip(positions, map_threads(one, positions), strict=True):
        if fault is None:
            kept.append(position)
        else:
            faults.append((images.names[position], str(fault)))
            lasting = lasting and not isinstance(fault, PassingFault)
        if progress is not None:
            progress(position + 1, len(images))
    kept = np.array(kept, dtype=np.int64)
    return DecodedImages(decoded[kept - positions.start] if faults else decoded, kept, faults), lasting


def _decode_to_disk(
    group: Path, images: Images, config: Preprocessing, progress: Callable[[int, int], None] | None
) -> DecodedImages | None:
    """Decode into a file, some images at a time; return None if it cannot be written."""
    kept, faults, all_lasting, size = [], [], True, images_at_once((*config.size, config.channels))
    with suppress(OSError), temporary_folder(group) as temporary:
        with ImagesWriter(temporary / IMAGES, len(images), (*config.size, config.channels)) as file:
            for first in range(0, len(images), size):
                positions = range(first, min(first + size, len(images)))
                part, lasting = _decode(images, config, positions, progress)
                file.write(part.images)
                kept.append(part.kept)
                faults += part.faults
                all_lasting = all_lasting and lasting
        found = DecodedImages(ImagesOnDisk(temporary / IMAGES), np.concatenate(kept), faults)
        if all_lasting:
            _move_into_cache(temporary, group, images, found)
        return found
    return None


def _load(folder: Path, count: int, shape: tuple[int, ...]) -> DecodedImages | None:
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        kept = np.array(meta["kept"], dtype=np.int64)
        large = len(kept) * int(np.prod(shape)) > MAX_IN_MEMORY
        images = ImagesOnDisk(folder / IMAGES) if large else np.load(folder / IMAGES, allow_pickle=False)
        right = images.dtype == np.uint8 and images.shape == (len(kept), *shape)
        if right and (len(kept) == 0 or (kept.min() >= 0 and kept.max() < count)):
            return DecodedImages(images, kept, [tuple(fault) for fault in meta["faults"]])
    except Exception:
        pass  # missing or damaged, for which NumPy and json raise many types: decode again
    return None


def _save(group: Path, images: Images, decoded_images: DecodedImages) -> None:
    with suppress(OSError), temporary_folder(group) as temporary:
        np.save(temporary / IMAGES, decoded_images.images, allow_pickle=False)
        _move_into_cache(temporary, group, images, decoded_images)


def _move_into_cache(temporary: Path, group: Path, images: Images, decoded_images: DecodedImages) -> None:
    """Add the metadata to a temporary folder of images and move it into the cache."""
    with suppress(OSError, RunError):  # another process was faster, or the disk is full
        write_text(
            temporary / META, json.dumps({"kept": decoded_images.kept.tolist(), "faults": decoded_images.faults})
        )
        replace_folder(group / _content_key(images), temporary)
