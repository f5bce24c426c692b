import io
import warnings

import pytest
from matplotlib import get_data_path
from matplotlib.legend import Legend
from matplotlib.text import Text

from kerasexp.plots import tick_labels as names


@pytest.fixture(autouse=True)
def no_installed_fonts(monkeypatch):
    """Use only matplotlib's own fonts, so that all computers draw the same."""
    own = [font for font in names.fontManager.ttflist if font.fname.startswith(get_data_path())]
    monkeypatch.setattr(names.fontManager, "ttflist", own)
    monkeypatch.setattr(names, "_families", {})


def titles_and_labels(figure) -> list[Text]:
    drawn = [text for legend in figure.findobj(Legend) for text in legend.get_texts()]
    for axes in figure.axes:
        labels = [axes.xaxis.label, axes.yaxis.label] if axes.axison else []
        drawn += [
            *labels,
            *axes.texts,
            *(text for text in axes.get_children() if text in (axes.title, axes._left_title)),
        ]
    return drawn


@pytest.fixture
def png():
    """Draw a figure as the report does; warnings, such as of a missing glyph, and cut titles or labels are errors."""

    def draw(figure) -> bytes:
        out = io.BytesIO()
        figure.set_dpi(110)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.savefig(out, format="png", dpi=110)
        for text in titles_and_labels(figure):
            box = text.get_window_extent()
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert inside or not text.get_text().strip(), (text, box, figure.bbox)
        return out.getvalue()

    return draw


@pytest.fixture
def texts():
    """Return all texts of a figure."""

    def read(figure) -> str:
        figure.draw_without_rendering()
        return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())

    return read


@pytest.fixture
def strange() -> list[str]:
    """Ten class names that have broken plots."""
    long = "a very long name of a class that goes on and on"
    return [
        *("$x$", "<script>alert(1)</script>", "日本語", '"quoted"', "العربية", "two\nlines", "🧪", "_"),
        *(long, f"{long} elsewhere"),
    ]
