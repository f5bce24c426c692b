import numpy as np
import pytest

from kerasexp.plots.study_plots import plot_study_accuracies, plot_study_curves

SPLITS = ("train", "val", "test")


def history(epochs: int) -> dict[str, np.ndarray]:
    rise = np.linspace(0.1, 0.9, epochs)
    return {"epoch": np.arange(1, epochs + 1), "val_accuracy": rise, "val_loss": 1 - rise}


@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("seeds", [1, 3])
def test_accuracies_show_each_seed_and_the_papers_value(count, seeds, png):
    names = [f"variant {k}" for k in range(count)]
    measured = {split: [[0.5 + 0.01 * s for s in range(seeds)]] * count for split in SPLITS}
    reported = {"train": [None] * count, "val": [None] * count, "test": [0.6] + [None] * (count - 1)}
    figure = plot_study_accuracies(names, measured, reported)
    (axes,) = figure.axes
    # Of each split a line of means and one per variant; and the diamond.
    assert len(axes.get_lines()) == 3 * (1 + count) + 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "train, mean", "val, mean", "test, mean", "paper",
    ]  # fmt: skip
    assert png(figure)


def test_without_a_papers_value_there_is_no_diamond(png):
    figure = plot_study_accuracies(["a"], {s: [[0.5]] for s in SPLITS}, {s: [None] for s in SPLITS})
    assert len(figure.legends[0].get_texts()) == 3
    assert png(figure)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_curves_have_a_style_per_variant(count, png):
    figure = plot_study_curves([f"v{k}" for k in range(count)], [[history(8), history(8)]] * count)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].get_lines()}
    assert len(looks) == count
    assert png(figure)


def test_seeds_that_stop_early_leave_the_mean_to_the_others():
    figure = plot_study_curves(["a"], [[history(3), history(6)]])
    line = figure.axes[0].get_lines()[0]
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(line.get_ydata()[3:], history(6)["val_accuracy"][3:])
    np.testing.assert_allclose(line.get_ydata()[1], (0.5 + history(6)["val_accuracy"][1]) / 2)


def test_strange_names_are_drawn_as_they_are(png):
    names = ["$x$", "a_b^c", "数字", "x" * 200, "&lt;"]
    measured = {s: [[0.5]] * 5 for s in SPLITS}
    assert png(plot_study_accuracies(names, measured, {s: [None] * 5 for s in SPLITS}))
    assert png(plot_study_curves(names, [[history(2)]] * 5))
