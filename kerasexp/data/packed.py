"""Pictures decoded and preprocessed once, packed as uint8, and kept under a key of their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.config.data import Preprocessing
from kerasexp.data.pictures import BrokenPicture, ChangedPicture, Pictures
from kerasexp.data.preprocessing import enough_for, preprocess
from kerasexp.data.threads import in_threads

# Part of every key: raise it when decoding or preprocessing gives other pixels than before.
VERSION = 4


@dataclass(frozen=True)
class Packed:
    """Preprocessed pictures.

    Attributes:
        images: uint8 [n, height, width, channels].
        kept: int64 [n], the position of each in what was packed; those that are missing could not be read.
        faults: (name, reason) of each picture that could not be read.
    """

    images: np.ndarray
    kept: np.ndarray
    faults: list[tuple[str, str]]


def cache_folder() -> Path:
    """Return the folder of packed pictures: $KERASEXP_CACHE, or `kerasexp` in the user's cache folder."""
    own = os.environ.get("KERASEXP_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerasexp"


def pack(pictures: Pictures, how: Preprocessing, progress: Callable[[int, int], None] | None = None) -> Packed:
    """Decode and preprocess pictures, or read them from the cache where that was done before.

    A cache that cannot be written costs the next run its time, and this one nothing. Nothing is kept where a picture changed
    while it was read: the key is a digest of what was there before.

    Args:
        pictures: what to pack.
        how: the preprocessing.
        progress: called with (done, all) as pictures are decoded; not called when they come from the cache.
    """
    folder = cache_folder() / "packed" / _key(pictures, how)
    found = _read(folder, len(pictures), (*how.size, how.channels))
    if found is not None:
        return found
    packed, at_rest = _decode_all(pictures, how, progress)
    if at_rest:
        _write(folder, packed)
    return packed


def _key(pictures: Pictures, how: Preprocessing) -> str:
    content = json.dumps([VERSION, pictures.digest, how.model_dump(mode="json"), pictures.names])
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _decode_all(
    pictures: Pictures, how: Preprocessing, progress: Callable[[int, int], None] | None
) -> tuple[Packed, bool]:
    """Return all that can be read, and whether everything was as it is in the digest."""
    images, enough = np.empty((len(pictures), *how.size, how.channels), np.uint8), enough_for(how)

    def one(position: int) -> BrokenPicture | None:
        try:
            images[position] = preprocess(pictures.read(position, enough), how)
        except BrokenPicture as broken:
            return broken
        return None

    faults, kept, at_rest = [], [], True
    for position, fault in enumerate(in_threads(one, range(len(pictures)))):
        if fault is None:
            kept.append(position)
        else:
            faults.append((pictures.names[position], str(fault)))
            at_rest = at_rest and not isinstance(fault, ChangedPicture)
        if progress is not None:
            progress(position + 1, len(pictures))
    kept = np.array(kept, dtype=np.int64)
    return Packed(images[kept] if faults else images, kept, faults), at_rest


def _read(folder: Path, count: int, shape: tuple[int, ...]) -> Packed | None:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        images = np.load(folder / "images.npy", allow_pickle=False)
        kept = np.array(meta["kept"], dtype=np.int64)
        right = images.dtype == np.uint8 and images.shape == (len(kept), *shape)
        if right and (len(kept) == 0 or (kept.min() >= 0 and kept.max() < count)):
            return Packed(images, kept, [tuple(fault) for fault in meta["faults"]])
    except Exception:
        pass  # not there, or damaged in any of the ways that NumPy and json have words for: it is made anew
    return None


def _write(folder: Path, packed: Packed) -> None:
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        np.save(temporary / "images.npy", packed.images, allow_pickle=False)
        meta = {"kept": packed.kept.tolist(), "faults": packed.faults}
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(temporary, folder)
    except (OSError, UnicodeEncodeError):
        pass  # another process was first, or the disk is full or read-only
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
