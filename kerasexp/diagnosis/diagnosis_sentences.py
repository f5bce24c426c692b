"""The results in sentences, the same on the console, on the page and in JSON."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.diagnosis.image_diagnosis import Place, StoredImages
from kerasexp.diagnosis.label_information import complementary_limit
from kerasexp.diagnosis.results import DatasetOverview, Diagnosis, LabelAssessment
from kerasexp.diagnosis.split_diagnosis import FEW, SMALL_SHIFT, ClassCounts
from kerasexp.errors import listing
from kerasexp.evaluation.confusion_counts import matched_count

LISTED = 5


def headline(assessment: LabelAssessment) -> str:
    """Return one sentence on the verdict, to be written after its kind and a colon."""
    verdict, assessor = assessment.verdict, assessment.assessor
    chance = f"(by chance: {percent(verdict.chance)})"
    agree = f"{percent(verdict.agreement)} of the labels agree with {assessor} {chance}"
    if verdict.kind == "permuted":
        whose = "" if assessment.knows_class_names else "train's "
        moves = listing((f"{label} means {whose}{name}" for label, name in verdict.permutation.items()), 30)
        agreement = percent(_agreement_after_permutation(assessment))
        return f"the label {moves}; so corrected, {agreement} of the labels agree with {assessor}"
    if verdict.kind == "complementary":
        agreement = percent(verdict.agreement)
        return (
            f"the labels say what an image is NOT; {agreement} of them are the class predicted by {assessor} {chance}"
        )
    if verdict.kind == "random":
        return f"the labels share no more information with the predictions of {assessor} than by chance"
    if verdict.kind == "unclear" and not verdict.is_telling:
        return f"the images are too few, or too many of them are of one class, to tell the kind of labels; {agree}"
    if verdict.kind == "unclear":
        return f"the labels depend on the images, but do not name their classes; {agree}"
    if verdict.kind == "noisy":
        interval = f"95 % interval {percent(verdict.low)} to {percent(verdict.high)}"
        condition = f", if {assessor} is right" if assessment.knows_class_names else ""
        return f"about {percent(verdict.rate)} of the labels are wrong{condition} ({interval}); {agree}"
    if verdict.resolved:
        return agree + (f"; {percent(verdict.rate)} may be wrong" if verdict.rate else "")
    return f"{agree}; the model's own errors may explain the difference"


def percent(share: float) -> str:
    """Return a share as it is written in a sentence."""
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.0005 else "less than 0.1 %"


def evidence_sentences(assessment: LabelAssessment) -> Iterator[str]:
    """Yield the sentences that follow the headline: information in bits, likely errors, and what cannot be estimated."""
    verdict, information = assessment.verdict, assessment.verdict.information
    classes = len(assessment.predictions.class_names)
    limit = f"the {information.label_bits:.3f} bits of the labels"
    if verdict.kind == "complementary" and classes > 2:
        limit = f"at most {complementary_limit(classes):.3f} bits in labels that say what an image is NOT"
    least = information.p_value <= 1 / len(information.null)
    yield (
        f"Labels and predictions share {information.bits:.4f} bits, {information.beyond_chance:.4f} beyond chance, of {limit}; "
        f"{len(information.null):,} draws of independent labels share {information.null.mean():.4f} on average and "
        f"{information.null.max():.4f} at most (p {'≤' if least else '='} {information.p_value:.2g})."
    )
    if verdict.errors is not None:
        count = len(verdict.errors.positions)
        if verdict.resolved and count:
            yield f"Likely wrong: {count:,} of the {len(assessment.positions):,} assessed labels."
        if not verdict.resolved:
            yield (
                "The number of wrong labels cannot be estimated: the predictions of "
                f"{assessment.assessor} are wrong about as often as they disagree with the labels. A better reference is needed."
            )


def split_sentences(overview: DatasetOverview) -> Iterator[str]:
    """Yield the class counts of each split, and the differences between train and test."""
    for split, counts in overview.classes.items():
        yield from _count_sentences(split, counts, overview.class_names)
    if (shift := overview.shift) is not None:
        if shift.matters:
            yield (
                f"The class shares of train and test differ by {percent(shift.distance)} in total, most for "
                f"{overview.class_names[shift.label]}: {percent(shift.first)} of train, {percent(shift.second)} of test."
            )
        elif shift.distance > SMALL_SHIFT:
            yield (
                f"The class shares of train and test differ by {percent(shift.distance)} in total, which may be by chance with "
                f"so few images (p = {shift.p_value:.2g})."
            )
        else:
            yield f"The class shares of train and test are alike (they differ by {percent(shift.distance)} in total)."
    if (test := overview.two_sample) is not None:
        interval = f"AUC {test.auc:.3f}, 95 % interval {test.low:.3f} to {test.high:.3f}; 0.5 is chance"
        result = (
            "differ: a random forest separates them"
            if test.matters
            else "are alike: a random forest hardly separates them"
        )
        yield f"The images of train and test {result} ({interval}; {test.images:,} images)."


def _count_sentences(split: str, found: ClassCounts, names: list[str]) -> Iterator[str]:
    total = int(found.counts.sum())
    if not total:
        yield f"{split} is empty."
        return
    least, most = int(found.counts.argmin()), int(found.counts.argmax())
    per_class = f"{found.counts[least]:,} ({names[least]}) to {found.counts[most]:,} ({names[most]}) per class"
    if found.counts[least] == found.counts[most]:
        per_class = f"{found.counts[most]:,} of each"
    of = f"{total:,} images in" if found.images is None else f"{found.images:,} images with {total:,} labels of"
    yield f"{split}: {of} {int((found.counts > 0).sum())} of {len(names)} classes, {per_class}."
    if found.missing:
        yield f"{split} has no image of {listing(names[k] for k in found.missing)}."
    if found.rare:
        rare = listing(f"{names[k]} ({found.counts[k]:,})" for k in found.rare)
        yield f"Rare in {split}, with less than a fifth of the median class's images: {rare}."
    if found.few:
        few = listing(f"{names[k]} ({found.counts[k]})" for k in found.few)
        yield f"Fewer than {FEW} images in {split}: {few}; metrics of single classes are unreliable."


def image_sentences(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield duplicates, blank and inverted images, and unusual files."""
    overview, duplicates, unusual = diagnosis.overview, diagnosis.overview.duplicates, diagnosis.overview.unusual
    if duplicates.groups:
        yield (
            f"Duplicates, equal pixel by pixel after preprocessing: {len(duplicates.groups):,} "
            f"({duplicates.images:,} surplus images); {len(duplicates.across):,} in several splits, "
            f"{len(duplicates.conflicting):,} with several labels; the first: {_file_names(overview, duplicates.groups[0])}."
        )
    else:
        yield "No duplicates."
    if unusual.blank:
        yield f"Blank: {len(unusual.blank):,} ({_file_names(overview, unusual.blank)})."
    if unusual.inverted:
        yield f"Ink of the other polarity: {len(unusual.inverted):,} ({_file_names(overview, unusual.inverted)})."
    if not unusual.blank and not unusual.inverted:
        yield "No blank and no inverted images."
    if diagnosis.stored is not None:
        yield from _stored_sentences(diagnosis.stored)


