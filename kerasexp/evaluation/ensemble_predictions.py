"""What an ensemble predicts for a split, beside what each member, and one view of the images, would have predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from kerasexp.data.prepared_data import Split
from kerasexp.evaluation.ensemble import Ensemble, mean_of_views, view_scores
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.metric_limits import row_slices
from kerasexp.evaluation.metrics import accuracy
from kerasexp.evaluation.paired_difference import Difference, differences
from kerasexp.evaluation.predictions import Predictions, kind_of
from kerasexp.saving.checkpoint import Checkpoint
from kerasexp.storage import scratch_array


@dataclass(frozen=True)
class Gain:
    """What several members gain over the best of them, or several views over one, on the same images."""

    of: str
    over: str
    is_over_best: bool
    difference: Difference


@dataclass(frozen=True)
class EnsemblePredictions:
    """The predictions of an ensemble and of its parts for one split, all with the ensemble's order of classes.

    Attributes:
        ensemble: what predicted.
        members: predictions of each member for one view of each image.
        one_view: predictions of all members together for one view.
        all_views: predictions of all members together for all of their views; `one_view` without test-time augmentation.
    """

    ensemble: Ensemble
    members: list[Predictions]
    one_view: Predictions
    all_views: Predictions

    @property
    def parts(self) -> dict[str, Predictions]:
        """Everything whose accuracy is shown, by name; empty for one checkpoint on one view."""
        names, tta = self.ensemble.names, self.ensemble.tta
        is_one = len(names) == 1
        if is_one and not tta:
            return {}
        together, one_view = names[0] if is_one else f"{len(names)} checkpoints", ", 1 view" if tta else ""
        found = {f"{name}{one_view}": part for name, part in zip(names, self.members, strict=True)}
        found[f"{together}{one_view}"] = self.one_view
        if tta:
            found[f"{together}, {_range(self.ensemble.view_counts)} views"] = self.all_views
        return found

    @property
    def mean_accuracy(self) -> float:
        """The mean accuracy of the members alone: what a single one can be expected to have."""
        return float(np.mean([accuracy(member) for member in self.members]))

    @property
    def gains(self) -> list[Gain]:
        """What the members gain over the best of them, and several views over one.

        The best is the one with the most right predictions of these images, which is in its favour.
        """
        names, count = list(self.parts), len(self.members)
        # The parts are the members, all of them on one view, and all of them on all views.
        best = int(np.argmax([accuracy(member) for member in self.members]))
        pairs = [(count, best)] if count > 1 else []
        pairs += [(len(names) - 1, len(names) - 2)] if self.ensemble.tta else []
        return [self._gain(names[this], names[over], over < count > 1) for this, over in pairs]

    def _gain(self, of: str, over: str, is_over_best: bool) -> Gain:
        difference = differences(self.parts[over].correct, [self.parts[of].correct], [over, of])[0]
        return Gain(of, over, is_over_best, difference)

    def to_json(self) -> dict[str, Any]:
        """Return the accuracies and the gains as plain JSON values; nothing for one checkpoint on one view."""
        if not self.parts:
            return {}
        return {
            "checkpoints": self.ensemble.names,
            "views": self.ensemble.view_counts,
            "mean_accuracy": self.mean_accuracy,
            "accuracies": [{"of": name, **_accuracy(part)} for name, part in self.parts.items()],
            "gains": [{"of": gain.of, "over": gain.over, **vars(gain.difference)} for gain in self.gains],
        }

    def lines(self) -> Iterator[str]:
        """Yield the accuracies and the gains as text; nothing for one checkpoint on one view."""
        width = max(map(len, self.parts), default=0)
        for name, part in self.parts.items():
            row = _accuracy(part)
            interval = f"95 % interval {row['accuracy_low']:.4f} to {row['accuracy_high']:.4f}"
            yield f"{name:<{width}}  accuracy {row['accuracy']:.4f} ({interval})"
        if len(self.members) > 1:
            yield f"{f'mean of the {len(self.members)} alone':<{width}}  accuracy {self.mean_accuracy:.4f}"
        for gain in self.gains:
            found = gain.difference
            over = f"{gain.over}, the best of them" if gain.is_over_best else gain.over
            interval = f"95 % interval {found.low:+.4f} to {found.high:+.4f}"
            yield (
                f"{gain.of} against {over}: {found.difference:+.4f} ({interval}, McNemar p {found.p_value:.3g}): "
                f"{found.verdict}"
            )


def _range(counts: Sequence[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _accuracy(predictions: Predictions) -> dict[str, float]:
    value = accuracy(predictions)
    low, high = wilson_interval(value, len(predictions))
    return {"accuracy": value, "accuracy_low": low, "accuracy_high": high}


def predict_together(ensemble: Ensemble, splits: Sequence[Split]) -> EnsemblePredictions:
    """Predict a split by every member, on every view.

    Args:
        ensemble: what predicts.
        splits: for each member the same images, with its preprocessing, and their labels in the ensemble's order of classes.

    Raises:
        RunError: an output is not a probability.
    """
    passes = [_predict_views(ensemble, member, split) for member, split in zip(ensemble.members, splits, strict=True)]
    members = [
        _with_fitted(replace(one, y_score=_ordered(one.y_score, order)), member.temperature, member.thresholds, order)
        for member, (one, _) in zip(ensemble.members, passes, strict=True)
        for order in [ensemble.order(member)]
    ]
    as_given = np.arange(len(ensemble.class_names))

    def together(scores: list[np.ndarray]) -> Predictions:
        # The metrics of one network are those of its own probabilities, beside those at its temperature.
        mean = scores[0] if len(scores) == 1 else ensemble.mean(scores)
        return _with_fitted(replace(members[0], y_score=mean), ensemble.temperature, ensemble.thresholds, as_given)

    one_view = together([one.y_score for one, _ in passes])
    all_views = together([mean for _, mean in passes]) if ensemble.tta else one_view
    return EnsemblePredictions(ensemble, members, one_view, all_views)


def _ordered(scores: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return probabilities, float32 [n, classes], with their classes in an order, int64 [classes]; the same if it is theirs."""
    if np.array_equal(order, np.arange(len(order))):
        return scores
    ordered = scratch_array(scores.shape)
    for rows in row_slices(*scores.shape):
        ordered[rows] = scores[rows][:, order]
    return ordered


def _predict_views(ensemble: Ensemble, member: Checkpoint, split: Split) -> tuple[Predictions, np.ndarray]:
    """Return a member's predictions for the images themselves, and its probabilities for all views together.

    Both have its own order of classes.
    """
    scores = (view_scores(member, view, split.images, split.names) for view in ensemble.views(member))
    first = kind_of(split.labels)(split.names, split.labels, next(scores), ensemble.class_names)
    return first, mean_of_views(chain([first.y_score], scores), member.multi_label)


def _with_fitted(
    predictions: Predictions, temperature: float | None, thresholds: np.ndarray | None, order: np.ndarray
) -> Predictions:
    """Return the predictions with what was fitted on val; thresholds are [classes], to be read in an order."""
    if thresholds is None:
        return replace(predictions, temperature=temperature)
    return replace(predictions, thresholds=thresholds[order])
