"""How many images an evaluation takes at a time."""

from __future__ import annotations

import math

# Largest batch in an evaluation, for images of up to this many pixels. It can exceed the training batch, because an evaluation
# stores nothing for gradients.
EVALUATION_IMAGES, EVALUATION_PIXELS = 500, 64 * 64


def evaluation_batch_size(shape: tuple[int, ...]) -> int:
    """Return the batch size of an evaluation for images of this shape, (height, width, channels), or features (f,)."""
    return max(1, min(EVALUATION_IMAGES, EVALUATION_IMAGES * EVALUATION_PIXELS // math.prod(shape[:2])))
