"""The figures of a diagnosis, and the words that go with them; a run's page has them too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.diagnosis.image_checks import Place
from kerasexp.diagnosis.results import JudgedLabels, Look
from kerasexp.diagnosis.sentences import percent
from kerasexp.plots.class_counts import plot_class_counts
from kerasexp.plots.confusion_matrix import plot_confusion
from kerasexp.plots.label_errors import plot_label_errors, plot_places
from kerasexp.plots.mutual_information import plot_information
from kerasexp.report.html import Plot

SHOWN_ERRORS, ERROR_COLUMNS, SHOWN_GROUPS, SHOWN_ODD = 18, 6, 8, 8


def label_plots(judged: JudgedLabels, look: Look, section: str) -> Iterator[Plot]:
    """Draw the table of labels and answers, its bits, and the labels that are likely wrong, one after the other."""
    verdict, names = judged.verdict, judged.opinion.class_names
    lowest = verdict.decode == "argmin"
    answer = "least likely class" if lowest else "answer"
    yield Plot(
        section,
        "label_table",
        f"The labels of {judged.split}, a row each, and the {answer} of {judged.judge}. "
        + (
            "They have learned labels of which none is the image's class, so that what they hold least likely is it: "
            "labels that name it would lie on the diagonal."
            if lowest
            else "Labels that name what is seen lie on the diagonal."
        ),
        f"{len(names)} classes; {percent(verdict.agreement)} of the labels lie on the diagonal.",
        plot_confusion(verdict.table, names, rows="labelled", columns=answer),
    )
    limits = {"all that the labels hold": verdict.information.label_bits}
    if len(names) > 2:
        limits["all that labels of what an image is NOT can"] = float(np.log2(len(names) / (len(names) - 1)))
    yield Plot(
        section,
        "information",
        f"Mutual information of the labels of {judged.split} and these answers, and what labels without any tie to the "
        "images would give.",
        f"{verdict.information.bits:.4f} bits; {verdict.information.null.max():.4f} at most by chance.",
        plot_information(verdict.information.bits, verdict.information.null, limits),
    )
    errors = verdict.errors
    if errors is not None and len(errors.positions):
        shown, suggested = errors.positions[:SHOWN_ERRORS], errors.suggested[:SHOWN_ERRORS]
        images = look.splits[judged.split].images[judged.positions[shown]]
        labels = judged.opinion.labels[shown]
        of = judged.split
        doubt = f"Labels of {of} that are likely wrong" if verdict.resolved else f"Labels of {of} that are worth a look"
        yield Plot(
            section,
            "label_errors",
            f"{doubt}, the likeliest first, with what {judged.judge} would have named them.",
            f"The first is labelled {names[labels[0]]}, and is more likely {names[suggested[0]]}.",
            plot_label_errors(
                images, labels, suggested, judged.opinion.y_score[shown, suggested], names, ERROR_COLUMNS
            ),
            chart=False,
        )


def counts_plot(look: Look, section: str) -> Plot:
    """Draw how many images each class has in each split."""
    counts = {split: found.counts for split, found in look.classes.items()}
    smallest = min(int(count.min()) for count in counts.values())
    return Plot(
        section,
        "class_counts",
        "Images of each class in each split.",
        f"{len(look.class_names)} classes; the smallest count in any split is {smallest}.",
        plot_class_counts(counts, look.class_names),
    )


def image_plots(look: Look, section: str) -> Iterator[Plot]:
    """Draw duplicates, blank and inverted images."""
    groups = look.duplicates.groups[:SHOWN_GROUPS]
    if groups:
        conflicting = set(look.duplicates.conflicting)
        places = [place for group in groups for place in group[:2]]
        wrong = [k in conflicting for k, group in enumerate(groups) for _ in group[:2]]
        yield _places_plot(
            look,
            places,
            wrong,
            section,
            "duplicates",
            f"The same image twice, side by side; in red with several labels. {len(groups)} of "
            f"{len(look.duplicates.groups):,} are shown, those with several labels and those across splits first.",
        )
    odd = [*look.odd.inverted[:SHOWN_ODD], *look.odd.blank[:SHOWN_ODD]]
    if odd:
        yield _places_plot(
            look, odd, [False] * len(odd), section, "odd_images", "Images with inverted ink, and blank ones."
        )


def _places_plot(look: Look, places: list[Place], wrong: list[bool], section: str, name: str, caption: str) -> Plot:
    images = np.stack([look.splits[split].images[i] for split, i in places])
    labels = np.array([look.splits[split].labels[i] for split, i in places])
    figure = plot_places(images, [split for split, _ in places], labels, np.array(wrong), look.class_names)
    return Plot(section, name, caption, f"{len(places)} images.", figure, chart=False)
