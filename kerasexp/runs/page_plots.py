"""The figures of a run's page: what each is computed from, and the words that go with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from kerasexp.config import Experiment
from kerasexp.config.head_rules import head_without_steps
from kerasexp.config.rules import labels_are_complementary, metric_losses
from kerasexp.data.prepared_data import PreparedData
from kerasexp.diagnosis.label_reviews import by_run
from kerasexp.diagnosis.page_plots import counts_plot, image_plots, label_plots
from kerasexp.diagnosis.results import Diagnosis, look_at
from kerasexp.evaluation.calibration import at_temperature, reliability
from kerasexp.evaluation.mistakes import confident_mistakes, confused_pairs, confusion, drawn
from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.roc import Ranking
from kerasexp.evaluation.tsne import embed
from kerasexp.plots.confused_pairs import plot_confused_pairs
from kerasexp.plots.confusion_matrix import MAX_NUMBERS, plot_confusion
from kerasexp.plots.cross_validation_scores import plot_cross_validation
from kerasexp.plots.curves import plot_curves
from kerasexp.plots.feature_embedding import plot_embedding
from kerasexp.plots.feature_maps import plot_feature_maps
from kerasexp.plots.filters import plot_filters
from kerasexp.plots.grad_cam import plot_grad_cam
from kerasexp.plots.gradients import plot_gradient_flow
from kerasexp.plots.learning_curves import plot_learning_curves
from kerasexp.plots.reliability import plot_reliability
from kerasexp.plots.roc_curves import plot_ranking
from kerasexp.plots.samples import plot_samples
from kerasexp.report.html import Plot

if TYPE_CHECKING:
    import keras

    from kerasexp.training.fit import Fitted

PAIRS, EXPLAINED, GALLERY_COLUMNS = 6, 8, 4
DATA = "Data"


@dataclass(frozen=True)
class Judged:
    """A finished training and what came out of the one pass over each split."""

    experiment: Experiment
    data: PreparedData
    model: keras.Model
    fitted: Fitted
    predictions: dict[str, Predictions]
    ranking: Ranking
    metrics: dict[str, Any]

    @property
    def test(self) -> Predictions:
        return self.predictions["test"]

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What is odd about the data, and about val's labels, which the model has not learned from."""
        experiment, names = self.experiment, self.data.class_names
        guesses = experiment.init is not None and experiment.init.pseudo_labels
        learned = not labels_are_complementary(experiment.training) and not guesses
        labels = by_run(self.predictions["val"], self.test, learned)
        return Diagnosis(look_at(self.data.splits, names, experiment.seed), labels)

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Return the test images at these positions."""
        return self.data.splits["test"].images[positions]


def run_plots(judged: Judged) -> Iterator[Plot]:
    """Draw the figures one after the other, in the page's order; those that have nothing to show are left out."""
    # The embedding takes as long as most of the drawing, and hardly needs Python's lock.
    with ThreadPoolExecutor(max_workers=1) as thread:
        embedded = thread.submit(embed, judged.test.features, judged.experiment.seed)
        yield from _training(judged)
        yield from _predictions(judged)
        yield from _classes(judged)
        yield from _probabilities(judged)
        yield from _network(judged)
        yield from _embedding(judged, embedded.result())
        yield from _data(judged)


def _training(judged: Judged) -> Iterator[Plot]:
    if (head := head_without_steps(judged.experiment)) is not None:
        yield from _cross_validation(judged, head[0])
        return
    history, flow, early = judged.fitted.history, judged.fitted.gradients, judged.fitted.early
    last = history[-1]
    note = ""
    if added := metric_losses(judged.experiment.training.loss):
        name = judged.experiment.training.loss.name
        history = [{**row, "loss": row[name]} for row in history]
        note = f" The loss is {name} alone, on train as on val; train minimises {' and '.join(added)} loss as well."
    yield Plot(
        "Training",
        "curves",
        "Loss, accuracy and learning rate. The figures of train are those seen during the epoch, with dropout and "
        f"augmentation; those of val come after it.{note}",
        f"Curves over {len(history)} epochs; at the end the accuracy is {last['accuracy']:.4f} on train and "
        f"{last['val_accuracy']:.4f} on val.",
        plot_curves(history, majority=judged.metrics["val"].get("majority_accuracy"), kept=judged.fitted.kept),
    )
    if early:
        curve = {name: np.array([row[name] for row in early]) for name in early[0]}
        yield Plot(
            "Training",
            "early_curve",
            "The start of the learning curve: accuracy and loss on up to 1,000 images of val, by step and by second.",
            f"Val accuracy {early[0]['val_accuracy']:.4f} at step {early[0]['step']}, and {early[-1]['val_accuracy']:.4f} at "
            f"step {early[-1]['step']}.",
            plot_learning_curves([(judged.experiment.name, curve)]),
        )
    if len(flow.steps) and flow.layers:
        yield Plot(
            "Training",
            "gradient_flow",
            "Gradient flow: mean and largest absolute gradient of each layer's kernel over the steps, before clipping, and "
            "the size of a step beside that of the weights. Curves that fall by orders of magnitude from output to input "
            "tell of vanishing gradients; an update of about a thousandth of the weights is usual.",
            f"Gradients of {len(flow.layers)} layers at {len(flow.steps)} steps, on logarithmic axes.",
            plot_gradient_flow(flow.steps, flow.layers, flow.mean, flow.largest, flow.ratio),
        )


