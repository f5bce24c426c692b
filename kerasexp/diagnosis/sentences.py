"""What was found, in sentences: the same on the console, on the page and in JSON."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kerasexp.diagnosis.image_checks import Place, Stored
from kerasexp.diagnosis.results import Diagnosis, JudgedLabels, Look
from kerasexp.diagnosis.split_checks import FEW, SMALL_SHIFT
from kerasexp.errors import listing

LISTED = 5


def headline(judged: JudgedLabels) -> str:
    """Return the verdict on a split's labels in one sentence, which begins with its kind."""
    verdict = judged.verdict
    agree = f"{percent(verdict.agreement)} of the labels are the answer of {judged.judge}; chance gives {percent(verdict.chance)}"
    if verdict.kind == "permuted":
        whose = "" if judged.knows_names else "train's "
        moves = listing((f"{label} means {whose}{name}" for label, name in verdict.moved.items()), 30)
        agree = f"read so, {percent(_agreement_after(judged))} of the labels are the answer of {judged.judge}"
        return f"permuted: the label {moves}; {agree}"
    if verdict.kind == "complementary":
        return (
            f"complementary: the labels say what an image is NOT; {percent(verdict.agreement)} of them name the class that is "
            f"the answer of {judged.judge}, and chance gives {percent(verdict.chance)}"
        )
    if verdict.kind == "random":
        return f"random: as far as {judged.judge} can tell, the labels say no more of the images than chance does"
    if verdict.kind == "unclear":
        return f"unclear: the labels depend on the images, but do not name what is in them; {agree}"
    if verdict.kind == "noisy":
        between = f"95 % interval {percent(verdict.low)} to {percent(verdict.high)}"
        trusted = f", if {judged.judge} is right" if judged.knows_names else ""
        return f"noisy: about {percent(verdict.rate)} of the labels are wrong{trusted} ({between}); {agree}"
    if verdict.resolved:
        return f"ordinary: {agree}" + (f"; {percent(verdict.rate)} may be wrong" if verdict.rate else "")
    return f"ordinary, as far as can be told: {agree}"


def percent(share: float) -> str:
    """Return a share as it is written in a sentence."""
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.0005 else "less than 0.1 %"


def label_sentences(judged: JudgedLabels) -> Iterator[str]:
    """Yield the headline, the bits, the likely errors, and what cannot be told."""
    verdict, found = judged.verdict, judged.verdict.information
    yield headline(judged)
    classes = len(judged.opinion.class_names)
    limit = f"{found.label_bits:.3f} that the labels hold"
    if verdict.kind == "complementary" and classes > 2:
        limit = f"{np.log2(classes / (classes - 1)):.3f} that labels of what an image is NOT can share with it"
    least = found.p_value <= 1 / len(found.null)
    yield (
        f"Labels and answers share {found.bits:.4f} bits, {found.beyond_chance:.4f} beyond chance, of {limit}; "
        f"{len(found.null):,} draws without any tie between them share {found.null.mean():.4f} on average and "
        f"{found.null.max():.4f} at most (p {'≤' if least else '='} {found.p_value:.2g})."
    )
    if verdict.errors is not None:
        count = len(verdict.errors.positions)
        if verdict.resolved and count:
            yield f"Likely wrong: {count:,} of the {len(judged.positions):,} labels that were judged."
        if not verdict.resolved:
            yield (
                "How many of the labels that disagree are wrong cannot be told: by itself, the answer of "
                f"{judged.judge} is wrong about as often. A better reference could tell."
            )


