"""From a stored image to the model input; training, `evaluate` and `predict` use the same code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from kerasexp.config.data_section import Preprocessing

# Weights of red, green and blue in grey (ITU-R BT.601), as in OpenCV, Pillow and TensorFlow.
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# The share of the size that `framing: center` gives to the ink, as numerator and denominator: MNIST's digits fill a box of 20x20
# within 28x28 (LeCun et al. 1998, section III.A).
CENTER_BOX = 5, 7
# Above this many input values per output row, average in row bands: 6 us per band, against 2 ns per value with OpenCV's
# INTER_AREA.
BAND_VALUES = 3000


def preprocess(image: np.ndarray, config: Preprocessing, crop: Sequence[float] | None = None) -> np.ndarray:
    """Convert one stored image to the model input.

    Downsampling averages over areas, which weighs every stored pixel equally. Point-sampled bilinear interpolation misses
    most of a thin stroke.

    Args:
        image: uint8 [height, width, 1 or 3], of any size.
        config: the preprocessing.
        crop: what to keep of the part that the framing shows: top, left, bottom and right as fractions. `framing: center`
            has no crops.

    Returns:
        uint8 [size[0], size[1], channels].
    """
    height, width = config.size
    inverted, is_framed = _is_inverted(image, config), image.shape[:2] == (height, width)
    if crop is None and is_framed and image.shape[2] == config.channels and not inverted and config.contrast == "none":
        return image
    if crop is None and is_framed:
        values = _with_channels(image.astype(np.float32), config.channels)
    elif config.framing == "center":
        values = _center(image, inverted, config)
    else:
        is_part = config.framing == "window" and not is_framed
        part = _window(image, config.window) if is_part else image
        part = part if crop is None else _window(part, crop)
        is_page = config.framing == "fit"
        values = _fit(part, config) if is_page else _with_channels(resize(part, height, width), config.channels)
    # Inverting after downsampling is cheaper, and the averages are the same.
    values = 255 - values if inverted else values
    if config.contrast == "stretch":
        values = values * (255 / max(values.max(), 1.0))
    return np.rint(values).clip(0, 255).astype(np.uint8)


def min_side_for(config: Preprocessing) -> int | None:
    """Return the shortest side, in pixels, to which an image may be decoded; None if the framing crops parts of it."""
    return max(config.size) if config.framing in ("stretch", "fit") else None


def preprocess_array(images: np.ndarray, config: Preprocessing) -> np.ndarray | None:
    """Preprocess all images at once if they already have the target size; return None if they need framing one by one."""
    if images.shape[1:3] != tuple(config.size) or images.shape[3] != config.channels or config.contrast != "none":
        return None
    if config.invert is False:
        return images
    inverted = np.ones(len(images), bool) if config.invert is True else border_means(images) > 127.5
    return np.where(inverted[:, None, None, None], 255 - images, images) if inverted.any() else images


def border_means(images: np.ndarray) -> np.ndarray:
    """Return the mean value along the border of each image, [n] for uint8 [n, height, width, channels]."""
    lines = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    count = sum(line[0].size for line in lines)
    return sum(line.sum(axis=(1, 2), dtype=np.float64) for line in lines) / max(count, 1)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize: average over areas where the image shrinks, interpolate linearly where it grows.

    Args:
        image: uint8 or float32 [h, w, channels].

    Returns:
        float32 [height, width, channels], not rounded.
    """
    rows, columns, channels = image.shape
    if rows < height or columns < width:
        # A side that shrinks is averaged first; then the other is interpolated.
        small = image.astype(np.float32)
        if rows > height or columns > width:
            inner = min(width, columns), min(height, rows)
            small = cv2.resize(small, inner, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    if image.size > BAND_VALUES * height:
        bands = _area_rows(image.reshape(rows, columns * channels), height).reshape(height, columns, channels)
    else:
        bands = image.astype(np.float32)
    return cv2.resize(bands, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, channels)


def _area_rows(image: np.ndarray, height: int) -> np.ndarray:
    """Average [rows, n] over `height` bands of equal height; a row on the edge of a band counts by the share inside it.

    For a scan and a ratio that is not whole, OpenCV's INTER_AREA takes 2 ms; summing whole rows first takes 0.2 ms.
    """
    rows = image.shape[0]
    if rows == height:
        return image.astype(np.float32)
    edges = np.linspace(0, rows, height + 1)
    bands = np.empty((height, image.shape[1]), np.float32)
    # Integers are summed exactly, and twice as fast as floats.
    total_type = cv2.CV_32S if image.dtype == np.uint8 else cv2.CV_32F
    for band in range(height):
        top, bottom = edges[band], edges[band + 1]
        first, last = int(np.ceil(top - 1e-9)), int(np.floor(bottom + 1e-9))
        total = cv2.reduce(image[first:last], 0, cv2.REDUCE_SUM, dtype=total_type)[0] if last > first else 0
        if top < first:
            total = total + (first - top) * image[first - 1]
        if bottom > last:
            total = total + (bottom - last) * image[min(last, rows - 1)]
        bands[band] = total / (bottom - top)
    return bands


def _is_inverted(image: np.ndarray, config: Preprocessing) -> bool:
    if config.invert == "auto":
        return bool(border_means(image[np.newaxis])[0] > 127.5)
    return bool(config.invert)


def _with_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """Convert float32 [h, w, 1 or 3] to this number of channels."""
    if values.shape[2] == channels:
        return values
    return (values @ GREY)[..., np.newaxis] if channels == 1 else np.repeat(values, 3, axis=2)


def _window(image: np.ndarray, window: Sequence[float]) -> np.ndarray:
    rows, columns = image.shape[:2]
    top, left, bottom, right = window
    first, left = min(round(top * rows), rows - 1), min(round(left * columns), columns - 1)
    return image[first : max(round(bottom * rows), first + 1), left : max(round(right * columns), left + 1)]


def _fit(image: np.ndarray, config: Preprocessing) -> np.ndarray:
    """Fit the whole image into the centre with its aspect ratio kept; fill the rest with the mean of its border."""
    height, width = config.size
    rows, columns = image.shape[:2]
    scale = min(height / rows, width / columns)
    inner = max(round(rows * scale), 1), max(round(columns * scale), 1)
    small = _with_channels(resize(image, *inner), config.channels)
    page = np.full((height, width, config.channels), border_means(image[np.newaxis])[0], np.float32)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    page[top : top + inner[0], left : left + inner[1]] = small
    return page


def _center(image: np.ndarray, inverted: bool, config: Preprocessing) -> np.ndarray:
    """Scale the box around the ink to 20/28 of the size and place its centre of mass in the centre."""
    height, width = config.size
    box = _ink_box(image, inverted)
    if box is None:
        return np.full((height, width, config.channels), float(image.flat[0]), np.float32)
    background = 255.0 if inverted else 0.0
    page = np.full((height, width, config.channels), background, np.float32)
    rows, columns = box.shape[:2]
    size, side = (height, rows) if height * columns <= width * rows else (width, columns)
    # As an exact fraction, which the layer `Preprocess` rounds too.
    inner = tuple(max(round(Fraction(CENTER_BOX[0] * size * own, CENTER_BOX[1] * side)), 1) for own in (rows, columns))
    small = _with_channels(resize(box, *inner), config.channels)
    mass = np.abs(small - background).sum(axis=2) + 1e-6
    middle_row = (mass.sum(axis=1) * np.arange(inner[0])).sum() / mass.sum()
    middle_column = (mass.sum(axis=0) * np.arange(inner[1])).sum() / mass.sum()
    top = int(np.clip(round((height - 1) / 2 - middle_row), 0, height - inner[0]))
    left = int(np.clip(round((width - 1) / 2 - middle_column), 0, width - inner[1]))
    page[top : top + inner[0], left : left + inner[1]] = small
    return page


def _ink_box(image: np.ndarray, dark: bool) -> np.ndarray | None:
    """Crop the image to its ink, `dark` or bright; None for a blank image.

    Ink is what is darker (or brighter) than halfway between the image's darkest and brightest value.
    """
    rows, columns, channels = image.shape
    flat = image.reshape(rows, columns * channels)
    low, high = int(flat.min()), int(flat.max())
    if low == high:
        return None
    extreme = np.min if dark else np.max
    by_row, by_column = extreme(flat, axis=1), extreme(extreme(flat, axis=0).reshape(columns, channels), axis=1)
    middle = (low + high) / 2
    is_row, is_column = (by_row <= middle, by_column <= middle) if dark else (by_row > middle, by_column > middle)
    top, bottom = np.flatnonzero(is_row)[[0, -1]]
    left, right = np.flatnonzero(is_column)[[0, -1]]
    return image[top : bottom + 1, left : right + 1]