def _cross_validation(judged: Judged, name: str) -> Iterator[Plot]:
    rows = judged.fitted.cross_validation
    if rows:
        key = next(iter(rows[0]))
        best = max(rows, key=lambda row: row["accuracy"])
        yield Plot(
            "Training",
            "cross_validation",
            f"Accuracy of head.{name} in cross-validation on train, mean and deviation over the folds, for each {key} that was "
            "tried; the best is taken. Features are extracted once; no weight below the head is trained.",
            f"The highest accuracy is {best['accuracy']:.4f}, of {key} {best[key]:g}; the lowest "
            f"{min(row['accuracy'] for row in rows):.4f}.",
            plot_cross_validation(rows, key),
        )


def _predictions(judged: Judged) -> Iterator[Plot]:
    test, names = judged.test, judged.test.class_names
    wanted = judged.experiment.report
    shown = drawn(test, wanted.samples, judged.experiment.seed)
    right = int(test.correct[shown].sum())
    yield Plot(
        "Predictions",
        "samples",
        "Right and wrong predictions, drawn at random from the test split, with the probability of the predicted class.",
        f"{right} right and {len(shown) - right} wrong predictions.",
        _gallery(judged, shown),
        chart=False,
    )
    mistakes = confident_mistakes(test, wanted.mistakes)
    if len(mistakes):
        yield Plot(
            "Predictions",
            "mistakes",
            "The most confident mistakes: they tell most about the model, or about the label.",
            f"{len(mistakes)} mistakes; the first takes {names[test.y_true[mistakes[0]]]} for "
            f"{names[test.y_pred[mistakes[0]]]} with probability {test.confidence[mistakes[0]]:.2f}.",
            _gallery(judged, mistakes),
            chart=False,
        )
    if pairs := confused_pairs(test, PAIRS):
        first = pairs[0]
        yield Plot(
            "Predictions",
            "confused_pairs",
            "The classes most often taken for each other: two that are recognised of each, then those that are not.",
            f"{len(pairs)} pairs; most often {names[first.first]} and {names[first.second]}, "
            f"{first.first_as_second + first.second_as_first} times.",
            plot_confused_pairs([_drawable_pair(judged, pair) for pair in pairs], names),
            chart=False,
        )
    yield from _attention(judged, mistakes[:EXPLAINED])


def _attention(judged: Judged, mistakes: np.ndarray) -> Iterator[Plot]:
    from kerasexp.evaluation.interpretation import grad_cam

    test, images = judged.test, judged.images(mistakes)
    asked = np.concatenate([test.y_pred[mistakes], test.y_true[mistakes]])
    heat = grad_cam(judged.model, np.concatenate([images, images]), asked)
    if heat is None:
        return
    yield Plot(
        "Predictions",
        "grad_cam",
        "What the network looks at in its most confident mistakes (Grad-CAM): where the evidence for the predicted and for "
        "the true class lies.",
        f"Heat maps over {len(mistakes)} misclassified images.",
        plot_grad_cam(images, *np.split(heat, 2), test.y_true[mistakes], test.y_score[mistakes], test.class_names),
        chart=False,
    )


