import numpy as np
import pytest

from kerasexp.plots.confused_pairs_grid import plot_confused_pairs
from kerasexp.plots.grad_cam_grid import plot_grad_cam
from kerasexp.plots.sample_grid import plot_disagreements, plot_samples
from kerasexp.plots.style import RED
from kerasexp.plots.training_image_grid import plot_training_images


def images(count: int, channels: int = 3, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def titles(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def colours(figure) -> list[str]:
    return [text.get_color() for text in figure.axes[0].texts]


def assert_apart(figure) -> None:
    """Nothing that is written or shown covers anything else."""
    (sheet,) = figure.axes
    boxes = [shown.get_window_extent() for shown in (*sheet.get_images(), *sheet.texts)]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :]), (k, box)


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (8, 3), (24, 1)])
def test_samples_are_titled_by_class_and_probability(count, channels, png):
    scores = np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1))
    figure = plot_samples(images(count, channels), np.arange(count) % 2, scores, ["$x$", "<script>"])
    assert titles(figure) == ["$x$  90%" + ("\ntrue: <script>" if i % 2 else "") for i in range(count)]
    assert colours(figure) == [RED if i % 2 else "black" for i in range(count)]
    assert png(figure)


def test_titles_of_strange_classes_keep_apart(strange, png):
    scores = np.eye(10)
    figure = plot_samples(images(10), np.roll(np.arange(10), 1), scores, strange)
    assert titles(figure)[2] == "#2  100%\ntrue: <script>aler…"
    png(figure)
    assert {text.get_fontsize() for text in figure.axes[0].texts} == {10}
    assert_apart(figure)


def test_a_title_that_is_too_wide_is_written_smaller(png):
    figure = plot_samples(images(4), np.array([0, 1, 0, 1]), np.eye(2)[[1, 0, 0, 1]], ["W" * 13, "M" * 13])
    png(figure)
    assert 7 < max(text.get_fontsize() for text in figure.axes[0].texts) < 10
    assert_apart(figure)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (40, 10), (9, 60)])
def test_images_keep_their_shape_and_hang_from_one_line(height, width, png):
    images = np.zeros((5, height, width, 1), np.uint8)
    figure = plot_samples(images, np.zeros(5, int), np.ones((5, 1)), ["cat"])
    png(figure)
    extents = [image.get_extent() for image in figure.axes[0].get_images()]
    for left, right, bottom, top in extents:
        assert (bottom - top) / (right - left) == pytest.approx(height / width)
    assert len({top for *_, top in extents[:4]}) == 1 and extents[4][3] > extents[0][2]
    assert_apart(figure)


@pytest.mark.parametrize(
    "empty",
    [
        lambda: plot_samples(images(0), np.zeros(0, int), np.zeros((0, 2)), ["a", "b"]),
        lambda: plot_disagreements(images(0), np.zeros(0, int), np.zeros((0, 2), int), np.zeros((0, 2)), ["a"]),
    ],
)
def test_no_samples_say_so(empty, png, texts):
    assert "none" in texts(empty())
    assert png(empty())


def test_disagreements_show_the_class_and_the_predictions_of_the_runs(png, strange):
    predicted, confidence = np.array([[0, 2], [2, 5], [5, 8]]), np.array([[0.5, 0.25], [1, 0.75], [0.1, 0.2]])
    figure = plot_disagreements(images(3), np.array([0, 2, 5]), predicted, confidence, strange)
    assert titles(figure) == [
        "true: $x$\n$x$  50%\n#2  25%",
        "true: #2\n#2  100%\ntwo lines  75%",
        "true: two lines\ntwo lines  10%\na very lo… #8  20%",
    ]
    assert png(figure)


def test_of_many_runs_only_the_first_predictions_are_shown(png):
    many = np.zeros((1, 9), int)
    figure = plot_disagreements(images(1), np.array([0]), many, many / 9, ["cat"])
    assert titles(figure) == ["true: cat" + "\ncat  0%" * 4 + "\n…"]
    png(figure)
    assert_apart(figure)


def cam(count: int, channels: int = 3, names=("cat", "dog")):
    heat = np.linspace(0, 1, count * 16 * 16).reshape(count, 16, 16)
    scores = np.tile([0.25, 0.75] + [0] * (len(names) - 2), (count, 1))
    return plot_grad_cam(images(count, channels), heat, heat[::-1], np.zeros(count, int), scores, list(names))


