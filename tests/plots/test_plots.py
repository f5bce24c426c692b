import numpy as np
import pytest

from kerasexp.plots.confusion_matrix import plot_confusion
from kerasexp.plots.epoch_curves import plot_curves

NAMES = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate")


def history(epochs: int) -> list[dict[str, float]]:
    return [{"epoch": e + 1, **{name: 1 / (e + 1) for name in NAMES}} for e in range(epochs)]


@pytest.mark.parametrize("epochs", [1, 3, 60])
def test_curves_show_every_epoch(epochs, png):
    figure = plot_curves(history(epochs))
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.get_lines()] == [epochs] * 5
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "learning rate"]
    assert png(figure)


def test_curves_show_the_majority_and_the_kept_epoch(png, texts):
    figure = plot_curves(history(9), majority=0.25, kept=7)
    _, accuracy, _ = figure.axes
    assert [0.25, 0.25] in [list(line.get_ydata()) for line in accuracy.get_lines()]
    for axes in figure.axes:
        assert [7, 7] in [list(line.get_xdata()) for line in axes.get_lines()]
    assert "always the largest class" in texts(figure)
    assert png(figure)


@pytest.mark.parametrize("classes", [2, 10, 62, 200])
def test_confusion_of_any_number_of_classes(classes, strange, png, texts):
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    figure = plot_confusion(counts, (strange + [f"class {k}" for k in range(classes)])[:classes])
    axes = figure.axes[0]
    by = ", by class number" if classes > 100 else ""
    assert (axes.get_xlabel(), axes.get_ylabel()) == (f"predicted{by}", f"true{by}")
    assert len(axes.texts) == (np.count_nonzero(counts) if classes <= 20 else 0)
    assert ("$x$" in texts(figure)) == (classes <= 100)
    assert len(png(figure)) < 250_000
    assert max(figure.get_size_inches()) <= 12


def test_a_majority_far_below_does_not_press_the_curves_together(png):
    high = [{**row, "accuracy": 0.99, "val_accuracy": 0.98} for row in history(3)]
    png(figure := plot_curves(high, majority=0.1))
    assert figure.axes[1].get_ylim()[0] > 0.9


def test_a_normalised_confusion_matrix_says_percent(png, texts):
    png(figure := plot_confusion(np.array([[3, 1], [0, 0]]), ["a", "b"], normalised=True))
    assert {"75", "25"} <= set(texts(figure).splitlines())
