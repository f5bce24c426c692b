"""Plots of a diagnosis."""

import numpy as np
import pytest

from kerasexp.plots.confusion_matrix import plot_confusion
from kerasexp.plots.label_error_grid import plot_label_errors, plot_labelled_images
from kerasexp.plots.mutual_information_plot import plot_mutual_information
from kerasexp.plots.style import RED

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)


def test_likely_wrong_labels_are_titled_by_label_and_suggestion(strange, png):
    labels, suggested = np.arange(10), np.roll(np.arange(10), 1)
    figure = plot_label_errors(IMAGES, labels, suggested, np.full(10, 0.9), strange)
    titles = figure.axes[0].texts
    assert titles[1].get_text() == "label: <script>al…\n$x$  90%"
    assert {title.get_color() for title in titles} == {RED}
    png(figure)
    assert {title.get_fontsize() for title in titles} == {10}


def test_images_are_titled_by_split_and_label(png):
    figure = plot_labelled_images(
        IMAGES[:2], ["train", "test"], np.array([0, 1]), np.array([True, False]), ["cat", "dog"]
    )
    titles = figure.axes[0].texts
    assert [title.get_text() for title in titles] == ["train\ncat", "test\ndog"]
    assert [title.get_color() for title in titles] == [RED, "black"]
    assert png(figure)


@pytest.mark.parametrize("bits", [0.0, 0.002, 3.3])
def test_bits_are_shown_with_those_by_chance(bits, png, texts):
    null = np.random.default_rng(0).gamma(4, 0.0005, 500)
    figure = plot_mutual_information(bits, null, {"all that the labels hold": 3.32, "what an image is NOT": 0.152})
    assert f"these labels: {bits:.4f}" in texts(figure) and "by chance, 500 draws" in texts(figure)
    assert png(figure)


def test_no_bits_at_all_can_be_drawn(png):
    assert png(plot_mutual_information(0.0, np.zeros(500), {"all that the labels hold": 0.0}))


def test_a_table_of_labels_names_its_axes(texts):
    text = texts(plot_confusion(np.diag([3, 4]), ["cat", "dog"], rows="labelled", columns="predicted class"))
    assert (
        "labelled" in text
        and "predicted class" in text
        and "share of the labelled class" in text
        and "true" not in text
    )
