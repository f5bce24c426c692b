"""The width of the pen in an image of strokes, and the same strokes drawn with a thinner or thicker pen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from kerasexp.data.preprocessing import border_means

# Grey levels, of 255, between ink and page; a page with less is blank.
LEAST_CONTRAST = 32
# Pixels. The edges of a thinner pen are found in an enlarged image; of a pen of two pixels, whole ones would be too coarse.
FINE_PEN = 12
# Pixels of an enlarged image.
MOST_PIXELS = 2**24


@dataclass(frozen=True)
class Strokes:
    """The strokes of one image.

    Attributes:
        distance: float32 [height, width], pixels from the edge of the ink: positive within it, negative outside.
        pen: width of the pen, in the same pixels.
        ink, page: grey levels.
        enlarged: how many times larger these pixels' image is than the stored one.
    """

    distance: np.ndarray
    pen: float
    ink: float
    page: float
    enlarged: int = 1

    @property
    def pen_width(self) -> float:
        """Width of the pen in pixels of the stored image."""
        return self.pen / self.enlarged

    def drawn(self, factor: float) -> np.ndarray:
        """Return the strokes with `factor` times the pen's width and a soft edge of a pixel, as uint8 [height, width, 1]."""
        covered = np.clip(self.distance - (1 - factor) * self.pen / 2 + 0.5, 0, 1)
        values = self.page + (self.ink - self.page) * covered
        if self.enlarged > 1:
            height, width = (side // self.enlarged for side in values.shape)
            values = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
        return np.rint(values).astype(np.uint8)[..., np.newaxis]


def find_strokes(image: np.ndarray) -> Strokes | None:
    """Find the strokes of an image; return None for a blank one.

    Ink is darker than the middle between the darkest and the brightest value if the border is bright, and brighter if the
    border is dark, as for `preprocessing.invert: auto`.

    Args:
        image: uint8 [height, width, 1 or 3].
    """
    grey = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if int(grey.max()) - int(grey.min()) < LEAST_CONTRAST:
        return None
    is_dark = bool(border_means(grey[np.newaxis, ..., np.newaxis])[0] > 127.5)
    found = _measured(grey, is_dark, 1)
    times = min(math.ceil(FINE_PEN / found.pen), math.isqrt(MOST_PIXELS // grey.size))
    return found if times <= 1 else _measured(grey, is_dark, times)


def _measured(grey: np.ndarray, is_dark: bool, times: int) -> Strokes:
    """Measure the strokes of uint8 [height, width], enlarged.

    The pen's width is twice the median distance from the edge along the ridge, the middle line of the ink.
    """
    if times > 1:
        grey = cv2.resize(grey, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)
    middle = (int(grey.min()) + int(grey.max())) / 2
    inked = grey <= middle if is_dark else grey > middle
    # Distances are between centres of pixels, and the edge lies half a pixel before the first one across it.
    inside, outside = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (inked, ~inked)
    )
    distance = np.where(inked, inside - 0.5, 0.5 - outside)
    ridge = inked & (inside >= cv2.dilate(inside, np.ones((5, 5), np.uint8)) - 1e-3)
    # The middle of a stroke lies on a pixel, or half a pixel from one: a quarter off on average, on both sides.
    pen = 2 * float(np.median(distance[ridge])) + 0.5
    ink, page = (float(np.median(grey[side])) for side in (inked, ~inked))
    return Strokes(distance, pen, ink, page, times)
