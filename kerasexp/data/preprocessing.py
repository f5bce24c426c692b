"""From a stored picture to the model's input; the same code for training, `evaluate` and `predict`."""

from __future__ import annotations

import cv2
import numpy as np

from kerasexp.config.data import Preprocessing

# Weights of red, green and blue in grey (ITU-R BT.601), as OpenCV, Pillow and TensorFlow have them.
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# MNIST's digits are scaled into a box of 20x20 within 28x28 (LeCun et al. 1998, section III.A).
CENTER_BOX = 20 / 28
# From how many values for each row of the result on averaging goes by bands of rows: these take 6 us each, and OpenCV's own
# averaging 2 ns for each value.
BANDS_FROM = 3000


def preprocess(picture: np.ndarray, how: Preprocessing) -> np.ndarray:
    """Bring one stored picture to the model's input.

    Pictures are reduced by area averaging, which weighs every stored pixel once. Point-sampled bilinear interpolation
    misses most of a thin stroke.

    Args:
        picture: uint8 [height, width, 1 or 3], of any size.
        how: the preprocessing.

    Returns:
        uint8 [size[0], size[1], channels].
    """
    height, width = how.size
    inverted = _is_inverted(picture, how)
    if picture.shape == (height, width, how.channels) and not inverted and how.contrast == "none":
        return picture
    if picture.shape[:2] == (height, width):
        values = _with_channels(picture.astype(np.float32), how.channels)
    elif how.framing == "center":
        values = _centered(picture, inverted, how)
    elif how.framing == "fit":
        values = _fitted(picture, how)
    else:
        part = _window(picture, how.window) if how.framing == "window" else picture
        values = _with_channels(resize(part, height, width), how.channels)
    # Inverting what is small costs nothing, and averages are the same either way.
    values = 255 - values if inverted else values
    if how.contrast == "stretch":
        values = values * (255 / max(values.max(), 1.0))
    return np.rint(values).clip(0, 255).astype(np.uint8)


def enough_for(how: Preprocessing) -> int | None:
    """Return how many pixels a side of a whole stored picture is reduced to at least; None where parts of it are cut out."""
    return max(how.size) if how.framing in ("stretch", "fit") else None


def preprocess_array(pictures: np.ndarray, how: Preprocessing) -> np.ndarray | None:
    """Do at once what `preprocess` does one by one, for pictures that have the target size already.

    Returns None where the pictures have another size, and so must be framed one by one.
    """
    if pictures.shape[1:3] != tuple(how.size) or pictures.shape[3] != how.channels or how.contrast != "none":
        return None
    if how.invert is False:
        return pictures
    inverted = np.ones(len(pictures), bool) if how.invert is True else border_means(pictures) > 127.5
    return np.where(inverted[:, None, None, None], 255 - pictures, pictures) if inverted.any() else pictures


