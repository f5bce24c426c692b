"""The plots of a run's page with their captions: one function and one line of `PLOTS` each; they only draw results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.figure import Figure

from kerasexp.config.model_section import classical_head
from kerasexp.config.training_section import added_losses
from kerasexp.data.file_accounting import counted
from kerasexp.diagnosis.page_plots import class_counts_plot, image_plots, label_plots
from kerasexp.evaluation.confusion_counts import in_blocks
from kerasexp.evaluation.mistakes import ConfusedPair
from kerasexp.evaluation.roc import MANY
from kerasexp.plots.confused_pairs_grid import plot_confused_pairs
from kerasexp.plots.confusion_matrix import MAX_NUMBERS, plot_confusion
from kerasexp.plots.cross_validation_plot import plot_cross_validation
from kerasexp.plots.embedding_scatter import plot_embedding
from kerasexp.plots.epoch_curves import EXACT_MATCH, plot_curves
from kerasexp.plots.feature_map_grid import plot_feature_maps
from kerasexp.plots.filter_grid import plot_filters
from kerasexp.plots.grad_cam_grid import plot_grad_cam
from kerasexp.plots.gradient_curves import plot_gradient_flow
from kerasexp.plots.learning_curves import plot_learning_curves
from kerasexp.plots.roc_curves import plot_one_vs_rest
from kerasexp.plots.sample_grid import plot_samples
from kerasexp.report.html import DrawnPlot, Plot, draw
from kerasexp.report.report_missing_parts import Failure, Unavailable, draw_all
from kerasexp.runs.augmented_images import augmented_plot
from kerasexp.runs.probability_plots import reliability, risk_coverage
from kerasexp.runs.results import CLASSES, DATA, NETWORK, PREDICTIONS, PROBABILITIES, TRAINING, Results, Trained
from kerasexp.runs.stroke_width_results import stroke_widths

MAX_PAIRS = 6


def run_plots(results: Results) -> Iterator[DrawnPlot | Failure]:
    """Draw the plots one by one, in the order of the page; yield a failure in place of a plot that fails."""
    for section, plots in PLOTS:
        yield from draw_all(plots(results), section, plots.__name__.strip("_"))


def training_plots(trained: Trained) -> Iterator[DrawnPlot | Failure]:
    """Draw the plots of the training alone, as `run_plots`."""
    for section, plots in PLOTS:
        if section == TRAINING:
            yield from draw_all(plots(trained), section, plots.__name__.strip("_"))


def _curves(results: Trained) -> Iterator[Plot]:
    history, note = results.fitted.history, EXACT_MATCH if results.experiment.data.multi_label else ""
    if classical_head(results.experiment.model) is not None:
        return
    if added := added_losses(results.experiment.training):
        name = results.experiment.training.loss.name
        history = [{**row, "loss": row[name]} for row in history]
        note = f" The loss shown is {name} alone; the training minimises {' and '.join(added)} loss as well."
    yield Plot(
        TRAINING,
        "curves",
        "Loss, accuracy and learning rate. Those of train are averages over the epoch, with dropout and augmentation; those of "
        f"val are measured at its end.{note}",
        f"Curves over {counted(len(history), 'epoch')}; at the end the accuracy is {history[-1]['accuracy']:.4f} on train and "
        f"{history[-1]['val_accuracy']:.4f} on val.",
        lambda: plot_curves(
            history, majority=results.metrics["val"].get("majority_accuracy"), kept=results.fitted.kept
        ),
    )


def _early_curve(results: Trained) -> Iterator[Plot]:
    if early := results.fitted.early:
        curve = {name: np.array([row[name] for row in early]) for name in early[0]}
        yield Plot(
            TRAINING,
            "early_curve",
            "Start of the learning curve: accuracy and loss on up to 1,000 images of val, over steps and over seconds.",
            f"Val accuracy {early[0]['val_accuracy']:.4f} at step {early[0]['step']}, and {early[-1]['val_accuracy']:.4f} at "
            f"step {early[-1]['step']}.",
            lambda: plot_learning_curves([(results.experiment.name, curve)]),
        )


def _gradient_flow(results: Trained) -> Iterator[Plot]:
    flow = results.fitted.gradients
    if len(flow.steps) and flow.layers:
        yield Plot(
            TRAINING,
            "gradient_flow",
            "Gradient flow: mean and largest absolute gradient of each layer's kernel over the steps, before clipping, and the "
            "norm of an update relative to that of the weights. Gradients that fall by orders of magnitude from output to input "
            "are vanishing; updates of about a thousandth of the weights are usual.",
            f"Gradients of {len(flow.layers)} layers at {len(flow.steps)} steps, on logarithmic axes.",
            lambda: plot_gradient_flow(flow.steps, flow.layers, flow.mean, flow.largest, flow.ratio),
        )


def _cross_validation(results: Trained) -> Iterator[Plot]:
    head, rows = classical_head(results.experiment.model), results.fitted.cross_validation
    if head is not None and rows:
        key = next(iter(rows[0]))
        best, worst = (pick(rows, key=lambda row: row["accuracy"]) for pick in (max, min))
        yield Plot(
            TRAINING,
            "cross_validation",
            f"Accuracy of head.{head[0]} in cross-validation on train, mean and standard deviation over the folds, for each "
            f"{key}; the best one is selected. Features are extracted once; no weight below the head is trained.",
            f"The highest accuracy is {best['accuracy']:.4f}, for {key} {best[key]:g}; the lowest {worst['accuracy']:.4f}.",
            lambda: plot_cross_validation(rows, key),
        )


def _samples(results: Results) -> Iterator[Plot]:
    correct = int(results.test.correct[results.samples].sum())
    yield Plot(
        PREDICTIONS,
        "samples",
        "Random correct and wrong predictions of the test split, with the probability of the predicted class.",
        f"{correct} correct and {len(results.samples) - correct} wrong predictions.",
        _image_grid(results, results.samples),
        chart=False,
    )


def _mistakes(results: Results) -> Iterator[Plot]:
    test, names, mistakes = results.test, results.test.class_names, results.mistakes
    if len(mistakes):
        first = mistakes[0]
        yield Plot(
            PREDICTIONS,
            "mistakes",
            "The wrong predictions with the highest probability. The model or the label may be wrong.",
            f"{len(mistakes)} mistakes; the first is an image of {names[test.y_true[first]]} predicted as "
            f"{names[test.y_pred[first]]} with probability {test.confidence[first]:.2f}.",
            _image_grid(results, mistakes),
            chart=False,
        )


def _confused_pairs(results: Results) -> Iterator[Plot]:
    names, pairs = results.test.class_names, results.pairs[:MAX_PAIRS]
    if pairs:
        first = pairs[0]
        yield Plot(
            PREDICTIONS,
            "confused_pairs",
            "The most confused pairs of classes: two correctly classified images of each class, then confused ones.",
            f"{len(pairs)} pairs; most often {names[first.first]} and {names[first.second]}, "
            f"{first.first_as_second + first.second_as_first} times.",
            lambda: plot_confused_pairs([_pair_images(results, pair) for pair in pairs], names),
            chart=False,
        )


def _grad_cam(results: Results) -> Iterator[Plot]:
    test, interpretation = results.test, results.interpretation
    if interpretation is None or interpretation.predicted_heat is None:
        if interpretation is not None and interpretation.kernels and results.missing:
            raise Unavailable(results.missing)
        return
    shown = results.mistakes[: len(interpretation.predicted_heat)]
    yield Plot(
        PREDICTIONS,
        "grad_cam",
        "Grad-CAM of the most confident mistakes: image regions with evidence for the predicted and for the true class.",
        f"Heat maps over {len(shown)} misclassified images.",
        lambda: plot_grad_cam(
            results.images(shown),
            interpretation.predicted_heat,
            interpretation.true_heat,
            test.y_true[shown],
            test.y_score[shown],
            test.class_names,
        ),
        chart=False,
    )


def _confusion(results: Results) -> Iterator[Plot]:
    names, metrics = results.test.class_names, results.metrics["test"]
    counts, block = in_blocks(results.confusion)
    yield Plot(
        CLASSES,
        "confusion",
        "Confusion matrix of the test split: a row per true class, a column per predicted class. The colour is the square root "
        "of the share of the row, so that rare mistakes are visible.",
        f"{len(names)} classes; {metrics['accuracy']:.1%} of the images lie on the diagonal.",
        lambda: plot_confusion(counts, names, block=block),
    )
    if len(names) <= MAX_NUMBERS:
        recall = [row["recall"] for row in metrics["per_class"].values() if row["support"]]
        yield Plot(
            CLASSES,
            "confusion_normalised",
            "The same matrix with percent of the true class in the cells.",
            f"Recall lies between {min(recall):.1%} and {max(recall):.1%}.",
            lambda: plot_confusion(counts, names, normalised=True),
        )


def one_vs_rest(results: Results) -> Iterator[Plot]:
    curves, names = results.one_vs_rest, results.test.class_names
    if "macro_auc" in results.metrics["test"]:
        worst = int(np.nanargmin(curves.auc))
        drawn = "" if len(names) <= MANY else f" About {MANY} of {len(names):,} classes are drawn and averaged."
        yield Plot(
            CLASSES,
            "ranking",
            f"ROC and precision-recall curves of each class against the rest.{drawn}",
            f"Macro AUC {results.metrics['test']['macro_auc']:.4f}; the lowest AUC is that of {names[worst]}, "
            f"{curves.auc[worst]:.4f}.",
            lambda: plot_one_vs_rest(curves.roc, curves.pr, curves.auc, curves.average_precision, names),
        )


def filters(results: Results) -> Iterator[Plot]:
    if results.interpretation is not None and (kernels := results.interpretation.kernels):
        caption = "Kernels of the first and the last convolution."
        yield Plot(NETWORK, "filters", caption, f"Kernels of {' and '.join(kernels)}.", plot_filters(kernels))


def _feature_maps(results: Results) -> Iterator[Plot]:
    found, names = results.interpretation, results.test.class_names
    if found is not None and found.kernels and results.missing:
        raise Unavailable(results.missing)
    if found is not None and found.maps:
        label = int(results.test.y_true[found.example])
        yield Plot(
            NETWORK,
            "feature_maps",
            "Feature maps of one image: the strongest channels of each convolution.",
            f"Feature maps of an image of {names[label]}.",
            lambda: plot_feature_maps(results.images(found.example), found.maps, label, names),
            chart=False,
        )


def _embedding(results: Results) -> Iterator[Plot]:
    found = results.embedding()
    if found is None:
        return
    (points, method), test, shown = found, results.test, results.embedded
    yield Plot(
        NETWORK,
        "embedding",
        f"Features before the last layer of {len(points)} test images, in two dimensions by {method}; crosses are wrong "
        "predictions.",
        f"{method} of the features before the last layer, coloured by class.",
        lambda: plot_embedding(points, test.y_true[shown], ~test.correct[shown], test.class_names, method),
    )


def augmented(results: Results) -> Iterator[Plot]:
    """Yield the plot of augmented training images, where a training changes them."""
    if results.augmented is not None:
        yield augmented_plot(results.augmented, DATA)


def class_counts(results: Results) -> Iterator[DrawnPlot]:
    """Yield the plot of the images of each class, which the runs of a study share."""
    if results.diagnosis is not None:
        overview = results.diagnosis.overview
        yield results.data.once(
            "plot of class counts", lambda: draw(class_counts_plot(overview, DATA)), overview.class_names
        )


def _labels(results: Results) -> Iterator[Plot]:
    for labels in results.diagnosis.labels if results.diagnosis is not None else ():
        # The confusion matrix and the confident mistakes show those of test.
        if labels.split == "val":
            yield from label_plots(labels, results.diagnosis.overview, DATA)


def _unusual_images(results: Results) -> Iterator[Plot]:
    if results.diagnosis is not None:
        yield from image_plots(results.diagnosis.overview, DATA)


def _image_grid(results: Results, shown: np.ndarray) -> Figure:
    test = results.test
    return plot_samples(results.images(shown), test.y_true[shown], test.y_score[shown], test.class_names)


def _pair_images(results: Results, pair: ConfusedPair) -> tuple:
    test = results.test
    confused = [(results.images(i), int(test.y_true[i]), int(test.y_pred[i])) for i in pair.confused]
    correct = results.images(pair.correct_first), results.images(pair.correct_second)
    return pair.first, pair.second, pair.first_as_second, pair.second_as_first, *correct, confused


# The plots in the order of the page, with the section in which one that fails has its box. Each function yields the plots that
# it has for these results, or none.
PLOTS: list[tuple[str, Callable[[Results], Iterator[Plot]]]] = [
    (TRAINING, _curves),
    (TRAINING, _early_curve),
    (TRAINING, _gradient_flow),
    (TRAINING, _cross_validation),
    (PREDICTIONS, _samples),
    (PREDICTIONS, _mistakes),
    (PREDICTIONS, _confused_pairs),
    (PREDICTIONS, _grad_cam),
    (PREDICTIONS, stroke_widths),
    (CLASSES, _confusion),
    (CLASSES, one_vs_rest),
    (PROBABILITIES, reliability),
    (PROBABILITIES, risk_coverage),
    (NETWORK, filters),
    (NETWORK, _feature_maps),
    (DATA, augmented),
    (DATA, class_counts),
    (DATA, _labels),
    (DATA, _unusual_images),
    (NETWORK, _embedding),  # the last of its section too; computed while all others are drawn
]
