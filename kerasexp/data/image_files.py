"""Sources of image files in any layout; a file is decoded when it is read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial

import numpy as np

from kerasexp.config.section_base import one_line
from kerasexp.data.found_images import FileLists, UnlistedFiles, account_for
from kerasexp.data.image_archive import Files
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.image_formats import supported_format
from kerasexp.data.pillow_decoding import count_images, has_16_bits
from kerasexp.data.png_decoding import upper_bits
from kerasexp.data.source import BrokenImage, Images, Source, assign_labels, resolve_classes
from kerasexp.data.value_range import KEY, UPPER_HALF, OutsideRange, ValueRange, file_range, lone_file_to_uint8
from kerasexp.errors import Problem, UserError

# Number of files, spread over the source, from which the range of values and the number of pages are found.
SAMPLE = 100
# Formats, by Pillow's names, whose files may hold several images.
SEVERAL_IMAGES = ("TIFF", "GIF", "WEBP", "AVIF", "HEIF")
NOTHING_UNLISTED = UnlistedFiles()


def source_from_files(
    origin: str,
    files: Files,
    listed: FileLists,
    class_names: dict[str, str] | None,
    given_range: list[float] | None = None,
    unlisted: UnlistedFiles = NOTHING_UNLISTED,
) -> Source:
    """Make a source of image files.

    Reading a file that was modified or removed after the listing raises ChangedImage.

    Args:
        origin: where the images come from, for messages.
        files: the folder or archive.
        listed: the image files of each split and stored label.
        class_names: stored label -> class, in the order of the classes; other labels are left out.
        given_range: the key `data.range`.
        unlisted: what is known of the other files.

    Raises:
        UserError: see `resolve_classes` and `find_range`.
    """
    folders = resolve_classes([label for members in listed.values() for label in members], class_names)
    paths = {split: [p for label in folders for p in members.get(label, [])] for split, members in listed.items()}

    every = [path for of_split in paths.values() for path in of_split]
    files = replace(files, head=cache(files.head))  # range and pages are found in the same files
    value_range, note = find_range(files, every, given_range), several_images(every, files.head, files.read)
    to_uint8 = file_conversion(value_range)

    def read(path: str, min_side: int | None) -> np.ndarray:
        return decode_image(files.read(path), min_side, to_uint8)

    splits, names = {}, []
    for split, of_split in paths.items():
        _, classes, names = assign_labels(np.array(list(folders)), folders)
        labels = np.repeat(classes, np.array([len(listed[split].get(label, [])) for label in folders], np.int64))
        reader = _by_position(read, of_split)
        digest = cache(partial(files.digest_of, of_split))
        splits[split] = Images(of_split, labels, reader, digest, value_range=value_range)
    accounting = account_for(files, listed, folders, unlisted)
    return Source(origin, names, folders, splits, () if note is None else (note,), accounting)


def file_conversion(value_range: ValueRange | None) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that converts the samples of a file, uint8 or uint16, to uint8.

    Args:
        value_range: that of the source, or of the training of a checkpoint.
    """
    return (
        value_range.file_to_uint8
        if value_range is not None and value_range.applies_to_16_bit_files
        else lone_file_to_uint8
    )


def find_range(files: Files, paths: list[str], given: list[float] | None) -> ValueRange | None:
    """Return the range of image files, found in a sample of them; None if it is 0..255, as for all files of 8 bits.

    Without a given range, only files of 16 bits are decoded.

    Raises:
        UserError: a file lies outside the given range, or none has 16 bits and the range needs more than 8; without a given
            range, see `file_range`.
    """
    sample = _sample(paths)
    deep = [path for path in sample if has_16_bits(files.head(path), partial(files.read, path))]
    if given is None:
        return _detected(files, deep) if deep else None
    value_range = ValueRange(*given, "given", "files")
    if not deep and value_range.high > 255:
        message = f"got {given}, and the files have 8 bits, whose values are 0 to 255 ({len(sample)} examined)"
        raise UserError(Problem(message, files.origin, KEY))
    for path in deep if value_range.high > 255 else sample:
        try:
            decode_image(files.read(path), None, value_range.file_to_uint8)
        except OutsideRange as outside:
            raise UserError(Problem(str(outside), f"{files.origin}: {path}", KEY)) from None
        except BrokenImage:
            continue
    return value_range


def _sample(paths: list[str]) -> list[str]:
    """Return some paths, evenly spaced."""
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(len(paths), SAMPLE)).astype(int)]


def several_images(names: list[str], head: Callable[[str], bytes], read: Callable[[str], bytes]) -> str | None:
    """Return a sentence if files in a sample have several pages or frames, of which the first is used; else None.

    Args:
        names: of all files.
        head, read: return the first bytes of a file, and all of them.
    """
    sample, several = _sample(names), []
    for name in sample:
        with suppress(BrokenImage, OSError):
            if supported_format(head(name)) in SEVERAL_IMAGES and (count := count_images(read(name))) > 1:
                several.append((name, count))
    if not several:
        return None
    name, count = several[0]
    return (
        f"{len(several):,} of {len(sample):,} examined files have several pages or frames, such as {one_line(name)} with "
        f"{count:,}; the first of each is used"
    )


def _detected(files: Files, deep: list[str]) -> ValueRange | None:
    """Return the range of files of 16 bits; None if none of them can be read."""
    extremes: list[tuple[int, int, str]] = []
    for path in deep:

        def note(values: np.ndarray, path: str = path) -> np.ndarray:
            extremes.append((int(values.max()), int(values.min()), path))
            return upper_bits(values)

        with suppress(BrokenImage):
            decode_image(files.read(path), None, note)
        if extremes and extremes[-1][0] >= UPPER_HALF:
            break
    if not extremes:
        return None
    high, _, path = max(extremes)
    return file_range(min(low for _, low, _ in extremes), high, f"{files.origin}: {path}", len(extremes))


def _by_position(read: Callable[[str, int | None], np.ndarray], paths: list[str]) -> Callable[..., np.ndarray]:
    return lambda position, min_side=None: read(paths[position], min_side)
