import numpy as np
import pytest

from kerasexp.plots.attention import plot_grad_cam
from kerasexp.plots.confused_pairs import plot_confused_pairs
from kerasexp.plots.samples import plot_disagreements, plot_samples
from kerasexp.plots.style import RED


def pictures(count: int, channels: int = 3, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_images()]


def colours(figure) -> list[str]:
    return [axes.title.get_color() for axes in figure.axes if axes.get_images()]


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (8, 3), (24, 1)])
def test_samples_are_titled_by_class_and_probability(count, channels, png):
    scores = np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1))
    figure = plot_samples(pictures(count, channels), np.arange(count) % 2, scores, ["$x$", "<script>"])
    assert titles(figure) == ["$x$  90%" + ("\ntrue: <script>" if i % 2 else "") for i in range(count)]
    assert colours(figure) == [RED if i % 2 else "black" for i in range(count)]
    assert png(figure)


def test_samples_of_strange_classes_keep_their_size(strange, png):
    scores = np.eye(10)
    figure = plot_samples(pictures(10), np.roll(np.arange(10), 1), scores, strange)
    assert titles(figure)[2] == "#2  100%\ntrue: <script>aler…"
    png(figure)
    # A title wider than its picture would have squeezed the pictures.
    assert min(axes.get_position().width for axes in figure.axes) > 0.23


@pytest.mark.parametrize(
    "empty",
    [
        lambda: plot_samples(pictures(0), np.zeros(0, int), np.zeros((0, 2)), ["a", "b"]),
        lambda: plot_disagreements(pictures(0), np.zeros(0, int), np.zeros((0, 2), int), np.zeros((0, 2)), ["a"]),
    ],
)
def test_no_samples_say_so(empty, png, texts):
    assert "none" in texts(empty())
    assert png(empty())


def test_disagreements_name_the_class_and_the_answers_of_the_runs(png, strange):
    answers, confidence = np.array([[0, 2], [2, 5], [5, 8]]), np.array([[0.5, 0.25], [1, 0.75], [0.1, 0.2]])
    figure = plot_disagreements(pictures(3), np.array([0, 2, 5]), answers, confidence, strange)
    assert titles(figure) == [
        "true: $x$\n$x$  50%\n#2  25%",
        "true: #2\n#2  100%\ntwo lines  75%",
        "true: two lines\ntwo lines  10%\na very lo… #8  20%",
    ]
    assert png(figure)


def test_of_many_runs_only_the_first_answers_are_shown(png):
    many = np.zeros((1, 9), int)
    figure = plot_disagreements(pictures(1), np.array([0]), many, many / 9, ["cat"])
    assert titles(figure) == ["true: cat" + "\ncat  0%" * 4 + "\n…"]
    png(figure)
    assert figure.axes[0].get_position().height > 0.5


def cam(count: int, channels: int = 3, names=("cat", "dog")):
    heat = np.linspace(0, 1, count * 16 * 16).reshape(count, 16, 16)
    scores = np.tile([0.25, 0.75] + [0] * (len(names) - 2), (count, 1))
    return plot_grad_cam(pictures(count, channels), heat, heat[::-1], np.zeros(count, int), scores, list(names))


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (2, 6), (3, 6), (8, 6)])
@pytest.mark.parametrize("channels", [1, 3])
def test_grad_cam_shows_each_mistake_in_three_cells(count, columns, channels, png):
    figure = cam(count, channels)
    assert titles(figure) == ["picture of\ncat", "what speaks for\ndog  75%", "what speaks for\ncat  25%"] * count
    assert colours(figure)[:3] == ["black", RED, "black"]
    assert figure.axes[0].get_gridspec().ncols == columns
    assert png(figure)


def test_grad_cam_heats_the_hot_place():
    hot = np.zeros((1, 16, 16))
    hot[0, 3, 5] = 1
    grey = np.full((1, 16, 16, 1), 128, np.uint8)
    figure = plot_grad_cam(grey, hot, 0 * hot, np.array([0]), np.array([[0.0, 1.0]]), ["a", "b"])
    _, predicted, true = (np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes)
    assert predicted.shape == (16, 16, 3)
    assert predicted[3, 5, 0] > predicted[3, 5, 2] + 0.1
    assert (predicted != true).any(axis=2).sum() == 1


def test_grad_cam_without_mistakes_and_of_strange_names(png, texts, strange):
    assert "no mistakes" in texts(cam(0))
    assert png(cam(0))
    assert png(cam(2, names=strange[::-1]))


def pair(a: int, b: int, right_a: int, right_b: int, mistakes: int):
    image = pictures(1, 1)[0]
    return (a, b, 3, 2, pictures(right_a, 1), pictures(right_b, 1), [(image, a, b)] * mistakes)


def test_confused_pairs_name_both_ways(png, texts):
    figure = plot_confused_pairs([pair(0, 1, 2, 2, 4), pair(1, 2, 1, 0, 1)], ["o", "O", "Q"])
    assert "o / O: 3 as O, 2 as o" in texts(figure)
    assert "O / Q: 3 as Q, 2 as O" in texts(figure)
    shown = [title.strip() for title in titles(figure)]
    assert shown == ["o", "o", "O", "O", *["as O"] * 4, "O", "as Q"]
    assert colours(figure) == ["black"] * 4 + [RED] * 4 + ["black", RED]
    assert png(figure)


def test_confused_pairs_of_strange_names_keep_their_size(png, strange):
    figure = plot_confused_pairs([pair(8, 9, 2, 2, 4), pair(2, 4, 0, 0, 1)], strange)
    png(figure)
    assert min(axes.get_position().width for axes in figure.axes) > 0.1
    assert max(len(title.strip()) for title in titles(figure)) == len("as a ver… #8")


def test_no_confused_pairs_say_so(png, texts):
    assert "no mistakes" in texts(plot_confused_pairs([], ["a", "b"]))
    assert png(plot_confused_pairs([], ["a", "b"]))
