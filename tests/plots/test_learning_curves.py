import numpy as np
import pytest

from kerasexp.plots.learning_curves import plot_intervals, plot_learning_curves


def curve(points: int, first: int = 1) -> dict[str, np.ndarray]:
    steps = first + np.arange(points)
    rise = np.linspace(0.1, 0.9, points)
    return {"step": steps, "seconds": steps * 0.5, "val_accuracy": rise, "val_loss": 1 - rise}


@pytest.mark.parametrize("count", [1, 3, 8])
def test_learning_curves_show_every_run_four_times(count, png):
    figure = plot_learning_curves([(f"run {k}", curve(30)) for k in range(count)])
    assert [len(axes.get_lines()) for axes in figure.axes] == [count] * 4
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [
        ("training steps", "accuracy on val"),
        ("seconds of training", "accuracy on val"),
        ("training steps", "loss on val"),
        ("seconds of training", "loss on val"),
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"run {k}" for k in range(count)]
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines()}
    assert len(looks) == count
    assert len(png(figure)) < 250_000


@pytest.mark.parametrize(
    ("points", "first", "scale"), [(30, 1, "linear"), (30, 0, "linear"), (60, 1, "symlog"), (60, 0, "symlog")]
)
def test_a_wide_range_is_logarithmic(points, first, scale, png):
    figure = plot_learning_curves([("a", curve(points, first))])
    assert {axes.get_xscale() for axes in figure.axes} == {scale}
    assert png(figure)


def test_a_run_of_one_point_is_visible():
    figure = plot_learning_curves([("a", curve(1)), ("b", curve(1, 0))])
    assert {line.get_marker() for axes in figure.axes for line in axes.get_lines()} == {"."}


def test_runs_of_strange_names(png, strange):
    figure = plot_learning_curves([(name, curve(3)) for name in strange])
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown[0] == "$x$" and shown[2] == "#2" and shown[7] == "_"
    assert png(figure)
    ones = np.full(len(strange), 0.5)
    assert png(plot_intervals(strange, ones, ones - 0.1, ones + 0.1, [None] * len(strange)))


def test_intervals_show_the_measured_and_the_papers_accuracy(png, texts):
    figure = plot_intervals(
        ["one", "two"], np.array([0.9, 0.8]), np.array([0.88, 0.7]), np.array([0.91, 0.85]), [None, 0.83]
    )
    (axes,) = figure.axes
    _, _, (bars,) = axes.containers[0].lines
    assert np.allclose(bars.get_segments(), [[[0.88, 0], [0.91, 0]], [[0.7, 1], [0.85, 1]]])
    (diamond,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
    assert (diamond.get_xdata().tolist(), diamond.get_ydata().tolist()) == ([0.83], [1])
    assert diamond.get_fillstyle() == "none"
    assert axes.get_xlabel() == "test accuracy"
    # The first run stands at the top.
    assert axes.get_ylim() == (1.5, -0.5)
    assert "paper" in texts(figure)
    assert png(figure)


def test_intervals_without_a_papers_value_have_no_diamond(png, texts):
    figure = plot_intervals(["one"], np.array([1.0]), np.array([0.9]), np.array([1.0]), [None])
    assert "paper" not in texts(figure)
    assert png(figure)
