import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kerasexp.plots.search_plots import (
    plot_best_so_far,
    plot_importance,
    plot_parallel,
    plot_slices,
    plot_trial_curves,
)

NAMES = ["units", "<b>$x$", "a name that is much too long for any axis of a figure"]


@pytest.mark.parametrize("count", [1, 50])
def test_the_best_so_far_is_a_step_function(count, png):
    scores = [0.5] * count
    figure = plot_best_so_far(
        list(range(count)), [np.nan, *scores[1:]] if count > 1 else scores, scores, "val_accuracy"
    )
    assert len(figure.axes[0].get_lines()) == 2
    assert png(figure)


def test_curves_show_the_best_and_where_others_ended(png):
    figure = plot_trial_curves([[0.1], [0.2, 0.5, 0.9], []], 1, [True, False, False], "accuracy on val")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["best trial", "other trials", "ended early"]
    assert png(figure)
    assert png(plot_trial_curves([[0.1]], 0, [False], "loss on val"))


@pytest.mark.parametrize("trials", [2, 60])
@pytest.mark.parametrize("axes", [1, 3])
def test_parallel_coordinates_break_where_a_domain_is_not_active(trials, axes, png):
    places = np.random.default_rng(0).uniform(0, 1, (trials, axes))
    places[0, -1] = -1
    scores = np.linspace(0, 1, trials)
    figure = plot_parallel(NAMES[:axes], [[(0.0, "0"), (1.0, "$1$")]] * axes, places, scores)
    assert np.isnan(figure.axes[0].get_lines()[0].get_ydata()[-1])
    assert png(figure)


@pytest.mark.parametrize("count", [1, 3])
def test_importance_has_a_bar_each(count, png):
    figure = plot_importance(NAMES[:count], np.linspace(0.5, -0.01, count), np.full(count, 0.1))
    assert len(figure.axes[0].patches) == count
    assert png(figure)


def test_slices_have_axes_of_their_kind(png):
    figure = plot_slices(
        ["rate", *NAMES],
        [[0.001, 0.01], [0, 1], [1, 3], [0.1, 0.25]],
        [None, ["[8]", "$[32, 16]$"], None, None],
        [(0.0001, 0.01), None, None, None],
        [[0.5, 0.6]] * 4,
        "val_accuracy",
    )
    assert figure.axes[0].get_xscale() == "log"
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    assert all(float(tick).is_integer() for tick in figure.axes[2].get_xticks())
    assert png(figure)
    assert png(plot_slices([], [], [], [], [], "val_accuracy"))


LISTS = st.lists(st.lists(st.integers(1, 4096), max_size=6).map(str), min_size=2, max_size=40, unique=True)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(columns=st.lists(LISTS, min_size=1, max_size=4))
def test_the_ticks_of_lists_do_not_overlap(columns):
    figure = plot_slices(
        [f"domain {k}" for k in range(len(columns))],
        [[*range(len(lists))] for lists in columns],
        columns,
        [None] * len(columns),
        [[0.5] * len(lists) for lists in columns],
        "val_accuracy",
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes[: len(columns)]:
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.get_xticklabels()]
        assert all(one.x1 <= other.x0 + 1 for one, other in zip(boxes, boxes[1:], strict=False))


def test_a_search_of_one_epoch_draws_a_point_for_each_trial():
    figure = plot_trial_curves([[0.1], [0.4], [0.2]], 1, [False] * 3, "accuracy on val")
    assert all(line.get_marker() in ("o", ".") for line in figure.axes[0].get_lines())
