"""What kind of labels these are, told from what a model sees in images that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kerasexp.diagnosis.confident_learning import LabelErrors, find_label_errors
from kerasexp.diagnosis.information import Information, information, label_table

# A table that chance gives once in so many draws is none that tells of the labels.
SIGNIFICANT = 0.005
# Below this share of wrong labels a data set is as most are: well-known ones have 0.2 to 6 % (Northcutt et al. 2021).
SMALL_RATE = 0.02
# Labels must disagree with a model so many times as often as the model errs before they are to blame.
BEYOND_OWN = 2.0
# An image more or less moves no class: the cells compared must differ by so many standard deviations.
DEVIATIONS = 3.0


@dataclass(frozen=True)
class Opinion:
    """What a model says of labelled images that it has not learned from.

    Attributes:
        labels: int64 [n].
        y_score: float32 [n, classes].
        class_names: in the order of the labels.
        own_error: how often the model itself is wrong, 0 for never and 1 for as often as chance.
        learned: whether it has learned labels of this kind as they stand, so that it may have to be read by the least
            likely class; False for a model whose most likely class is meant to be the true one.
    """

    labels: np.ndarray
    y_score: np.ndarray
    class_names: list[str]
    own_error: float
    learned: bool


@dataclass(frozen=True)
class Verdict:
    """What kind of labels they are.

    Attributes:
        kind: `ordinary`, `noisy`, `permuted`, `complementary`, `random`, or `unclear`.
        decode: `argmax` or `argmin`, how the model was read.
        table: int64 [classes, classes], labels against answers read so.
        information: that the table holds.
        agreement: share of labels that are the answer; `chance`: the same if there were no tie between them.
        rate, low, high: share of wrong labels with its 95 % interval, where it can be told, else None.
        moved: for `permuted`, the true class of each label that is another's, by name.
        errors: the likely label errors, where labels are ordinary or noisy.
        resolved: whether the model is good enough to blame the labels for what they disagree on.
    """

    kind: str
    decode: str
    table: np.ndarray
    information: Information
    agreement: float
    chance: float
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    moved: dict[str, str] = field(default_factory=dict)
    errors: LabelErrors | None = None
    resolved: bool = True


@dataclass(frozen=True)
class _Read:
    """The answers by one decoding, and what they have in common with the labels."""

    decode: str
    table: np.ndarray
    information: Information
    agreement: float
    chance: float


def judge_labels(opinion: Opinion) -> Verdict | None:
    """Say what kind of labels these are; None where there is no image.

    The order in which kinds are excluded: permuted (the best matching of labels and answers moves classes), random (no more
    bits than chance), complementary (labels avoid the true class), and then ordinary or noisy by confident learning.

    Of a model that has learned the labels, those of ordinary kind are its most likely class, and complementary ones avoid
    its least likely class, which is the true one. However many of K classes' ordinary labels are wrong at random, agreement
    with the first exceeds chance K - 1 times as far as agreement with the second falls short of it; with complementary
    labels it is the other way round. So the larger of the two effects tells the kinds apart, however good the model.
    """
    if len(opinion.labels) == 0:
        return None
    highest = _read(opinion, "argmax")
    moved = moved_classes(highest.table)
    if moved:
        return _permuted(opinion, highest, moved)
    readings = [highest, _read(opinion, "argmin")] if opinion.learned else [highest]
    if all(reading.information.p_value > SIGNIFICANT for reading in readings):
        return Verdict("random", *_parts(highest))
    lowest = readings[-1]
    if _avoids(lowest, len(opinion.labels), len(opinion.class_names)) and (
        not opinion.learned or lowest.chance - lowest.agreement > highest.agreement - highest.chance
    ):
        return Verdict("complementary", *_parts(lowest))
    if _p_value(highest, len(opinion.labels), "greater") > SIGNIFICANT:
        return Verdict("unclear", *_parts(highest))
    return _ordinary_or_noisy(opinion, highest)


def moved_classes(table: np.ndarray) -> dict[int, int]:
    """Return label -> answer for the classes that have changed places; empty where none has.

    They are those that the best matching of rows and columns (Kuhn 1955; Crouse 2016) moves, as far as each answer has most
    of its label's images and the label most of the answer's, and clearly more than the label's own.
    """
    from scipy.optimize import linear_sum_assignment

    rows, answers = linear_sum_assignment(table, maximize=True)
    matched, own = table[rows, answers], np.diag(table)
    clear = matched - own > DEVIATIONS * np.sqrt(matched + own)
    most = (2 * matched > table.sum(axis=1)) & (2 * matched > table.sum(axis=0)[answers])
    moved = (answers != rows) & clear & most
    # A class can only have changed places with others that have; what remains are whole cycles.
    while np.any(moved & ~moved[answers]):
        moved &= moved[answers]
    return {int(label): int(answers[label]) for label in np.flatnonzero(moved)}


def kappa_error(first: np.ndarray, second: np.ndarray, classes: int) -> float:
    """Return how often two answers differ, as a share of how often they would by chance: 1 - Cohen's kappa.

    Two models that always give the same answer know nothing, and so get 1.
    """
    table = label_table(first, second, classes)
    return relative_error(table)


def relative_error(table: np.ndarray) -> float:
    """Return 1 - Cohen's kappa of a table of counts; 1 where only one answer is ever given."""
    agreement, chance = _agreement(table)
    return 1.0 if chance >= 1 else min((1 - agreement) / (1 - chance), 1.0)


def _read(opinion: Opinion, decode: str) -> _Read:
    score = opinion.y_score if decode == "argmax" else -opinion.y_score
    table = label_table(opinion.labels, score.argmax(axis=1), len(opinion.class_names))
    return _Read(decode, table, information(table), *_agreement(table))


def _agreement(table: np.ndarray) -> tuple[float, float]:
    total = max(table.sum(), 1)
    rows, columns = table.sum(axis=1) / total, table.sum(axis=0) / total
    return float(np.trace(table) / total), float((rows * columns).sum())


def _parts(reading: _Read) -> tuple:
    return reading.decode, reading.table, reading.information, reading.agreement, reading.chance


def _p_value(reading: _Read, count: int, alternative: str) -> float:
    from scipy.stats import binomtest

    return float(binomtest(int(np.trace(reading.table)), count, min(reading.chance, 1.0), alternative).pvalue)


def _avoids(reading: _Read, count: int, classes: int) -> bool:
    """Whether labels are the answer clearly less often than by chance; of two classes, avoiding one is naming the other."""
    if classes < 3 or _p_value(reading, count, "less") > SIGNIFICANT:
        return False
    return reading.agreement < reading.chance / (2 if reading.decode == "argmax" else 1)


def _permuted(opinion: Opinion, reading: _Read, moved: dict[int, int]) -> Verdict:
    names = opinion.class_names
    return Verdict("permuted", *_parts(reading), moved={names[a]: names[b] for a, b in moved.items()})


def _ordinary_or_noisy(opinion: Opinion, reading: _Read) -> Verdict:
    errors = find_label_errors(opinion.labels, opinion.y_score)
    disagreement = relative_error(reading.table)
    # Where the labels nearly always agree, there is nothing to blame on either.
    resolved = disagreement <= 2 * SMALL_RATE or disagreement > BEYOND_OWN * opinion.own_error
    kind = "noisy" if resolved and errors.low > SMALL_RATE else "ordinary"
    rate = (errors.rate, errors.low, errors.high) if resolved else (None, None, None)
    return Verdict(kind, *_parts(reading), *rate, errors=errors, resolved=resolved)
