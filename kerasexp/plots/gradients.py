"""How the gradient reaches each layer while training."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasexp.plots.class_labels import add_legend, drawable
from kerasexp.plots.style import GREY, new_figure, plain

# With more layers only the first, the middle and the last are named.
MAX_LAYERS = 12
# Where more points lie close together, smoothing their lines would only make the file several times larger.
MAX_SMOOTH = 1000
# Updates of about a thousandth of the weights are a rule of thumb for a good learning rate.
GOOD_RATIO = 1e-3


def plot_gradient_flow(
    steps: np.ndarray, layers: list[str], mean: np.ndarray, largest: np.ndarray, ratio: np.ndarray
) -> Figure:
    """Draw the gradient of each layer over the training, and how far an update moves its weights.

    Args:
        steps: int [s].
        layers: from input to output.
        mean: of the absolute gradient, float [s, layers].
        largest: of the absolute gradient, float [s, layers].
        ratio: length of the update to that of the weights, float [s, layers].
    """
    figure, panels = new_figure(11, 3.8, columns=3)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(layers)))
    named = range(len(layers)) if len(layers) <= MAX_LAYERS else [0, len(layers) // 2, len(layers) - 1]
    look = {"linewidth": 0.9, "marker": "." if len(steps) <= 20 else None, "antialiased": mean.size <= MAX_SMOOTH}
    titles = ("Mean gradient", "Largest gradient", "Update to weights")
    for axes, values, title in zip(panels, (mean, largest, ratio), titles, strict=True):
        # A logarithm has no place for zeros: they leave gaps.
        positive = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        lines = axes.plot(steps, positive, **look)
        for line, colour in zip(lines, colours, strict=True):
            line.set_color(colour)
        axes.set_yscale("log")
        plain(axes)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_ylabel("ratio of their lengths" if values is ratio else "absolute value")
    panels[-1].axhline(GOOD_RATIO, color=GREY, linestyle=":", linewidth=1.2)
    names = drawable(layers)
    layout = {"loc": "outside right upper", "frameon": False, "fontsize": 9, "title": "layer, from the input on"}
    add_legend(figure, [lines[k] for k in named], [names[k] for k in named], **layout)
    return figure
