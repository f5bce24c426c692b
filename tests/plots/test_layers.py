import numpy as np
import pytest
from matplotlib.colors import to_rgba

from kerasexp.plots.feature_map_grid import plot_feature_maps
from kerasexp.plots.filter_grid import plot_filters
from kerasexp.plots.gradient_curves import plot_gradient_flow
from kerasexp.plots.mosaic import mosaic

RNG = np.random.default_rng(0)


def flow(steps: int, layers: int):
    values = np.geomspace(1, 1e-3, steps)[:, None] * 2.0 ** -np.arange(layers) * RNG.uniform(0.9, 1.1, (steps, layers))
    return plot_gradient_flow(np.arange(steps) * 10, [f"conv_{k}" for k in range(layers)], values, values, values / 1e3)


@pytest.mark.parametrize(
    ("layers", "named"),
    [(1, ["conv_0"]), (12, [f"conv_{k}" for k in range(12)]), (50, ["conv_0", "conv_25", "conv_49"])],
)
def test_gradient_flow_has_a_line_per_layer(layers, named, png):
    figure = flow(40, layers)
    assert [len(axes.get_lines()) for axes in figure.axes] == [layers, layers, layers + 1]
    assert [axes.get_yscale() for axes in figure.axes] == ["log"] * 3
    assert all(axes.get_xlabel() == "step" and axes.get_ylabel() for axes in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == named
    assert len(png(figure)) < 250_000


def test_gradient_flow_colours_layers_from_input_to_output():
    colours = [sum(to_rgba(line.get_color())[:3]) for line in flow(9, 5).axes[0].get_lines()]
    assert colours == sorted(colours)


def test_zeros_leave_gaps_and_the_rule_of_thumb_is_marked(png):
    mean = np.array([[1.0], [0.0], [np.inf], [2.0]])
    figure = plot_gradient_flow(np.arange(4), ["dense"], mean, np.zeros((4, 1)), np.full((4, 1), np.nan))
    first, second, third = figure.axes
    assert np.isnan(first.get_lines()[0].get_ydata()).tolist() == [False, True, True, False]
    assert np.isnan(second.get_lines()[0].get_ydata()).all()
    assert list(third.get_lines()[-1].get_ydata()) == [1e-3, 1e-3]
    assert png(figure)


def test_gradient_flow_of_a_single_step(png):
    assert png(flow(1, 3))


def test_a_mosaic_lays_tiles_out_row_by_row():
    tiles = np.arange(3)[:, None, None, None] * np.full((1, 2, 2, 3), 0.2)
    grid = mosaic(tiles, 2)
    height, width, _ = grid.shape
    assert height == width
    middles = grid[height // 4 :: height // 2, width // 4 :: width // 2, 0]
    assert np.allclose(middles, [[0, 0.2], [0.4, 1]])


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        ((3, 3, 1, 32), "32 kernels"),
        ((7, 7, 3, 96), "64 of 96 kernels"),
        ((1, 1, 3, 1), "1 kernel"),
        ((1, 1, 64, 128), "8 of 128 kernels, 8 of 64 input channels"),
        ((1, 7, 2, 6), "6 kernels, 2 input channels"),
        ((3, 3, 40, 1), "1 kernel, 8 of 40 input channels"),
    ],
)
def test_filters_say_how_many_they_show(shape, counts, png):
    figure = plot_filters({"$stem$": RNG.normal(size=shape)})
    assert figure.axes[0].get_title() == f"$stem$: {counts}"
    assert ("input channel" in figure.axes[0].get_xlabel()) == ("input" in counts)
    assert len(png(figure)) < 250_000


def test_signed_weights_are_coloured_around_zero():
    kernel = np.zeros((1, 1, 1, 3))
    kernel[0, 0, 0] = [-2, 0, 1]
    figure = plot_filters({"conv": kernel})
    image = np.asarray(figure.axes[0].get_images()[0].get_array())
    width = image.shape[1]
    low, zero, high = image[image.shape[0] // 2, width // 6 :: width // 3]
    assert low[2] > low[0] and high[0] > high[2]
    assert np.ptp(zero) < 0.02
    assert figure.axes[1].get_ylim() == (-2, 2)


def test_kernels_of_three_channels_are_colours():
    kernel = np.zeros((1, 1, 3, 2))
    kernel[0, 0, :, 0], kernel[0, 0, :, 1] = [5, -5, -5], [0, 0, 0.1]
    image = np.asarray(plot_filters({"conv": kernel}).axes[0].get_images()[0].get_array())
    row = image[image.shape[0] // 2]
    assert row[len(row) // 4].tolist() == [1, 0, 0]
    assert row[3 * len(row) // 4].tolist() == [0, 0, 1]


def test_filters_of_two_layers_of_constant_ones_and_of_none(png, texts):
    figure = plot_filters({"first": np.zeros((3, 3, 1, 8)), "last": np.ones((3, 3, 3, 8))})
    assert "first: 8 kernels" in texts(figure) and "last: 8 kernels" in texts(figure)
    assert png(figure)
    assert "no convolution" in texts(plot_filters({}))
    assert png(plot_filters({}))


@pytest.mark.parametrize("channels", [1, 3])
def test_feature_maps_show_the_strongest_channels(channels, png):
    image = RNG.integers(0, 256, (28, 28, channels), np.uint8)
    activation = np.zeros((6, 6, 20))
    activation[0, 0] = np.arange(20)
    figure = plot_feature_maps(image, {"conv": activation, "small": np.ones((1, 1, 3))}, 1, ["cat", "日本語"])
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "#1",
        "conv: the 8 strongest of 20 channels, 6 × 6",
        "small: 3 channels, 1 × 1",
    ]
    assert png(figure)


def test_feature_maps_come_from_the_strongest_on():
    activation = np.zeros((48, 48, 9))
    for k in range(9):
        activation[: k + 1, :, k] = 1
    figure = plot_feature_maps(np.zeros((8, 8, 1), np.uint8), {"conv": activation}, 0, ["cat"])
    grid = np.asarray(figure.axes[0].get_images()[1].get_array())
    tile = grid.shape[1] // 8
    bright = [(grid[:, k * tile + tile // 2, 0] > 0.9).sum() for k in range(8)]
    assert bright == sorted(bright, reverse=True) and bright[0] == bright[7] + 7


def test_feature_maps_of_a_model_without_convolution(png):
    assert png(plot_feature_maps(np.zeros((8, 8, 1), np.uint8), {}, 0, ["cat"]))