def _classes(judged: Judged) -> Iterator[Plot]:
    test, ranking = judged.test, judged.ranking
    counts = confusion(test)
    yield Plot(
        "Classes",
        "confusion",
        "Confusion matrix of the test split: a row per true class, a column per predicted one. Colour is the share of the "
        "row, drawn by its root so that rare mistakes are seen.",
        f"{len(test.class_names)} classes; {test.correct.mean():.1%} of the images lie on the diagonal.",
        plot_confusion(counts, test.class_names),
    )
    if len(test.class_names) <= MAX_NUMBERS:
        yield Plot(
            "Classes",
            "confusion_normalised",
            "The same, normalised: the cells say percent of the true class.",
            f"Recall lies between {np.nanmin(_recall(counts)):.1%} and {np.nanmax(_recall(counts)):.1%}.",
            plot_confusion(counts, test.class_names, normalised=True),
        )
    if not np.isnan(ranking.auc).all():
        worst = int(np.nanargmin(ranking.auc))
        yield Plot(
            "Classes",
            "ranking",
            "Each class against all others: ROC and precision-recall curves.",
            f"Macro AUC {np.nanmean(ranking.auc):.4f}; the lowest is that of {test.class_names[worst]}, "
            f"{ranking.auc[worst]:.4f}.",
            plot_ranking(ranking.roc, ranking.pr, ranking.auc, ranking.average_precision, test.class_names),
        )


def _recall(counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.diag(counts) / counts.sum(axis=1)


def _probabilities(judged: Judged) -> Iterator[Plot]:
    temperature = judged.metrics["temperature"]
    before, after = reliability(judged.test), reliability(at_temperature(judged.test, temperature))
    bins = [(r.confidence, r.accuracy, r.low, r.high, r.counts) for r in (before, after)]
    yield Plot(
        "Probabilities",
        "reliability",
        "Reliability: of the predictions with a confidence of so much, as large a share should be right. The temperature "
        f"{temperature:.2f}, which is fitted on val, {'softens' if temperature > 1 else 'sharpens'} the probabilities.",
        f"Expected calibration error {before.error:.4f}, and {after.error:.4f} after temperature scaling.",
        plot_reliability(*bins),
    )


def _network(judged: Judged) -> Iterator[Plot]:
    from kerasexp.evaluation.interpretation import feature_maps, first_and_last_kernels

    if kernels := first_and_last_kernels(judged.model):
        yield Plot(
            "Inside the network",
            "filters",
            "What the first and the last convolution have learned.",
            f"Kernels of {' and '.join(kernels)}.",
            plot_filters(kernels),
        )
        position = int(drawn(judged.test, 1, judged.experiment.seed)[0])
        image, label = judged.images(position), judged.test.y_true[position]
        yield Plot(
            "Inside the network",
            "feature_maps",
            "What the convolutions make of one image: the strongest maps of each.",
            f"Feature maps of an image of {judged.test.class_names[label]}.",
            plot_feature_maps(image, feature_maps(judged.model, image), int(label), judged.test.class_names),
            chart=False,
        )


def _embedding(judged: Judged, embedded: tuple[np.ndarray, str] | None) -> Iterator[Plot]:
    if embedded is not None:
        points, method = embedded
        sampled = judged.test.sampled
        yield Plot(
            "Inside the network",
            "embedding",
            f"{len(points)} test images as the last layer sees them, laid out by {method}; wrong predictions are marked.",
            f"{method} of the features before the last layer, coloured by class.",
            plot_embedding(
                points, judged.test.y_true[sampled], ~judged.test.correct[sampled], judged.test.class_names, method
            ),
        )


def _data(judged: Judged) -> Iterator[Plot]:
    look = judged.diagnosis.look
    yield counts_plot(look, DATA)
    for labels in judged.diagnosis.labels:
        # Those of test are in the confusion matrix and among the confident mistakes.
        if labels.split == "val":
            yield from label_plots(labels, look, DATA)
    yield from image_plots(look, DATA)


def _gallery(judged: Judged, positions: np.ndarray) -> Figure:
    test = judged.test
    return plot_samples(
        judged.images(positions), test.y_true[positions], test.y_score[positions], test.class_names, GALLERY_COLUMNS
    )


def _drawable_pair(judged: Judged, pair) -> tuple:
    test = judged.test
    confused = [(judged.images(i), int(test.y_true[i]), int(test.y_pred[i])) for i in pair.confused]
    right = judged.images(pair.right_first), judged.images(pair.right_second)
    return pair.first, pair.second, pair.first_as_second, pair.second_as_first, *right, confused
