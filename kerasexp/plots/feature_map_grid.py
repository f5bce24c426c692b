"""Feature maps of one image."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import GAP, LINE, PAD, draw_image, new_sheet, write
from kerasexp.plots.mosaic import mosaic
from kerasexp.plots.tick_labels import drawable

CHANNELS = 8
# In inches: side of the image, width of a row, distance of rows.
SIDE, ACROSS, BETWEEN = 1.66, 6.71, 0.4


def plot_feature_maps(image: np.ndarray, maps: dict[str, np.ndarray], y_true: int, class_names: list[str]) -> Figure:
    """Draw an image and, a row per layer, its strongest channels, each scaled from its lowest to its highest value.

    Args:
        image: uint8 [height, width, 1 or 3].
        maps: layer to float [height, width, channels], from input to output.
        y_true: class of the image.
        class_names: in the order of the classes.
    """
    rows = [_strongest(activation) for activation in maps.values()]
    heights = [ACROSS * row.shape[0] / max(row.shape) for row in rows]
    top = LINE + GAP
    figure, sheet = new_sheet(ACROSS + 2 * PAD, top + SIDE + sum(heights) + BETWEEN * len(rows) + PAD)
    draw_image(sheet, image, PAD + (ACROSS - SIDE) / 2, top, SIDE, drawable(class_names)[y_true])
    top += SIDE
    for name, activation, row, height in zip(drawable(list(maps)), maps.values(), rows, heights, strict=True):
        top += BETWEEN
        high, wide, count = activation.shape
        write(sheet, PAD, top - GAP, f"{name}: {_channels(count)}, {high} × {wide}", ACROSS)
        draw_image(sheet, row, PAD, top, ACROSS)
        top += height
    return figure


def _strongest(activation: np.ndarray) -> np.ndarray:
    """Return a mosaic of the channels with the highest means, the highest first."""
    strongest = np.argsort(-activation.mean(axis=(0, 1)), kind="stable")[:CHANNELS]
    shown = np.moveaxis(activation, -1, 0)[strongest]
    low = shown.min(axis=(1, 2), keepdims=True)
    scaled = (shown - low) / np.maximum(shown.max(axis=(1, 2), keepdims=True) - low, 1e-12)
    return mosaic(matplotlib.colormaps["viridis"](scaled)[..., :3], CHANNELS)


def _channels(count: int) -> str:
    return (
        f"the {CHANNELS} strongest of {count} channels"
        if count > CHANNELS
        else f"{count} channel{'s' if count != 1 else ''}"
    )
