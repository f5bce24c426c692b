"""A source of a user's own: a function that returns images and labels, or splits of these."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerasexp.config.data_section import Data, DataSource
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.data.found_images import FoundImages, UnlistedFiles
from kerasexp.data.image_archive import Files
from kerasexp.data.image_files import source_from_files
from kerasexp.data.image_headers import START_BYTES, start_of
from kerasexp.data.source import BrokenImage, MissingData, Source, source_from_arrays
from kerasexp.data.sources.image_folder import SPLITS
from kerasexp.data.sources.npz import checked_arrays, source_of_flags
from kerasexp.data.sources.stored_labels import as_labels
from kerasexp.data.value_range import arrays_to_uint8
from kerasexp.errors import Problem, UserError, listing

WANTED = (
    "needed are (images, labels), or pairs of (path, bytes or array of an image, label), or a dict of these by split: "
    f"{listing(SPLITS)}"
)
FILES_OR_BYTES = (str, Path, bytes, bytearray, memoryview)


def load_custom(data: DataSource) -> Source:
    """Call a user's function, and make a source of what it returns.

    Raises:
        MissingData: it raised FileNotFoundError, and there is a stand-in.
        CodeError: it raised another exception.
        UserError: it returned something else than images and labels.
    """
    reference = data.source.reference
    called = f"{reference.file.name}:{reference.function}"
    try:
        parts = import_code(data.source)()
    except CodeError as error:
        if isinstance(error.__cause__, FileNotFoundError) and isinstance(data, Data) and data.offline is not None:
            raise MissingData(str(error)) from None
        raise
    splits = {split: _columns(part, f"{called}: {split}") for split, part in _by_split(parts, called).items()}
    if any(_are_files(images) for images, _, _ in splits.values()):
        if data.multi_label:
            message = f"{called} returned files; several labels an image are read from arrays, or from a table (source: table)"
            raise UserError(Problem(message, key="data.multi_label"))
        return _from_files(splits, called, data)
    arrays = {split: (_as_array(images, f"{called}: {split}"), labels) for split, (images, labels, _) in splits.items()}
    stored = [
        checked_arrays(images, _label_array(labels, f"{called}: {split}"), f"{called}: {split}", data.multi_label)
        for split, (images, labels) in arrays.items()
    ]
    converted, value_range = arrays_to_uint8([pixels for pixels, _ in stored], data.range)
    labelled = zip(converted, (labels for _, labels in stored), strict=True)
    made = source_of_flags if data.multi_label else source_from_arrays
    names = {split: _distinct(own, f"{called}: {split}") for split, (_, _, own) in splits.items()}
    return made(called, dict(zip(splits, labelled, strict=True)), data.class_names, value_range, names)


def _distinct(names: list[str] | None, called: str) -> list[str] | None:
    """Return the names of a split; raise UserError if two images have the same."""
    twice = [name for name, count in Counter(names or ()).items() if count > 1]
    if twice:
        raise UserError(Problem(f"{called}: two images have the name {twice[0]!r:.100}", key="data.source"))
    return names


def _label_array(labels: Any, called: str) -> np.ndarray:
    """Return labels as an array; raise UserError for lists of different lengths."""
    try:
        return np.asarray(labels)
    except ValueError:
        message = f"{called}: labels of different lengths; give one label an image, or [n, classes] of 0 and 1"
        raise UserError(Problem(message, key="data.source")) from None


def _by_split(parts: Any, called: str) -> dict[str, Any]:
    """Return what a function returned by split; without splits all of it is train."""
    if not isinstance(parts, dict):
        return {"train": parts}
    if not parts.keys() <= set(SPLITS) or "train" not in parts:
        raise UserError(
            Problem(f"{called} returned the splits {listing(parts) or 'none'}; {WANTED}", key="data.source")
        )
    return {split: parts[split] for split in SPLITS if split in parts}


def _columns(part: Any, called: str) -> tuple[Any, Any, list[str] | None]:
    """Return images, labels and, where they are given, names of a split, of which there may be columns or rows."""
    is_columns = isinstance(part, tuple) and len(part) == 2 and all(isinstance(p, list | np.ndarray) for p in part)
    if is_columns:
        images, labels = part
        if len(images) != len(labels):
            raise UserError(Problem(f"{called}: {len(images)} images and {len(labels)} labels", key="data.source"))
        return images, labels, None
    if not isinstance(part, Iterable) or isinstance(part, str | bytes | np.ndarray):
        raise UserError(Problem(f"{called}: got a {type(part).__name__}; {WANTED}", key="data.source"))
    rows = list(part)
    wrong = next((row for row in rows if not isinstance(row, tuple | list) or len(row) not in (2, 3)), None)
    if wrong is not None or not rows:
        found = "nothing" if not rows else f"{wrong!r:.80} among the pairs"
        raise UserError(Problem(f"{called}: got {found}; {WANTED}", key="data.source"))
    names = [str(row[2]) for row in rows] if all(len(row) == 3 for row in rows) else None
    return [row[0] for row in rows], [row[1] for row in rows], names


def _are_files(images: Any) -> bool:
    return len(images) > 0 and isinstance(images[0], FILES_OR_BYTES)


def _as_array(images: Any, called: str) -> np.ndarray:
    if isinstance(images, np.ndarray) and images.dtype != object:
        return images
    shapes = {np.shape(image) for image in images}
    if len(shapes) > 1:
        message = f"{called}: arrays of {len(shapes)} shapes, such as {listing(sorted(shapes), 3)}; give files, bytes or one shape"
        raise UserError(Problem(message, key="data.source"))
    return np.stack([np.asarray(image) for image in images]) if len(images) else np.zeros((0, 0, 0))


def _from_files(splits: dict[str, tuple[Any, Any, list[str] | None]], called: str, data: DataSource) -> Source:
    """Make a source of image files, and of bytes as they would stand in files."""
    contents: dict[str, Any] = {}
    listed: dict[str, dict[str, list[str]]] = {}
    for split, (images, labels, names) in splits.items():
        given = _label_array(labels, f"{called}: {split}")
        if given.ndim != 1:
            raise UserError(Problem(f"{called}: {split}: files have one label each, and no lists", key="data.source"))
        texts = as_labels(given, f"{called}: {split}", lambda position: f"image {position}")
        members: dict[str, list[str]] = {}
        for position, (image, label) in enumerate(zip(images, texts.tolist(), strict=True)):
            if not isinstance(image, FILES_OR_BYTES):
                message = f"{called}: {split}: image {position} is a {type(image).__name__}; others are files or bytes"
                raise UserError(Problem(message, key="data.source"))
            name = (
                names[position] if names else str(image) if isinstance(image, str | Path) else f"{split}/{position:05d}"
            )
            if contents.setdefault(name, image) is not image and contents[name] != image:
                raise UserError(Problem(f"{called}: two images have the name {name!r:.100}", key="data.source"))
            members.setdefault(label, []).append(name)
        listed[split] = members

    def read(name: str) -> bytes:
        if not isinstance(contents[name], str | Path):
            return bytes(contents[name])
        try:
            return Path(contents[name]).read_bytes()
        except OSError as error:
            raise BrokenImage(f"cannot be read: {error.strerror or error}") from None

    def head(name: str) -> bytes:
        if not isinstance(contents[name], str | Path):
            return bytes(contents[name][:START_BYTES])
        return start_of(contents[name])

    def digest_of(names: Iterable[str]) -> str:
        total, own = hashlib.sha256(), set(names)
        for name in (name for name in contents if name in own):
            try:
                content = read(name)
            except BrokenImage as broken:
                content = str(broken).encode()
            total.update(name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest())
        return total.hexdigest()

    files = Files(called, list(contents), [], [], [], read, head, digest_of)
    everything = UnlistedFiles(FoundImages(list(contents), list(contents), []), noun="label")
    return source_from_files(called, files, listed, data.class_names, data.range, everything)
