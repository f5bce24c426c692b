import numpy as np
import pytest

from kerasexp.plots.co_occurrence_plot import plot_co_occurrence
from kerasexp.plots.label_set_grid import plot_label_doubts, plot_label_sets

IMAGES = np.zeros((3, 6, 8, 1), np.uint8)
NAMES = ["cat", "dog", "horse"]
TRUE = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]], np.uint8)


def test_images_have_their_labels_and_what_is_wrong(png, texts):
    predicted = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    figure = plot_label_sets(IMAGES, TRUE, predicted, NAMES)
    drawn = texts(figure)
    assert "cat\n− dog\n+ horse" in drawn and "\nhorse\n" in f"\n{drawn}\n" and "–" in drawn
    assert png(figure)


def test_many_labels_are_counted(png, texts):
    names = [f"a long name {k}" for k in range(40)]
    figure = plot_label_sets(IMAGES[:1], np.ones((1, 40), np.uint8), np.zeros((1, 40), bool), names)
    assert "36 more" in texts(figure) or "more" in texts(figure)
    assert png(figure)


def test_doubtful_labels_say_whether_they_are_given(png, texts):
    figure = plot_label_doubts(IMAGES, [0, 2, 1], [True, False, True], [0.01, 0.99, 0.2], NAMES)
    assert "has cat\n1.0% likely" in texts(figure) and "lacks horse\n99.0% likely" in texts(figure)
    assert png(figure)


@pytest.mark.parametrize("classes", [2, 14, 60, 130])
def test_co_occurrence_of_few_and_many_labels(png, texts, classes):
    generator = np.random.default_rng(0)
    true = (generator.random((400, classes)) < 0.3).astype(int)
    predicted = (true + (generator.random((400, classes)) < 0.05)) % 2
    figure = plot_co_occurrence(
        true.T @ true, true.T @ predicted, true.sum(axis=0), [f"label {k}" for k in range(classes)]
    )
    assert "true label" in texts(figure) and ("label 1" in texts(figure)) == (classes <= 100)
    assert png(figure)


def test_a_label_without_images_has_an_empty_row(texts):
    table = np.array([[4, 0], [0, 0]])
    drawn = texts(plot_co_occurrence(table, table, np.array([4, 0]), ["cat", "dog"]))
    assert drawn.count("100") == 2