@pytest.mark.parametrize(("count", "columns"), [(1, 3), (2, 6), (3, 6), (8, 6)])
@pytest.mark.parametrize("channels", [1, 3])
def test_grad_cam_shows_each_mistake_in_three_cells(count, columns, channels, png):
    figure = cam(count, channels)
    assert titles(figure) == ["image of\ncat", "evidence for\ndog  75%", "evidence for\ncat  25%"] * count
    assert colours(figure)[:3] == ["black", RED, "black"]
    lefts = {image.get_extent()[0] for image in figure.axes[0].get_images()}
    assert len(lefts) == columns
    assert png(figure)
    assert_apart(figure)


def test_grad_cam_heats_the_hot_place():
    hot = np.zeros((1, 16, 16))
    hot[0, 3, 5] = 1
    grey = np.full((1, 16, 16, 1), 128, np.uint8)
    figure = plot_grad_cam(grey, hot, 0 * hot, np.array([0]), np.array([[0.0, 1.0]]), ["a", "b"])
    _, predicted, true = (np.asarray(image.get_array()) for image in figure.axes[0].get_images())
    assert predicted.shape == (16, 16, 3)
    assert predicted[3, 5, 0] > predicted[3, 5, 2] + 0.1
    assert (predicted != true).any(axis=2).sum() == 1


def test_grad_cam_without_mistakes_and_of_strange_names(png, texts, strange):
    assert "no mistakes" in texts(cam(0))
    assert png(cam(0))
    assert png(cam(2, names=strange[::-1]))


def pair(a: int, b: int, right_a: int, right_b: int, mistakes: int):
    image = images(1, 1)[0]
    return (a, b, 3, 2, images(right_a, 1), images(right_b, 1), [(image, a, b)] * mistakes)


def test_confused_pairs_name_both_ways(png):
    figure = plot_confused_pairs([pair(0, 1, 2, 2, 4), pair(1, 2, 1, 0, 1)], ["o", "O", "Q"])
    first, second = "o predicted as O: 3, O as o: 2", "O predicted as Q: 3, Q as O: 2"
    assert titles(figure) == [first, "o", "o", "O", "O", *["as O"] * 4, second, "O", "as Q"]
    assert colours(figure) == ["black"] * 5 + [RED] * 4 + ["black"] * 2 + [RED]
    assert png(figure)
    assert_apart(figure)


def test_confused_pairs_of_strange_names_keep_apart(png, strange):
    figure = plot_confused_pairs([pair(8, 9, 2, 2, 4), pair(2, 4, 0, 0, 1)], strange)
    png(figure)
    assert_apart(figure)
    assert max(len(title) for title in titles(figure) if "predicted" not in title) == len("as a ver… #8")


def test_no_confused_pairs_say_so(png, texts):
    assert "no mistakes" in texts(plot_confused_pairs([], ["a", "b"]))
    assert png(plot_confused_pairs([], ["a", "b"]))


@pytest.mark.parametrize("channels", [1, 3])
def test_training_images_have_their_labels_below_with_shares_where_they_are_mixed(png, channels):
    labels = np.array([[1, 0, 0], [0.3, 0.7, 0], [0.5, 0.1, 0.4], [0.003, 0.997, 0], [0, 0, 0]], np.float32)
    figure = plot_training_images(images(5, channels), labels, ["cat", "dog", "horse"])
    assert titles(figure) == ["cat", "dog 0.7, cat 0.3", "cat 0.5\nhorse 0.4\ndog 0.1", "dog", "–"]
    assert_apart(figure)
    (sheet,) = figure.axes
    for shown, text in zip(sheet.get_images(), sheet.texts, strict=True):
        assert text.get_window_extent().y1 <= shown.get_window_extent().y0
    assert png(figure)


def test_labels_of_what_an_image_is_not_say_so_and_many_are_counted(png):
    figure = plot_training_images(images(1), np.eye(3)[:1], ["cat", "dog", "horse"], excluded=True)
    assert titles(figure) == ["not cat"]
    many = plot_training_images(images(1), np.ones((1, 9)), [f"label {k}" for k in range(9)])
    assert titles(many) == ["label 0\nlabel 1\nlabel 2\n… 6 more"]
    assert png(many)
