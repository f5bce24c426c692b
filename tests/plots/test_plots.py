import io

import numpy as np
import pytest

from kerasexp.plots.confusion import plot_confusion
from kerasexp.plots.curves import plot_curves
from kerasexp.plots.samples import plot_samples

STRANGE = ["$x$", "<script>", "日本語", '"quoted"', "a_b^c", "é", "\\frac"]


def drawn(figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=50)
    return out.getvalue()


@pytest.mark.parametrize("epochs", [1, 3, 60])
def test_curves_show_every_epoch(epochs):
    names = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate")
    figure = plot_curves([{"epoch": e + 1, **{n: 1 / (e + 1) for n in names}} for e in range(epochs)])
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.get_lines()] == [epochs] * 5
    assert drawn(figure)


@pytest.mark.parametrize("classes", [2, 10, 62, 200])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_confusion_of_any_number_of_classes(classes):
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    names = (STRANGE + [f"class {k}" for k in range(classes)])[:classes]
    figure = plot_confusion(counts, names)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert len(axes.texts) == (np.count_nonzero(counts) if classes <= 20 else 0)
    assert drawn(figure)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(("count", "channels"), [(0, 1), (1, 1), (8, 3)])
def test_samples_are_titled_by_class_and_probability(count, channels):
    images = np.zeros((count, 8, 8, channels), np.uint8)
    scores = np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1))
    figure = plot_samples(images, np.arange(count) % 2, scores, STRANGE[:2])
    titles = [axes.get_title() for axes in figure.axes][:count]
    assert titles == ["$x$  90%" + ("\ntrue: <script>" if i % 2 else "") for i in range(count)]
    assert drawn(figure)
