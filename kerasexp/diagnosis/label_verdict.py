"""The kind of labels a split has (ordinary, noisy, permuted, complementary, random), from held-out predictions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kerasexp.diagnosis.confident_learning import LabelErrors, find_label_errors
from kerasexp.diagnosis.label_information import Information, information
from kerasexp.evaluation.confusion_counts import Table, contingency_table, filled_cells

# p-value below which labels and predictions count as dependent.
SIGNIFICANT = 0.005
# Share of wrong labels up to which a data set is ordinary: well-known ones have 0.2 to 6 % (Northcutt et al. 2021).
SMALL_RATE = 0.02
# Labels count as wrong only if they disagree with the model this many times as often as the model itself errs.
BEYOND_MODEL_ERROR = 2.0
# Standard deviations by which the cells of two classes must differ before the classes count as permuted.
DEVIATIONS = 3.0


@dataclass(frozen=True)
class HeldOutPredictions:
    """A model's probabilities for labelled images that it was not trained on.

    Attributes:
        labels: int64 [n].
        y_score: float32 [n, classes].
        class_names: in the order of the labels.
        model_error: error of the model itself relative to chance (1 - Cohen's kappa): 0 for none, 1 for as many as chance.
        trained_on_labels: whether the model was trained on labels of this kind as they stand. If they are complementary, its
            LEAST likely class is the true one. False for a model whose most likely class is meant to be the true one.
    """

    labels: np.ndarray
    y_score: np.ndarray
    class_names: list[str]
    model_error: float
    trained_on_labels: bool


@dataclass(frozen=True)
class Decoded:
    """Labels and predicted classes.

    Attributes:
        decode: `argmax` or `argmin`, by which a class was predicted from the probabilities.
        table: int64 [classes, classes], labels (rows) and predicted classes; sparse with many classes.
        information: mutual information of the table.
        agreement: share of labels that equal the prediction; `chance`: its expected value if both were independent.
    """

    decode: str
    table: Table
    information: Information
    agreement: float
    chance: float

    @property
    def is_telling(self) -> bool:
        """Whether so many images of these classes would show it if all labels agreed; very few, or those of one class, do not."""
        return self.chance ** int(self.table.sum()) <= SIGNIFICANT


@dataclass(frozen=True, kw_only=True)
class Verdict(Decoded):
    """The kind of labels, and the numbers that it rests on.

    Attributes:
        kind: `ordinary`, `noisy`, `permuted`, `complementary`, `random`, or `unclear`.
        rate, low, high: share of wrong labels with its 95 % interval; None where it cannot be estimated.
        permutation: for `permuted`, label to true class, by name, of the classes that have changed places.
        errors: the likely label errors, where labels are ordinary or noisy.
        resolved: whether the model is accurate enough to attribute disagreement to the labels.
    """

    kind: str
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    permutation: dict[str, str] = field(default_factory=dict)
    errors: LabelErrors | None = None
    resolved: bool = True


def assess_labels(predictions: HeldOutPredictions) -> Verdict | None:
    """Return the kind of labels; None without images.

    The kinds are tested in this order: permuted (the best matching of labels and predictions moves classes), random (no more
    bits and no more agreement than by chance), complementary (labels avoid the true class), and then ordinary or noisy by
    confident learning. Where the images do not tell, the kind is `unclear`.

    For a model trained on the labels themselves, ordinary labels agree with its most likely class, and complementary labels
    avoid its least likely class, which is the true one. If a share of K classes' ordinary labels is wrong at random,
    agreement with the most likely class exceeds chance K - 1 times as far as agreement with the least likely class falls
    short of it; with complementary labels it is the reverse. So the larger effect separates the kinds, whatever the model's
    accuracy.
    """
    count, trained = len(predictions.labels), predictions.trained_on_labels
    if count == 0:
        return None
    highest = _decode(predictions, "argmax")
    if permuted := permuted_classes(highest.table):
        names = predictions.class_names
        return Verdict(kind="permuted", **vars(highest), permutation={names[a]: names[b] for a, b in permuted.items()})
    decoded = [highest, _decode(predictions, "argmin")] if trained else [highest]
    agrees = _p_value(highest, count, "greater") <= SIGNIFICANT
    # Where each label occurs once, all permutations of the labels have the same bits, however well they agree.
    if not agrees and all(each.information.p_value > SIGNIFICANT for each in decoded):
        return Verdict(kind="random" if highest.is_telling else "unclear", **vars(highest))
    lowest = decoded[-1]
    if _avoids(lowest, count, len(predictions.class_names)) and (
        not trained or lowest.chance - lowest.agreement > highest.agreement - highest.chance
    ):
        return Verdict(kind="complementary", **vars(lowest))
    if not agrees:
        return Verdict(kind="unclear", **vars(highest))
    return _ordinary_or_noisy(predictions, highest)


def permuted_classes(table: Table) -> dict[int, int]:
    """Return label -> predicted class for the classes that have changed places; empty where none has.

    These are moved by the best matching of rows and columns (Kuhn 1955; Crouse 2016), hold the majority of their row and of
    their column, and are clearly larger than the label's own cell. In a sparse table the majority alone decides, as a
    matching takes time that grows with the cube of the classes.
    """
    if isinstance(table, np.ndarray):
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(table, maximize=True)
        matched = table[rows, columns]
    else:
        rows, columns = np.arange(table.shape[0]), np.arange(table.shape[0])
        row, column, count = filled_cells(table)
        order = np.argsort(count, kind="stable")
        columns[row[order]] = column[order]
        matched = np.zeros(len(rows), np.int64)
        matched[row[order]] = count[order]
    own = table.diagonal()
    clear = matched - own > DEVIATIONS * np.sqrt(matched + own)
    majority = (2 * matched > table.sum(axis=1)) & (2 * matched > table.sum(axis=0)[columns])
    moved = (columns != rows) & clear & majority
    # A class can only have changed places with others that have: whole cycles remain.
    while np.any(moved & ~moved[columns]):
        moved &= moved[columns]
    return {int(label): int(columns[label]) for label in np.flatnonzero(moved)}


def disagreement(first: np.ndarray, second: np.ndarray, classes: int) -> float:
    """Return 1 - Cohen's kappa of two labellings, int [n] each: disagreement relative to that by chance.

    Two models that always predict the same single class have learned nothing, and get 1.
    """
    return relative_error(contingency_table(first, second, classes))


def relative_error(table: Table) -> float:
    """Return 1 - Cohen's kappa of a table of counts; 1 where only one class occurs."""
    agreement, chance = _agreement(table)
    return 1.0 if chance >= 1 else min((1 - agreement) / (1 - chance), 1.0)


def _decode(predictions: HeldOutPredictions, decode: str) -> Decoded:
    score = predictions.y_score if decode == "argmax" else -predictions.y_score
    table = contingency_table(predictions.labels, score.argmax(axis=1), len(predictions.class_names))
    return Decoded(decode, table, information(table), *_agreement(table))


def _agreement(table: Table) -> tuple[float, float]:
    total = max(table.sum(), 1)
    rows, columns = table.sum(axis=1) / total, table.sum(axis=0) / total
    return float(table.trace() / total), float((rows * columns).sum())


def _p_value(decoded: Decoded, count: int, alternative: str) -> float:
    from scipy.stats import binomtest

    return float(binomtest(int(decoded.table.trace()), count, min(decoded.chance, 1.0), alternative).pvalue)


def _avoids(decoded: Decoded, count: int, classes: int) -> bool:
    """Whether labels equal the prediction clearly less often than by chance; with two classes that is a permutation."""
    if classes < 3 or _p_value(decoded, count, "less") > SIGNIFICANT:
        return False
    return decoded.agreement < decoded.chance / (2 if decoded.decode == "argmax" else 1)


def _ordinary_or_noisy(predictions: HeldOutPredictions, decoded: Decoded) -> Verdict:
    errors, error = find_label_errors(predictions.labels, predictions.y_score), relative_error(decoded.table)
    # Where labels and predictions nearly always agree, few labels can be wrong however poor the model.
    resolved = error <= 2 * SMALL_RATE or error > BEYOND_MODEL_ERROR * predictions.model_error
    kind = "noisy" if resolved and errors.low > SMALL_RATE else "ordinary"
    rate = {"rate": errors.rate, "low": errors.low, "high": errors.high} if resolved else {}
    return Verdict(kind=kind, **vars(decoded), **rate, errors=errors, resolved=resolved)
