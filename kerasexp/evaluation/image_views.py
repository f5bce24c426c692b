"""The views of an image that test-time augmentation predicts: moved by about a pixel, and mirrored if training mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from kerasexp.config.augmentation_section import Flip

# A moved view is moved by one pixel in so many.
PIXELS = 32
# Down and to the right, in steps.
PLACES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class View:
    """A change of an image that leaves its class as it is.

    Attributes:
        down, right: pixels by which it is moved; the border is repeated.
        mirrored, upside_down: whether left and right, or top and bottom, are swapped, before it is moved.
    """

    down: int = 0
    right: int = 0
    mirrored: bool = False
    upside_down: bool = False

    def of(self, images: np.ndarray) -> np.ndarray:
        """Return the view of images, uint8 [n, height, width, channels], in the same shape."""
        images = images[:, :: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        if not (self.down or self.right):
            return images
        height, width = images.shape[1:3]
        rows = np.clip(np.arange(height) - self.down, 0, height - 1)
        columns = np.clip(np.arange(width) - self.right, 0, width - 1)
        return images[:, rows[:, np.newaxis], columns]


ONE_VIEW = (View(),)


def views_for(size: tuple[int, int], flip: Flip) -> list[View]:
    """Return the views for images of a height and a width; the first one is the image itself.

    Args:
        size: height and width of the model's input.
        flip: how training mirrored its images.
    """
    down, right = (max(round(side / PIXELS), 1) for side in size)
    upside_down = (False, True) if flip in ("vertical", "both") else (False,)
    mirrored = (False, True) if flip in (True, "horizontal", "both") else (False,)
    return [
        View(down * rows, right * columns, left_right, top_bottom)
        for top_bottom, left_right, (rows, columns) in product(upside_down, mirrored, PLACES)
    ]
