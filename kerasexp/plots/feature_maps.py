"""What the layers make of a picture."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.mosaic import mosaic
from kerasexp.plots.names import drawable, verbatim
from kerasexp.plots.pictures import draw_picture
from kerasexp.plots.style import new_figure

CHANNELS = 8


def plot_feature_maps(image: np.ndarray, maps: dict[str, np.ndarray], y_true: int, class_names: list[str]) -> Figure:
    """Draw a picture and, a row per layer, the channels that it excites most, each from its least to its largest value.

    Args:
        image: uint8 [height, width, 1 or 3].
        maps: layer to float [height, width, channels], from the input on.
        y_true: class of the picture.
        class_names: in the order of the classes.
    """
    tallest = [0.9 * activation.shape[0] / activation.shape[1] + 0.35 for activation in maps.values()]
    heights = [1.9, *tallest]
    figure, (picture, *rows) = new_figure(6.8, sum(heights), len(heights), heights=heights)
    draw_picture(picture, image, drawable(class_names)[y_true])
    for axes, name, activation in zip(rows, drawable(list(maps)), maps.values(), strict=True):
        height, width, channels = activation.shape
        strongest = np.argsort(-activation.mean(axis=(0, 1)), kind="stable")[:CHANNELS]
        shown = np.moveaxis(activation, -1, 0)[strongest]
        low = shown.min(axis=(1, 2), keepdims=True)
        scaled = (shown - low) / np.maximum(shown.max(axis=(1, 2), keepdims=True) - low, 1e-12)
        tiles = matplotlib.colormaps["viridis"](scaled)[..., :3]
        axes.imshow(mosaic(tiles, CHANNELS))
        counts = f"the {CHANNELS} strongest of {channels}" if channels > CHANNELS else f"{channels}"
        counts += " channel" if channels == 1 else " channels"
        axes.set_title(f"{name}: {counts}, {height} × {width}", loc="left", fontsize=10, **verbatim(name))
        axes.set_axis_off()
    return figure
