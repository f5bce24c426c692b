"""Kernels of convolutions."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kerasexp.plots.mosaic import mosaic
from kerasexp.plots.style import empty_figure, new_figure
from kerasexp.plots.tick_labels import drawable, verbatim

# Most kernels shown of a layer on the image itself; most kernels and input channels shown of another layer.
MAX_KERNELS, MAX_BLOCK = 64, 8
SIGNED = matplotlib.colormaps["RdBu_r"]


def plot_filters(kernels: dict[str, np.ndarray]) -> Figure:
    """Draw the kernels of convolutions: as images for a layer on the image itself, else by input channel.

    Args:
        kernels: layer to float [height, width, input channels, kernels].
    """
    if not kernels:
        return empty_figure("no convolution")
    images = [_colours(kernel) if kernel.shape[2] == 3 else _signed(kernel) for kernel in kernels.values()]
    height = max(4.6 * image.shape[0] / image.shape[1] for image in images)
    figure, panels = new_figure(5.4 * len(kernels), min(height, 5) + 0.8, columns=len(kernels))
    for axes, name, kernel, image in zip(panels, drawable(list(kernels)), kernels.values(), images, strict=True):
        channels, count = kernel.shape[2:]
        title = f"{name}: {_of(count, MAX_KERNELS, 'kernel')}"
        if channels not in (1, 3):
            title = f"{name}: {_of(count, MAX_BLOCK, 'kernel')}, {_of(channels, MAX_BLOCK, 'input channel')}"
            axes.set_xlabel("input channel")
            axes.set_ylabel("kernel")
        if channels != 3:
            figure.colorbar(ScalarMappable(_scale(kernel), SIGNED), ax=axes, shrink=0.7, label="weight")
        axes.imshow(image)
        axes.set_title(title, fontsize=11, **verbatim(title))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    return figure


def _of(count: int, limit: int, what: str) -> str:
    return f"{limit} of {count} {what}s" if count > limit else f"{count} {what}{'s' if count != 1 else ''}"


def _colours(kernel: np.ndarray) -> np.ndarray:
    tiles = np.moveaxis(kernel, 3, 0)[:MAX_KERNELS]
    low = tiles.min(axis=(1, 2, 3), keepdims=True)
    tiles = (tiles - low) / np.maximum(tiles.max(axis=(1, 2, 3), keepdims=True) - low, 1e-12)
    return mosaic(tiles, min(len(tiles), MAX_BLOCK))


def _signed(kernel: np.ndarray) -> np.ndarray:
    height, width, channels, count = kernel.shape
    tiles = kernel.transpose(3, 2, 0, 1)
    tiles = tiles[:MAX_KERNELS] if channels == 1 else tiles[:MAX_BLOCK, :MAX_BLOCK]
    tiles = tiles.reshape(-1, height, width)
    return mosaic(SIGNED(_scale(kernel)(tiles))[..., :3], min(count if channels == 1 else channels, MAX_BLOCK))


def _scale(kernel: np.ndarray) -> Normalize:
    limit = max(float(np.abs(kernel).max()), 1e-12)
    return Normalize(-limit, limit)
