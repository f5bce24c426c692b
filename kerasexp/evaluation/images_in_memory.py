"""Images in memory to classify: arrays of any size, and Pillow's images."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from kerasexp.config.yaml_paths import with_home
from kerasexp.data.value_range import BYTES, StoredPixels, UnknownRange, ValueRange, arrays_to_uint8
from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.file_predictions import ImageFile, StoredImage, image_files

# Of an array with three axes, a last axis of this many values is that of the channels; the second ones include alpha.
CHANNELS, WITH_ALPHA = (1, 3), (2, 4)
# Modes of Pillow's images that a PNG file can have.
PNG_MODES = ("1", "L", "LA", "I;16", "I;16B", "P", "RGB", "RGBA")


@dataclass(frozen=True)
class ArrayImage:
    """One image, uint8 or uint16 [height, width, 1 or 3]; that of 16 bits has the range of files."""

    name: str
    values: np.ndarray

    def pixels(self, min_side: int | None, to_uint8: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the image as uint8; raise BrokenImage if its range is not known."""
        return self.values if self.values.dtype == np.uint8 else to_uint8(self.values)


def images_of(given: Any, value_range: ValueRange | None) -> list[StoredImage]:
    """Return the images in paths, arrays and Pillow's images, one of them or several.

    Args:
        given: what a user gave.
        value_range: that of the checkpoint's training; arrays have it too if it is one of arrays.

    Raises:
        UserError: a path has no image, or an array is none.
    """
    if isinstance(given, str | PathLike | Image.Image):
        given = [given]
    elif isinstance(given, np.ndarray) or hasattr(given, "__array__"):
        array = np.asarray(given)
        is_one = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS + WITH_ALPHA)
        given = [array] if is_one else array
    try:
        items = list(given)
    except TypeError:
        message = "paths, arrays or Pillow's images are needed here"
        raise UserError(Problem(f"got {type(given).__name__}; {message}", key="images")) from None
    return [image for position, item in enumerate(items) for image in _images(item, f"image {position}", value_range)]


def _images(item: Any, name: str, value_range: ValueRange | None) -> Iterator[StoredImage]:
    if isinstance(item, str | PathLike):
        yield from image_files([with_home(Path(item))])
    elif isinstance(item, Image.Image):
        # As a file, it is read like all other files: colours, transparency and 16 bits.
        file, named = io.BytesIO(), getattr(item, "filename", "") or name
        _storable(item, named).save(file, "png")
        yield ImageFile.in_memory(named, file.getvalue())
    else:
        yield ArrayImage(name, _pixels(np.asarray(item), name, value_range))


def _storable(image: Image.Image, name: str) -> Image.Image:
    """Return an image of Pillow's upright, in a mode that a PNG file can have."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F"):
        raise UserError(Problem("has 32 bits a pixel; convert it to 8 or 16 bits", name))
    if upright.mode in PNG_MODES:
        return upright
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def _pixels(values: np.ndarray, name: str, value_range: ValueRange | None) -> np.ndarray:
    """Return an array as uint8 or uint16 [height, width, 1 or 3]."""
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if values.ndim != 3 or values.shape[2] not in CHANNELS or not values.size:
        message = f"has the shape {values.shape}; an image is [height, width] or [height, width, 1 or 3]"
        if values.ndim == 3 and values.shape[2] in WITH_ALPHA:
            colours = f"images[..., :{values.shape[2] - 1}]"
            message += f". With alpha, give Pillow's image or {colours}; of grey images, images[..., np.newaxis]"
        raise UserError(Problem(message, name))
    of_arrays = value_range is not None and value_range.of == "arrays"
    if values.dtype == np.uint16 and not of_arrays:
        return values
    known = value_range.bounds if of_arrays else BYTES if values.dtype == np.uint8 else None
    try:
        (converted,), _ = arrays_to_uint8([StoredPixels(values[np.newaxis], name, lambda at: "it")], known)
    except UnknownRange as unknown:
        low, high = unknown.found
        message = f"has the values {low:g} to {high:g}; give uint8 from 0 to 255, or floats from 0 to 1"
        raise UserError(Problem(message, name)) from None
    return converted[0]
