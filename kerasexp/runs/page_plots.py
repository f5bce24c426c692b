"""The plots of a run's page, each with its caption; all of them draw what is in the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.figure import Figure

from kerasexp.config.head_rules import head_without_steps
from kerasexp.config.rules import metric_losses
from kerasexp.diagnosis.page_plots import counts_plot, image_plots, label_plots
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
from kerasexp.runs.results import Results

PAIRS, GALLERY_COLUMNS = 6, 4
DATA = "Data"


def run_plots(results: Results) -> Iterator[Plot]:
    """Draw the plots one after the other, in the page's order; those that have nothing to show are left out."""
    for plots in PLOTS:
        yield from plots(results)


def _training(results: Results) -> Iterator[Plot]:
    if (head := head_without_steps(results.experiment)) is not None:
        yield from _cross_validation(results, head[0])
        return
    history, flow, early = results.fitted.history, results.fitted.gradients, results.fitted.early
    last = history[-1]
    note = ""
    if added := metric_losses(results.experiment.training.loss):
        name = results.experiment.training.loss.name
        history = [{**row, "loss": row[name]} for row in history]
        note = f" The loss is {name} alone, on train as on val; train minimises {' and '.join(added)} loss as well."
    yield Plot(
        "Training",
        "curves",
        "Loss, accuracy and learning rate. The figures of train are those seen during the epoch, with dropout and "
        f"augmentation; those of val come after it.{note}",
        f"Curves over {len(history)} epochs; at the end the accuracy is {last['accuracy']:.4f} on train and "
        f"{last['val_accuracy']:.4f} on val.",
        plot_curves(history, majority=results.metrics["val"].get("majority_accuracy"), kept=results.fitted.kept),
    )
    if early:
        curve = {name: np.array([row[name] for row in early]) for name in early[0]}
        yield Plot(
            "Training",
            "early_curve",
            "The start of the learning curve: accuracy and loss on up to 1,000 images of val, by step and by second.",
            f"Val accuracy {early[0]['val_accuracy']:.4f} at step {early[0]['step']}, and {early[-1]['val_accuracy']:.4f} at "
            f"step {early[-1]['step']}.",
            plot_learning_curves([(results.experiment.name, curve)]),
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


def _cross_validation(results: Results, name: str) -> Iterator[Plot]:
    rows = results.fitted.cross_validation
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


def _predictions(results: Results) -> Iterator[Plot]:
    test, names = results.test, results.test.class_names
    shown, mistakes = results.samples, results.mistakes
    right = int(test.correct[shown].sum())
    yield Plot(
        "Predictions",
        "samples",
        "Right and wrong predictions, drawn at random from the test split, with the probability of the predicted class.",
        f"{right} right and {len(shown) - right} wrong predictions.",
        _gallery(results, shown),
        chart=False,
    )
    if len(mistakes):
        yield Plot(
            "Predictions",
            "mistakes",
            "The most confident mistakes: they tell most about the model, or about the label.",
            f"{len(mistakes)} mistakes; the first takes {names[test.y_true[mistakes[0]]]} for "
            f"{names[test.y_pred[mistakes[0]]]} with probability {test.confidence[mistakes[0]]:.2f}.",
            _gallery(results, mistakes),
            chart=False,
        )
    if pairs := results.pairs[:PAIRS]:
        first = pairs[0]
        yield Plot(
            "Predictions",
            "confused_pairs",
            "The classes most often taken for each other: two that are recognised of each, then those that are not.",
            f"{len(pairs)} pairs; most often {names[first.first]} and {names[first.second]}, "
            f"{first.first_as_second + first.second_as_first} times.",
            plot_confused_pairs([_drawable_pair(results, pair) for pair in pairs], names),
            chart=False,
        )


def _attention(results: Results) -> Iterator[Plot]:
    test, found = results.test, results.interpretation
    if found.predicted_heat is None:
        return
    mistakes = results.mistakes[: len(found.predicted_heat)]
    yield Plot(
        "Predictions",
        "grad_cam",
        "What the network looks at in its most confident mistakes (Grad-CAM): where the evidence for the predicted and for "
        "the true class lies.",
        f"Heat maps over {len(mistakes)} misclassified images.",
        plot_grad_cam(
            results.images(mistakes),
            found.predicted_heat,
            found.true_heat,
            test.y_true[mistakes],
            test.y_score[mistakes],
            test.class_names,
        ),
        chart=False,
    )


def _classes(results: Results) -> Iterator[Plot]:
    test, ranking, counts = results.test, results.one_vs_rest, results.confusion
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


def _probabilities(results: Results) -> Iterator[Plot]:
    temperature = results.metrics["temperature"]
    before, after = results.reliability
    bins = [(r.confidence, r.accuracy, r.low, r.high, r.counts) for r in (before, after)]
    yield Plot(
        "Probabilities",
        "reliability",
        "Reliability: of the predictions with a confidence of so much, as large a share should be right. The temperature "
        f"{temperature:.2f}, which is fitted on val, {'softens' if temperature > 1 else 'sharpens'} the probabilities.",
        f"Expected calibration error {before.error:.4f}, and {after.error:.4f} after temperature scaling.",
        plot_reliability(*bins),
    )


def _network(results: Results) -> Iterator[Plot]:
    found, test = results.interpretation, results.test
    if found.kernels:
        yield Plot(
            "Inside the network",
            "filters",
            "What the first and the last convolution have learned.",
            f"Kernels of {' and '.join(found.kernels)}.",
            plot_filters(found.kernels),
        )
        label = int(test.y_true[found.example])
        yield Plot(
            "Inside the network",
            "feature_maps",
            "What the convolutions make of one image: the strongest maps of each.",
            f"Feature maps of an image of {test.class_names[label]}.",
            plot_feature_maps(results.images(found.example), found.maps, label, test.class_names),
            chart=False,
        )


def _embedding(results: Results) -> Iterator[Plot]:
    if results.embedding is not None:
        points, method = results.embedding
        sampled = results.test.sampled
        yield Plot(
            "Inside the network",
            "embedding",
            f"{len(points)} test images as the last layer sees them, laid out by {method}; wrong predictions are marked.",
            f"{method} of the features before the last layer, coloured by class.",
            plot_embedding(
                points, results.test.y_true[sampled], ~results.test.correct[sampled], results.test.class_names, method
            ),
        )


def _data(results: Results) -> Iterator[Plot]:
    look = results.diagnosis.look
    yield counts_plot(look, DATA)
    for labels in results.diagnosis.labels:
        # Those of test are in the confusion matrix and among the confident mistakes.
        if labels.split == "val":
            yield from label_plots(labels, look, DATA)
    yield from image_plots(look, DATA)


def _gallery(results: Results, positions: np.ndarray) -> Figure:
    test = results.test
    return plot_samples(
        results.images(positions), test.y_true[positions], test.y_score[positions], test.class_names, GALLERY_COLUMNS
    )


def _drawable_pair(results: Results, pair) -> tuple:
    test = results.test
    confused = [(results.images(i), int(test.y_true[i]), int(test.y_pred[i])) for i in pair.confused]
    right = results.images(pair.correct_first), results.images(pair.correct_second)
    return pair.first, pair.second, pair.first_as_second, pair.second_as_first, *right, confused


# The plots of the page, in its order: each yields those that it has of a run's results.
PLOTS: tuple[Callable[[Results], Iterator[Plot]], ...] = (
    _training,
    _predictions,
    _attention,
    _classes,
    _probabilities,
    _network,
    _embedding,
    _data,
)