def _stored_sentences(stored: StoredImages) -> Iterator[str]:
    checked = f"{stored.looked_at:,} checked files"
    small, large = ("{}x{}".format(*size) for size in (stored.smallest, stored.largest))
    if stored.size is None:
        yield f"Sizes (height x width) of {checked}: {small} to {large}."
    elif stored.odd_sizes:
        unusual = f"{len(stored.odd_sizes):,} of {checked} ({listing(stored.odd_sizes, LISTED)})"
        yield f"Another size than the usual {'{}x{}'.format(*stored.size)}: {unusual}."
    else:
        yield f"All {checked} are {'{}x{}'.format(*stored.size)}."
    if stored.tiny:
        yield f"Much smaller than usual: {len(stored.tiny):,} ({listing(stored.tiny, LISTED)})."
    if stored.odd_colours:
        kinds = "Grey among colour images" if stored.colour else "In colour among grey images"
        yield f"{kinds}: {len(stored.odd_colours):,} ({listing(stored.odd_colours, LISTED)})."


def _agreement_after_permutation(assessment: LabelAssessment) -> float:
    table, names = assessment.verdict.table, assessment.predictions.class_names
    index = {name: k for k, name in enumerate(names)}
    columns = [index[assessment.verdict.permutation.get(name, name)] for name in names]
    return float(matched_count(table, np.array(columns)) / max(table.sum(), 1))


def _file_names(overview: DatasetOverview, places: list[Place]) -> str:
    return listing((overview.splits[split].names[i] for split, i in places), LISTED)
