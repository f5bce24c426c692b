"""Gradient flow: gradients and updates of each layer during training."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasexp.plots.style import GREY, new_figure, plain_axes
from kerasexp.plots.tick_labels import add_legend, drawable

# With more layers than this, only the first, the middle and the last are named.
MAX_LAYERS = 12
# With more points than this, antialiasing makes the file several times larger and looks no better.
MAX_ANTIALIASED = 1000
# Values that span more than this factor have powers of ten enough to be read by; ticks between them took half of the drawing.
MANY = 100
# Rule of thumb for a good learning rate: updates of about a thousandth of the weights.
GOOD_RATIO = 1e-3


def plot_gradient_flow(
    steps: np.ndarray, layers: list[str], mean: np.ndarray, largest: np.ndarray, ratio: np.ndarray
) -> Figure:
    """Draw the gradient of each layer over the training steps, and the size of an update relative to its weights.

    Args:
        steps: int [s].
        layers: from input to output.
        mean, largest: of the absolute gradient, float [s, layers].
        ratio: norm of the update relative to that of the weights, float [s, layers].
    """
    figure, panels = new_figure(11, 3.8, columns=3)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(layers)))
    named = range(len(layers)) if len(layers) <= MAX_LAYERS else [0, len(layers) // 2, len(layers) - 1]
    style = {"linewidth": 0.9, "marker": "." if len(steps) <= 20 else None, "antialiased": mean.size <= MAX_ANTIALIASED}
    titles = ("Mean gradient", "Largest gradient", "Update relative to weights")
    for axes, values, title in zip(panels, (mean, largest, ratio), titles, strict=True):
        # A logarithmic axis has no zero: zeros leave gaps.
        positive = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        lines = axes.plot(steps, positive, **style)
        for line, colour in zip(lines, colours, strict=True):
            line.set_color(colour)
        axes.set_yscale("log")
        if np.nanmax(positive, initial=0) > MANY * np.nanmin(positive, initial=np.inf):
            axes.minorticks_off()
        plain_axes(axes)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("ratio of norms" if values is ratio else "absolute value")
    panels[-1].axhline(GOOD_RATIO, color=GREY, linestyle=":", linewidth=1.2)
    names = drawable(layers)
    layout = {"loc": "outside right upper", "frameon": False, "fontsize": 9, "title": "layer, from input to output"}
    add_legend(figure, [lines[k] for k in named], [names[k] for k in named], **layout)
    return figure
