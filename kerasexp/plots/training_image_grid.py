"""Training images as the network sees them, with their labels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import MAX_TITLE, draw_image_grid
from kerasexp.plots.tick_labels import drawable

COLUMNS = 6
# Most labels under an image, a line each after the first two.
MOST = 4


def plot_training_images(
    images: np.ndarray, labels: np.ndarray, class_names: list[str], excluded: bool = False
) -> Figure:
    """Draw images with their labels below, the largest share first, as in "cat 0.7, dog 0.3".

    Args:
        images: uint8 [n, height, width, 1 or 3].
        labels: float [n, classes], the share of each class, written with two digits; a share of 1 is not written.
        class_names: in the order of the classes.
        excluded: whether labels say what an image is NOT.
    """
    names = drawable(class_names, MAX_TITLE)
    titles = [_title(shares, names, "not " if excluded else "") for shares in labels]
    return draw_image_grid(images, titles, np.zeros(len(images), bool), COLUMNS, below=True)


def _title(shares: np.ndarray, names: list[str], sign: str) -> str:
    shares = np.round(shares.astype(np.float64), 2)
    order = [k for k in np.argsort(-shares, kind="stable") if shares[k] > 0]
    written = [f"{sign}{names[k]}" if shares[k] == 1 else f"{sign}{names[k]} {shares[k]:g}" for k in order]
    if len(written) <= 2:
        return ", ".join(written) or "–"
    more = [f"… {len(written) - MOST + 1} more"] if len(written) > MOST else []
    return "\n".join([*written[: MOST - len(more)], *more])
