"""The plots of a run's page where images have several labels; they only draw results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kerasexp.diagnosis.page_plots import image_plots
from kerasexp.plots.co_occurrence_plot import plot_co_occurrence
from kerasexp.plots.feature_map_grid import plot_feature_maps
from kerasexp.plots.label_set_grid import plot_label_doubts, plot_label_sets
from kerasexp.report.html import DrawnPlot, Plot
from kerasexp.report.report_missing_parts import Failure, Unavailable, draw_all
from kerasexp.runs.page_plots import augmented, class_counts, filters, one_vs_rest, training_plots
from kerasexp.runs.results import CLASSES, DATA, NETWORK, PREDICTIONS, Results

MAX_DOUBTS = 18
SIGNS = "Over each image: its labels that are predicted; after a minus those that are missed, after a plus those that are wrong."


def multi_label_plots(results: Results) -> Iterator[DrawnPlot | Failure]:
    """Draw the plots one after the other, in the order of the page; one that fails costs itself alone."""
    yield from training_plots(results)
    for section, plots in MULTI_LABEL_PLOTS:
        yield from draw_all(plots(results), section, plots.__name__.strip("_"))


def _samples(results: Results) -> Iterator[Plot]:
    correct = int(results.test.correct[results.samples].sum())
    yield _gallery(
        results,
        results.samples,
        "samples",
        f"Random images of the test split, first those with all labels right. {SIGNS}",
        f"{correct} images with all labels right, {len(results.samples) - correct} with wrong ones.",
    )


def _mistakes(results: Results) -> Iterator[Plot]:
    if len(results.mistakes):
        most = int(results.test.wrong_labels[results.mistakes[0]])
        yield _gallery(
            results,
            results.mistakes,
            "mistakes",
            f"Test images with the most wrong labels, of equals the most confident ones. {SIGNS}",
            f"The first has {most} wrong label{'s' if most != 1 else ''}.",
        )


def _gallery(results: Results, shown: np.ndarray, name: str, caption: str, alt: str) -> Plot:
    test = results.test
    figure = lambda: plot_label_sets(  # noqa: E731
        results.images(shown), test.y_true[shown], test.y_pred[shown], test.class_names
    )
    return Plot(PREDICTIONS, name, caption, alt, figure, chart=False)


def _co_occurrence(results: Results) -> Iterator[Plot]:
    found = results.labels
    if found is None:
        return
    yield Plot(
        CLASSES,
        "co_occurrence",
        "Labels that images of test have together, in percent of the images of a row's label: left those that have the column's "
        "label, right those that are predicted to. The diagonal on the right is recall; where the right differs from the left, "
        "labels are missed or wrongly added beside that of the row.",
        f"Co-occurrence of {len(results.test.class_names)} labels.",
        lambda: plot_co_occurrence(
            found.true_with_true, found.true_with_predicted, found.support, results.test.class_names
        ),
    )


def _feature_maps(results: Results) -> Iterator[Plot]:
    found, test = results.interpretation, results.test
    if found is not None and found.kernels and results.missing:
        raise Unavailable(results.missing)
    if found is not None and found.maps:
        labels = test.texts(test.y_true[[found.example]])[0] or "no label"
        yield Plot(
            NETWORK,
            "feature_maps",
            "Feature maps of one image: the strongest channels of each convolution.",
            f"Feature maps of an image of {labels}.",
            lambda: plot_feature_maps(results.images(found.example), found.maps, 0, [labels]),
            chart=False,
        )


def _label_doubts(results: Results) -> Iterator[Plot]:
    found = results.labels.errors[:MAX_DOUBTS] if results.labels is not None and results.data is not None else []
    if found:
        names, first = results.test.class_names, found[0]
        images = results.data.splits["val"].images[np.array([doubt.position for doubt in found])]
        yield Plot(
            DATA,
            "label_errors",
            "Labels of val that are likely wrong, the likeliest first, with the probability that this run's model gives the "
            "label.",
            f"{len(results.labels.errors)} labels; the first is {names[first.label]}, which is "
            f"{'given' if first.is_given else 'missing'}.",
            lambda: plot_label_doubts(
                images,
                [doubt.label for doubt in found],
                [doubt.is_given for doubt in found],
                [doubt.probability for doubt in found],
                names,
            ),
            chart=False,
        )


def _unusual_images(results: Results) -> Iterator[Plot]:
    if results.diagnosis is not None:
        yield from image_plots(results.diagnosis.overview, DATA)


# Those after the plots of the training, in the order of the page.
MULTI_LABEL_PLOTS: list[tuple[str, Callable[[Results], Iterator[Plot]]]] = [
    (PREDICTIONS, _samples),
    (PREDICTIONS, _mistakes),
    (CLASSES, _co_occurrence),
    (CLASSES, one_vs_rest),
    (NETWORK, filters),
    (NETWORK, _feature_maps),
    (DATA, augmented),
    (DATA, class_counts),
    (DATA, _label_doubts),
    (DATA, _unusual_images),
]
