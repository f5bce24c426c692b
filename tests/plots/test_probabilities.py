import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from kerasexp.plots.reliability_diagram import plot_reliability
from kerasexp.plots.roc_curves import plot_one_vs_rest
from kerasexp.plots.style import GREY


def one_vs_rest(classes: int, names: list[str], sharpness: float, missing: int | None = None):
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, classes, max(300, 10 * classes))
    y_true = y_true[y_true != missing]
    scores = rng.normal(size=(len(y_true), classes)) + sharpness * np.eye(classes)[y_true]
    roc, pr, auc, precision = [], [], np.full(classes, np.nan), np.full(classes, np.nan)
    for k in range(classes):
        own = y_true == k
        if not 0 < own.sum() < len(own):
            roc.append(None)
            pr.append(None)
            continue
        roc.append(roc_curve(own, scores[:, k])[:2])
        pr.append(precision_recall_curve(own, scores[:, k])[1::-1])
        auc[k], precision[k] = roc_auc_score(own, scores[:, k]), average_precision_score(own, scores[:, k])
    return plot_one_vs_rest(roc, pr, auc, precision, names)


def legends(figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]


@pytest.mark.parametrize(("classes", "named"), [(2, 2), (10, 10), (62, 3), (200, 3)])
def test_one_vs_rest_has_a_line_per_class(classes, named, strange, png):
    figure = one_vs_rest(classes, (strange + [f"class {k}" for k in range(classes)])[:classes], 1.5)
    roc, pr = figure.axes
    # The mean and the chance line come on top.
    assert (len(roc.get_lines()), len(pr.get_lines())) == (classes + 2, classes)
    assert [len(labels) for labels in legends(figure)] == [named + 1, named]
    assert (roc.get_xlabel(), roc.get_ylabel()) == ("false positive rate", "true positive rate")
    assert (pr.get_xlabel(), pr.get_ylabel()) == ("recall", "precision")
    assert (roc.get_title(), pr.get_title()) == ("ROC", "Precision and recall")
    assert len(png(figure)) < 250_000


def test_of_many_classes_the_three_worst_are_coloured():
    curve = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    auc = np.linspace(0.9, 0.5, 20)
    figure = plot_one_vs_rest([curve] * 20, [curve] * 20, auc, auc[::-1], [f"c{k}" for k in range(20)])
    roc, pr = legends(figure)
    assert [label.split()[0] for label in roc[:3]] == ["c19", "c18", "c17"]
    assert [label.split()[0] for label in pr] == ["c0", "c1", "c2"]
    assert sum(line.get_color() == GREY for line in figure.axes[1].get_lines()) == 17


def test_the_mean_is_that_of_the_curves():
    perfect, chance = (np.array([0.0, 0, 1]), np.array([0.0, 1, 1])), (np.array([0.0, 1]), np.array([0.0, 1]))
    figure = plot_one_vs_rest([perfect, chance], [chance] * 2, np.array([1, 0.5]), np.array([0.5, 0.5]), ["a", "b"])
    (mean,) = [line for line in figure.axes[0].get_lines() if line.get_color() == "black"]
    rates, means = mean.get_data()
    assert np.allclose(means[1:], (1 + rates[1:]) / 2)
    assert (rates[0], means[0]) == (0, 0)
    assert "mean of the classes  0.7500" in legends(figure)[0]


@pytest.mark.parametrize(("sharpness", "times"), [(4.5, 5), (9, 20)])
def test_where_all_sit_in_the_corner_it_is_enlarged(sharpness, times, png):
    figure = one_vs_rest(4, list("abcd"), sharpness)
    roc, pr = figure.axes
    assert roc.get_title() == f"ROC: only the corner, enlarged {times} times"
    assert roc.get_xlim()[1] == pytest.approx(1.02 / times)
    assert pr.get_xlim()[0] == pytest.approx(1 - 1.02 / times)
    assert not any(line.get_linestyle() == ":" for line in roc.get_lines())
    assert png(figure)


def test_a_class_without_images_has_no_curve(png, texts):
    figure = one_vs_rest(3, ["a", "b", "c"], 1, missing=1)
    assert [label.split()[0] for label in legends(figure)[1]] == ["a", "c"]
    assert "area under the curve (undefined for 1 of 3 classes)" in texts(figure)
    assert png(figure)


def test_images_of_one_class_have_no_curves(png, texts):
    nan = np.full(2, np.nan)
    figure = plot_one_vs_rest([None, None], [None, None], nan, nan, ["a", "b"])
    assert "undefined" in texts(figure)
    assert png(figure)


def bins(counts: list[int]):
    counts = np.array(counts)
    centre = (np.arange(len(counts)) + 0.5) / len(counts)
    values = [np.where(counts > 0, value, np.nan) for value in (centre, centre**2, centre**2 / 2, centre**0.5)]
    return (*values, counts)


def test_reliability_has_a_point_per_bin_with_images(png, texts):
    figure = plot_reliability(bins([0, 0, 4, 9, 20]))
    diagram, histogram = figure.axes
    (errorbar,) = diagram.containers
    points, _, (bars,) = errorbar.lines
    assert np.allclose(points.get_data(), [[0.5, 0.7, 0.9], [0.25, 0.49, 0.81]])
    assert np.allclose([segment[:, 1] for segment in bars.get_segments()][0], [0.125, 0.5**0.5])
    assert histogram.get_yscale() == "linear"
    assert (diagram.get_ylabel(), histogram.get_ylabel()) == ("accuracy", "images")
    assert "confidence" in histogram.get_xlabel()
    assert "temperature" not in texts(figure)
    assert png(figure)


def test_reliability_after_calibration_stands_beside(png, texts):
    figure = plot_reliability(bins([0, 2, 4, 9, 2000]), bins([1, 0, 40, 900, 20]))
    diagram, histogram = figure.axes
    assert len(diagram.containers) == 2
    assert [list(patch.get_data().values) for patch in histogram.patches] == [[0, 2, 4, 9, 2000], [1, 0, 40, 900, 20]]
    assert histogram.get_yscale() == "log"
    assert "after temperature scaling" in texts(figure)
    assert png(figure)


def test_reliability_without_images_is_empty(png):
    assert png(plot_reliability(bins([0] * 10)))
