"""The plots of a diagnosis with their captions; a run's page shows them too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.data.label_sets import as_classes
from kerasexp.diagnosis.diagnosis_sentences import percent
from kerasexp.diagnosis.image_diagnosis import Place
from kerasexp.diagnosis.label_information import complementary_limit
from kerasexp.diagnosis.results import DatasetOverview, LabelAssessment
from kerasexp.evaluation.confusion_counts import in_blocks
from kerasexp.plots.class_count_bars import plot_class_counts
from kerasexp.plots.confusion_matrix import plot_confusion
from kerasexp.plots.label_error_grid import plot_label_errors, plot_labelled_images
from kerasexp.plots.mutual_information_plot import plot_mutual_information
from kerasexp.report.html import Plot

MAX_ERRORS, MAX_GROUPS, MAX_UNUSUAL = 18, 8, 8


def label_plots(labels: LabelAssessment, overview: DatasetOverview, section: str) -> Iterator[Plot]:
    """Yield the plots of one assessment."""
    yield _label_table(labels, section)
    yield _information(labels, section)
    if labels.verdict.errors is not None and len(labels.verdict.errors.positions):
        yield _label_errors(labels, overview, section)


def _label_table(labels: LabelAssessment, section: str) -> Plot:
    verdict, names = labels.verdict, labels.predictions.class_names
    column, note = "predicted class", "Labels that agree lie on the diagonal."
    if verdict.decode == "argmin":
        column = "least likely class"
        note = "After training on complementary labels the least likely class is the true one; such labels avoid the diagonal."
    counts, block = in_blocks(verdict.table)
    return Plot(
        section,
        "label_table",
        f"Labels of {labels.split} (rows) and {column} by {labels.assessor} (columns). {note}",
        f"{len(names)} classes; {percent(verdict.agreement)} of the labels lie on the diagonal.",
        lambda: plot_confusion(counts, names, rows="labelled", columns=column, block=block),
    )


def _information(labels: LabelAssessment, section: str) -> Plot:
    information, classes = labels.verdict.information, len(labels.predictions.class_names)
    limits = {"entropy of the labels": information.label_bits}
    if classes > 2:
        limits["limit of labels of what an image is NOT"] = complementary_limit(classes)
    return Plot(
        section,
        "information",
        f"Mutual information of the labels of {labels.split} and the predictions, and its distribution for independent labels.",
        f"{information.bits:.4f} bits; {information.null.max():.4f} at most by chance.",
        lambda: plot_mutual_information(information.bits, information.null, limits),
    )


def _label_errors(labels: LabelAssessment, overview: DatasetOverview, section: str) -> Plot:
    errors, predictions, names = labels.verdict.errors, labels.predictions, labels.predictions.class_names
    shown, suggested = errors.positions[:MAX_ERRORS], errors.suggested[:MAX_ERRORS]
    given = predictions.labels[shown]
    images = overview.splits[labels.split].images[labels.positions[shown]]
    what = "are likely wrong" if labels.verdict.resolved else "may be wrong"
    return Plot(
        section,
        "label_errors",
        f"Labels of {labels.split} that {what}, the likeliest first, with the prediction of {labels.assessor}.",
        f"The first has the label {names[given[0]]}, and is more likely {names[suggested[0]]}.",
        lambda: plot_label_errors(images, given, suggested, predictions.y_score[shown, suggested], names),
        chart=False,
    )


def class_counts_plot(overview: DatasetOverview, section: str) -> Plot:
    """Return the plot of the number of images of each class in each split."""
    counts = {split: found.counts for split, found in overview.classes.items()}
    noun = "images" if all(found.images is None for found in overview.classes.values()) else "labels"
    smallest = min(int(count.min()) for count in counts.values())
    return Plot(
        section,
        "class_counts",
        "Number of images of each class in each split.",
        f"{len(overview.class_names)} classes; the smallest count in any split is {smallest}.",
        lambda: plot_class_counts(counts, overview.class_names, noun),
    )


def image_plots(overview: DatasetOverview, section: str) -> Iterator[Plot]:
    """Yield the plots of duplicates, and of blank and inverted images."""
    groups = overview.duplicates.groups[:MAX_GROUPS]
    if groups:
        conflicting = set(overview.duplicates.conflicting)
        places = [place for group in groups for place in group[:2]]
        red = [k in conflicting for k, group in enumerate(groups) for _ in group[:2]]
        caption = (
            f"Duplicates side by side, in red with several labels. {len(groups)} of {len(overview.duplicates.groups):,} are "
            "shown: first those with several labels, then those in several splits."
        )
        yield _places_plot(overview, places, red, section, "duplicates", caption)
    unusual = [*overview.unusual.inverted[:MAX_UNUSUAL], *overview.unusual.blank[:MAX_UNUSUAL]]
    if unusual:
        red = [False] * len(unusual)
        yield _places_plot(overview, unusual, red, section, "odd_images", "Images with inverted ink, and blank images.")


def _places_plot(
    overview: DatasetOverview, places: list[Place], red: list[bool], section: str, name: str, caption: str
) -> Plot:
    images = np.stack([overview.splits[split].images[i] for split, i in places])
    labels, names = as_classes(
        np.array([overview.splits[split].labels[i] for split, i in places]), overview.class_names
    )
    figure = plot_labelled_images(images, [split for split, _ in places], labels, np.array(red), names)
    return Plot(section, name, caption, f"{len(places)} images.", figure, chart=False)
