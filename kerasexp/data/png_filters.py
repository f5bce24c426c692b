"""PNG filters undone (PNG specification, third edition, section 9)."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from kerasexp.data.png_parts import GREY, RGB, RGB_ALPHA, SAMPLES, Header, minimal_png, stored_zlib

# Depth, colour type, compression, filter method and interlacing of images that need nothing but unfiltering.
PLAIN = (8, GREY, 0, 0, 0), (8, RGB, 0, 0, 0), (8, RGB_ALPHA, 0, 0, 0)
NONE, SUB, UP, PAETH = 0, 1, 2, 4
# How OpenCV reads each colour type. It has no flag for red first with alpha.
FLAGS = {GREY: cv2.IMREAD_GRAYSCALE, RGB: cv2.IMREAD_COLOR_RGB, RGB_ALPHA: cv2.IMREAD_UNCHANGED}
# Longest side that libpng decodes; of more, OpenCV would raise an error of its own.
MAX_SIDE = 1_000_000
# Images of fewer bytes are decoded by OpenCV: that takes 5 us for 28x28 pixels, and no more than 0.3 ms. So are narrower rows:
# NumPy needs 0.8 us for each, OpenCV 1 ns for a byte.
SMALL, NARROW = 2**18, 1000
# Largest share of groups of rows that OpenCV decodes: a group takes it as long as NumPy needs for 10 rows.
OPENCV_SHARE = 0.1
NUMPY_IN_USE = threading.Lock()


def is_plain(header: Header, rows: bytes) -> bool:
    """Return whether `unfiltered` decodes this image: its rows have the filters 0 to 4 and need nothing else."""
    fits = max(header.width, header.height) <= MAX_SIDE
    return header[2:] in PLAIN and fits and max(rows[:: len(rows) // header.height]) <= PAETH


def unfiltered(header: Header, rows: bytes) -> np.ndarray:
    """Return the pixels of a plain image, uint8 [height, width, samples].

    The rows of scans are nearly all filtered by the difference to the row above, which NumPy sums row by row: 1.3 ms for
    900x1200 pixels in colour, where OpenCV needs 3.3 ms. The filters Average and Paeth depend on pixel after pixel; rows
    with these are left to OpenCV, group by group, or the whole image where such groups are many, as in photographs.

    NumPy's short calls need Python's lock, so it takes two threads as long as one. While one uses it, others use OpenCV.
    """
    filters = np.frombuffer(rows, np.uint8)[:: len(rows) // header.height]
    starts = np.flatnonzero(np.diff(filters, prepend=255))
    is_small = len(rows) < max(SMALL, NARROW * header.height)
    if is_small or (filters[starts] > UP).sum() > OPENCV_SHARE * header.height:
        return _by_opencv(header, rows)
    if not NUMPY_IN_USE.acquire(blocking=False):
        return _by_opencv(header, rows)
    try:
        return _by_numpy(header, rows, starts.tolist())
    finally:
        NUMPY_IN_USE.release()


def _by_numpy(header: Header, rows: bytes, starts: list[int]) -> np.ndarray:
    """Undo the filters of groups of rows, where each starts with another filter than the group before."""
    height, width, samples = header.height, header.width, SAMPLES[header.colour]
    stored = np.frombuffer(rows, np.uint8).reshape(height, 1 + width * samples)
    filters, filtered = stored[:, 0], stored[:, 1:]
    pixels = np.empty((height, width * samples), np.uint8)
    pixels[filters == SUB] = _sums_from_left(filtered[filters == SUB], samples)
    for first, end in zip(starts, [*starts[1:], height], strict=True):
        group, to = filtered[first:end], pixels[first:end]
        if filters[first] == NONE:
            to[:] = group
        elif filters[first] == UP:
            above = pixels[first - 1] if first else np.zeros_like(pixels[0])
            for row, sums in zip(group, to, strict=True):
                above = np.add(row, above, sums)
        elif filters[first] != SUB:
            # The row above goes first, with the filter None.
            above = bytes([NONE]) + pixels[first - 1].tobytes() if first else b""
            part = above + stored[first:end].tobytes()
            decoded = _by_opencv(header._replace(height=len(part) // stored.shape[1]), part)
            to[:] = decoded[first - end :].reshape(to.shape)
    return pixels.reshape(height, width, samples)


def _sums_from_left(rows: np.ndarray, samples: int) -> np.ndarray:
    """Return the sums of each sample over the pixels up to its own, uint8 [n, width * samples].

    Each pass adds what lies one pixel to the left, then two, four and so on: a third of the time of `np.add.accumulate`.
    """
    step = samples
    while step < rows.shape[1]:
        sums = rows.copy()
        sums[:, step:] += rows[:, :-step]
        rows, step = sums, 2 * step
    return rows


def _by_opencv(header: Header, rows: bytes) -> np.ndarray:
    file = minimal_png(header, stored_zlib(rows))
    pixels = cv2.imdecode(np.frombuffer(file, np.uint8), FLAGS[header.colour])
    if header.colour == RGB_ALPHA:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    return pixels.reshape(header.height, header.width, SAMPLES[header.colour])
