import numpy as np
import pytest
from matplotlib.collections import PathCollection

from kerasexp.plots.class_count_bars import plot_class_counts
from kerasexp.plots.embedding_scatter import plot_embedding
from kerasexp.plots.style import RED


def named(strange: list[str], classes: int) -> list[str]:
    return (strange + [f"class {k}" for k in range(classes)])[:classes]


@pytest.mark.parametrize("classes", [2, 10, 62, 200])
def test_class_counts_have_a_bar_per_class_and_a_row_per_split(classes, strange, png, texts):
    counts = {split: np.arange(1, classes + 1) * size for split, size in (("train", 9), ("val", 1), ("test", 3))}
    figure = plot_class_counts(counts, named(strange, classes))
    assert [len(axes.patches) for axes in figure.axes] == [classes] * 3
    assert figure.axes[2].get_xlabel() == ("class" if classes <= 100 else "class number")
    assert [axes.get_ylabel() for axes in figure.axes] == ["images"] * 3
    assert f"val: {classes * (classes + 1) // 2:,} images; smallest class $x$ (1)" in texts(figure)
    assert len(png(figure)) < 250_000


@pytest.mark.parametrize("classes", [3, 200])
def test_a_class_without_images_is_marked(classes, png, texts):
    images = np.full(classes, 7)
    images[1] = 0
    figure = plot_class_counts({"train": images + 1, "test": images}, [f"c{k}" for k in range(classes)])
    train, test = figure.axes
    assert not train.get_lines()
    assert [(*mark.get_xydata().tolist(), mark.get_color()) for mark in test.get_lines()] == [([1, 0], RED)]
    assert "smallest class c1 (0), largest c0 (7)" in texts(figure)
    assert png(figure)


def test_equal_classes_are_said_to_be_equal(texts):
    figure = plot_class_counts({"train": np.array([5000, 5000]), "test": np.array([1, 1])}, ["cat", "dog"])
    assert "train: 10,000 images; 5,000 of each class" in texts(figure)


def test_names_stand_only_below_the_last_split():
    figure = plot_class_counts({"train": np.ones(2, int), "test": np.ones(2, int)}, ["cat", "dog"])
    figure.draw_without_rendering()
    shown = [[label.get_text() for label in axes.get_xticklabels() if label.get_visible()] for axes in figure.axes]
    assert shown == [[], ["cat", "dog"]]


def embedding(classes: int, names: list[str], count: int = 1000):
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, classes, count)
    points = 20 * rng.normal(size=(classes, 2))[y_true] + rng.normal(size=(count, 2))
    return plot_embedding(points, y_true, np.arange(count) % 9 == 0, names, "t-SNE")


@pytest.mark.parametrize("classes", [2, 10, 20, 62, 200])
def test_embedding_of_any_number_of_classes(classes, strange, png):
    figure = embedding(classes, named(strange, classes))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("t-SNE, first dimension", "t-SNE, second dimension")
    *groups, wrong = [group for group in axes.collections if isinstance(group, PathCollection)]
    assert sum(len(group.get_offsets()) for group in groups) == 1000
    assert len(wrong.get_offsets()) == 112
    looks = {(tuple(group.get_facecolor()[0]), group.get_paths()[0].vertices.tobytes()) for group in groups}
    assert len(looks) == len(groups) == len(np.unique(np.random.default_rng(0).integers(0, classes, 1000)))
    assert len(png(figure)) < 210_000
    if classes == 10:
        assert {"$x$", "#2", '"quoted"', "_"} < {text.get_text() for text in axes.texts}


def test_names_in_an_embedding_do_not_cover_each_other(png):
    figure = embedding(200, [f"species {k}" for k in range(200)])
    png(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > 20
    overlaps = [a.overlaps(b.padded(-2)) for k, a in enumerate(boxes) for b in boxes[k + 1 :]]
    assert not any(overlaps)


def test_embedding_of_one_image_and_of_none(png, texts):
    one = plot_embedding(np.zeros((1, 2)), np.array([1]), np.array([False]), ["a", "b"], "PCA")
    assert [text.get_text() for text in one.axes[0].texts] == ["b"]
    assert "misclassified" not in texts(one)
    assert png(one)
    none = plot_embedding(np.zeros((0, 2)), np.zeros(0, int), np.zeros(0, bool), ["a", "b"], "PCA")
    assert "no images" in texts(none)
    assert png(none)