def border_means(pictures: np.ndarray) -> np.ndarray:
    """Return the mean value along the border of each picture, [n] for uint8 [n, height, width, channels]."""
    lines = [pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]]
    count = sum(line[0].size for line in lines)
    return sum(line.sum(axis=(1, 2), dtype=np.float64) for line in lines) / max(count, 1)


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by area where the picture shrinks and linearly where it grows.

    Args:
        picture: uint8 or float32 [h, w, channels].

    Returns:
        float32 [height, width, channels], not rounded.
    """
    rows, columns, channels = picture.shape
    if rows < height or columns < width:
        # One side after the other: what shrinks is averaged first, and what grows is interpolated.
        small = picture.astype(np.float32)
        if rows > height or columns > width:
            inner = min(width, columns), min(height, rows)
            small = cv2.resize(small, inner, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    if picture.size > BANDS_FROM * height:
        bands = _area_rows(picture.reshape(rows, columns * channels), height).reshape(height, columns, channels)
    else:
        bands = picture.astype(np.float32)
    return cv2.resize(bands, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, channels)


def _area_rows(picture: np.ndarray, height: int) -> np.ndarray:
    """Average [rows, n] over bands of rows of equal height, the rows at a band's edges by the part that lies in it.

    OpenCV's INTER_AREA takes 2 ms for a scan where the ratio is not whole; summing whole rows first takes 0.2.
    """
    rows = picture.shape[0]
    if rows == height:
        return picture.astype(np.float32)
    edges = np.linspace(0, rows, height + 1)
    bands = np.empty((height, picture.shape[1]), np.float32)
    # Whole numbers are summed twice as fast as floats, and exactly.
    total_type = cv2.CV_32S if picture.dtype == np.uint8 else cv2.CV_32F
    for band in range(height):
        top, bottom = edges[band], edges[band + 1]
        first, last = int(np.ceil(top - 1e-9)), int(np.floor(bottom + 1e-9))
        total = cv2.reduce(picture[first:last], 0, cv2.REDUCE_SUM, dtype=total_type)[0] if last > first else 0
        if top < first:
            total = total + (first - top) * picture[first - 1]
        if bottom > last:
            total = total + (bottom - last) * picture[min(last, rows - 1)]
        bands[band] = total / (bottom - top)
    return bands


def _is_inverted(picture: np.ndarray, how: Preprocessing) -> bool:
    if how.invert == "auto":
        return bool(border_means(picture[np.newaxis])[0] > 127.5)
    return bool(how.invert)


def _with_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """Bring float32 [h, w, 1 or 3] to the wanted number of channels."""
    if values.shape[2] == channels:
        return values
    return (values @ GREY)[..., np.newaxis] if channels == 1 else np.repeat(values, 3, axis=2)


def _window(picture: np.ndarray, window: list[float]) -> np.ndarray:
    rows, columns = picture.shape[:2]
    top, left, bottom, right = window
    first, left = min(round(top * rows), rows - 1), min(round(left * columns), columns - 1)
    return picture[first : max(round(bottom * rows), first + 1), left : max(round(right * columns), left + 1)]


def _fitted(picture: np.ndarray, how: Preprocessing) -> np.ndarray:
    """The whole picture with its aspect kept, in the middle; the rest has the border's mean value."""
    height, width = how.size
    rows, columns = picture.shape[:2]
    scale = min(height / rows, width / columns)
    inner = max(round(rows * scale), 1), max(round(columns * scale), 1)
    small = _with_channels(resize(picture, *inner), how.channels)
    page = np.full((height, width, how.channels), border_means(picture[np.newaxis])[0], np.float32)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    page[top : top + inner[0], left : left + inner[1]] = small
    return page


def _centered(picture: np.ndarray, inverted: bool, how: Preprocessing) -> np.ndarray:
    """The box around the ink, scaled to 20/28 of the size, with its centre of mass in the middle of the page."""
    height, width = how.size
    box = _ink_box(picture, inverted)
    if box is None:
        return np.full((height, width, how.channels), float(picture.flat[0]), np.float32)
    background = 255.0 if inverted else 0.0
    page = np.full((height, width, how.channels), background, np.float32)
    scale = min(height * CENTER_BOX / box.shape[0], width * CENTER_BOX / box.shape[1])
    inner = max(round(box.shape[0] * scale), 1), max(round(box.shape[1] * scale), 1)
    small = _with_channels(resize(box, *inner), how.channels)
    mass = np.abs(small - background).sum(axis=2) + 1e-6
    middle_row = (mass.sum(axis=1) * np.arange(inner[0])).sum() / mass.sum()
    middle_column = (mass.sum(axis=0) * np.arange(inner[1])).sum() / mass.sum()
    top = int(np.clip(round((height - 1) / 2 - middle_row), 0, height - inner[0]))
    left = int(np.clip(round((width - 1) / 2 - middle_column), 0, width - inner[1]))
    page[top : top + inner[0], left : left + inner[1]] = small
    return page


def _ink_box(picture: np.ndarray, dark: bool) -> np.ndarray | None:
    """Return the part of the picture that holds its ink, `dark` or bright; None for a blank picture.

    Ink is what lies beyond the middle between the picture's darkest and brightest value.
    """
    rows, columns, channels = picture.shape
    flat = picture.reshape(rows, columns * channels)
    low, high = int(flat.min()), int(flat.max())
    if low == high:
        return None
    extreme = np.min if dark else np.max
    by_row, by_column = extreme(flat, axis=1), extreme(extreme(flat, axis=0).reshape(columns, channels), axis=1)
    middle = (low + high) / 2
    is_row, is_column = (by_row <= middle, by_column <= middle) if dark else (by_row > middle, by_column > middle)
    top, bottom = np.flatnonzero(is_row)[[0, -1]]
    left, right = np.flatnonzero(is_column)[[0, -1]]
    return picture[top : bottom + 1, left : right + 1]