def split_sentences(look: Look) -> Iterator[str]:
    """Yield what the splits lack, and how train and test compare."""
    names = look.class_names
    for split, found in look.classes.items():
        total = int(found.counts.sum())
        if not total:
            yield f"{split} is empty."
            continue
        least, most = int(found.counts.argmin()), int(found.counts.argmax())
        between = f"{found.counts[least]:,} ({names[least]}) to {found.counts[most]:,} ({names[most]}) a class"
        each = f"{found.counts[most]:,} of each"
        yield (
            f"{split}: {total:,} images in {int((found.counts > 0).sum())} of {len(names)} classes, "
            f"{each if found.counts[least] == found.counts[most] else between}."
        )
        if found.missing:
            yield f"{split} holds no image of {listing(names[k] for k in found.missing)}."
        if found.rare:
            rare = listing(f"{names[k]} ({found.counts[k]:,})" for k in found.rare)
            yield f"Rare in {split}, with less than a fifth of what is usual: {rare}."
        if found.few:
            few = listing(f"{names[k]} ({found.counts[k]})" for k in found.few)
            yield f"Fewer than {FEW} images in {split}: {few}; figures of single classes mean little."
    if look.shift is not None:
        shift = look.shift
        if shift.matters:
            yield (
                f"Train and test differ in their classes' shares by {percent(shift.distance)} in all; most of all "
                f"{names[shift.label]}: {percent(shift.first)} of train, {percent(shift.second)} of test."
            )
        elif shift.distance > SMALL_SHIFT:
            yield (
                f"The classes' shares in train and test differ by {percent(shift.distance)} in all, which is what chance may "
                f"give with so few images (p = {shift.p_value:.2g})."
            )
        else:
            yield f"The classes' shares in train and test are alike (they differ by {percent(shift.distance)} in all)."
    if look.apart is not None:
        apart = look.apart
        interval = f"AUC {apart.auc:.3f}, 95 % interval {apart.low:.3f} to {apart.high:.3f}; 0.5 is not at all"
        verdict = (
            "The images of train and test are alike: a random forest hardly tells them apart"
            if not apart.matters
            else "The images of train and test differ: a random forest tells them apart"
        )
        yield f"{verdict} ({interval}, on {apart.images:,} images)."


def image_sentences(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield duplicates, blank and inverted images, and odd files."""
    found, odd = diagnosis.look.duplicates, diagnosis.look.odd
    if found.groups:
        yield (
            f"There more than once, pixel by pixel as the model sees them: {len(found.groups):,} "
            f"({found.images:,} too many); in several splits {len(found.across):,}, with several labels "
            f"{len(found.conflicting):,}."
        )
    else:
        yield "No image is there twice."
    if odd.blank:
        yield f"Blank: {len(odd.blank):,} ({_named(diagnosis.look, odd.blank)})."
    if odd.inverted:
        yield f"With ink of the other polarity: {len(odd.inverted):,} ({_named(diagnosis.look, odd.inverted)})."
    if not odd.blank and not odd.inverted:
        yield "None is blank, and none is inverted."
    if diagnosis.stored is not None:
        yield from _stored_sentences(diagnosis.stored)


def _stored_sentences(stored: Stored) -> Iterator[str]:
    of = f"of {stored.looked_at:,} looked at"
    small, large = ("{}x{}".format(*size) for size in (stored.smallest, stored.largest))
    if stored.size is None:
        yield f"Sizes (height x width) go from {small} to {large}, {of}."
    elif stored.odd_sizes:
        usual = "{}x{}".format(*stored.size)
        yield f"Not {usual} as the others: {len(stored.odd_sizes):,} {of} ({listing(stored.odd_sizes, LISTED)})."
    else:
        yield f"All are {'{}x{}'.format(*stored.size)}, {of}."
    if stored.tiny:
        yield f"Much smaller than usual: {len(stored.tiny):,} ({listing(stored.tiny, LISTED)})."
    if stored.odd_colours:
        kinds = "Grey among images in colour" if stored.colour else "In colour among grey ones"
        yield f"{kinds}: {len(stored.odd_colours):,} ({listing(stored.odd_colours, LISTED)})."


def _agreement_after(judged: JudgedLabels) -> float:
    table, names = judged.verdict.table, judged.opinion.class_names
    index = {name: k for k, name in enumerate(names)}
    answers = [index[judged.verdict.moved.get(name, name)] for name in names]
    return float(table[np.arange(len(names)), answers].sum() / max(table.sum(), 1))


def _named(look: Look, places: list[Place]) -> str:
    return listing((look.splits[split].names[i] for split, i in places), LISTED)
