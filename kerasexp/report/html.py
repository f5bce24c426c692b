"""HTML pages: templates, number formats, plots as PNG inside the page."""

from __future__ import annotations

import base64
import gc
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from kerasexp.report.template_environment import FOLDER, template_environment

DPI = 110
# Wider plots keep a readable width, and scroll on a phone.
WIDE_INCHES = 8.0


@dataclass(frozen=True)
class Plot:
    """A plot with its section and texts on the page.

    Attributes:
        section: its heading.
        name: of its file, without the ending.
        caption: what it shows and how to read it.
        alt: its content for readers who cannot see it.
        figure: the matplotlib figure, or a function that makes it when the plot is drawn.
        chart: True for lines and text, which a dark page inverts; False for images.
    """

    section: str
    name: str
    caption: str
    alt: str
    figure: Figure | Callable[[], Figure]
    chart: bool = True


@dataclass(frozen=True)
class DrawnPlot:
    """A plot as PNG, with the values that templates use; `inches` is its width and height. It does not hold its figure."""

    section: str
    name: str
    caption: str
    alt: str
    chart: bool
    png: bytes
    inches: tuple[float, float]

    wide = property(lambda self: self.inches[0] > WIDE_INCHES)
    width = property(lambda self: round(self.inches[0] * DPI))
    height = property(lambda self: round(self.inches[1] * DPI))
    data = property(lambda self: base64.b64encode(self.png).decode("ascii"))


def draw(plot: Plot | DrawnPlot) -> DrawnPlot:
    """Draw a plot as PNG, unless it is drawn already."""
    if isinstance(plot, DrawnPlot):
        return plot
    with _no_collection():
        figure = plot.figure if isinstance(plot.figure, Figure) else plot.figure()
        figure.set_dpi(DPI)
        canvas, out = FigureCanvasAgg(figure), io.BytesIO()
        # `savefig` would draw everything twice, and keep an alpha channel that is not needed.
        canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(out, "png", compress_level=4)
    inches = figure.get_figwidth(), figure.get_figheight()
    return DrawnPlot(plot.section, plot.name, plot.caption, plot.alt, plot.chart, out.getvalue(), inches)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause Python's garbage collection: a figure is thousands of objects in cycles, and searching them again and again while it
    is drawn took a sixth of the time of a report.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the page of a template: one HTML text that loads nothing from outside and runs only its own script."""
    from markupsafe import Markup

    own = {name: (FOLDER / f"page.{ending}").read_text() for name, ending in (("style", "css"), ("script", "js"))}
    # The content security policy admits the page's own style and script by their digest, and blocks any other.
    digests = {f"page_{name}_hash": _digest(text) for name, text in own.items()}
    trusted = {f"page_{name}": Markup(text) for name, text in own.items()}
    return template_environment().get_template(template).render({**content, **trusted, **digests})


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
