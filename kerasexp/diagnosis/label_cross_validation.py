"""Held-out predictions for every labelled image, by small CNNs that are cross-validated on the labels themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import keras
import numpy as np

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, ConvBlock, Head
from kerasexp.data.downsampling import downsampled
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_parts, stratified_sample
from kerasexp.diagnosis.label_verdict import disagreement
from kerasexp.evaluation.metric_limits import most_images
from kerasexp.models import build_model, logits_model

# More images make the models better, but do not change the verdict.
MAX_IMAGES = 30_000
FOLDS, BATCH, PREDICTION_BATCH = 3, 128, 1000
# Images are downsampled to about this side: the models need not be as good as possible.
SIDE = 32
# Each model is trained for about this many images, within these numbers of epochs.
IMAGES_SEEN, MIN_EPOCHS, MAX_EPOCHS = 60_000, 5, 40
LEARNING_RATE = 0.003


@dataclass(frozen=True)
class CrossValidated:
    """Predictions for each image by models that were not trained on it.

    Attributes:
        positions: int64 [n], of the assessed images in their split.
        y_score: float32 [n, classes], the mean of two models' probabilities.
        model_error: disagreement of the two models with each other, relative to that by chance.
        others: by split, float32 [m, classes], the mean of all models, for images that none was trained on.
    """

    positions: np.ndarray
    y_score: np.ndarray
    model_error: float
    others: dict[str, np.ndarray]


def most_assessed(classes: int) -> int:
    """Return how many images of train are assessed at most: fewer with very many classes."""
    return min(MAX_IMAGES, most_images(classes))


def cross_validate(
    train: Split,
    others: dict[str, np.ndarray | LazyImages],
    classes: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> CrossValidated:
    """Train a small CNN on each third of the labelled images, and predict all the others with it.

    Two models predict each image; they were not trained on it, and share no training image. Where they disagree with each
    other, at least one is wrong whatever the label is. The models of ordinary cross-validation, trained on nearly the same
    images, would make the same errors.

    Args:
        train: labelled images; a stratified sample of `most_assessed` is used, of which each group is in one third.
        others: images uint8 [m, height, width, channels] by split, which are predicted as well.
        classes: number of classes.
        seed: of the folds and the weights.
        progress: called with the steps done and the number of all steps.
    """
    positions = stratified_sample(train.labels, most_assessed(classes), seed)
    sampled = train.take(positions)
    labels, images = sampled.labels, downsampled(sampled.images, SIDE)
    folds = stratified_parts(labels, FOLDS, seed, sampled.groups)
    others = {name: downsampled(unlabelled, SIDE) for name, unlabelled in others.items()}
    names = [""] * len(labels)
    scores = np.zeros((FOLDS, len(labels), classes), np.float32)
    other_scores = {name: np.zeros((len(unlabelled), classes), np.float32) for name, unlabelled in others.items()}
    epochs = int(np.clip(IMAGES_SEEN * FOLDS // max(len(labels), 1), MIN_EPOCHS, MAX_EPOCHS))
    steps = epochs * math.ceil(len(labels) / FOLDS / BATCH)
    keras.utils.set_random_seed(seed)
    classifier, model = _compiled_cnn(images.shape[1:], classes, steps)
    for fold in range(FOLDS):
        own = folds == fold
        fold_split = Split(images[own], labels[own], names[: int(own.sum())])
        _reset(classifier, model, seed + fold)
        done, end = count(fold * steps + 1), (fold + 1) * steps
        report = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, done=done, end=end: progress(min(next(done), end), FOLDS * steps)
        )
        fold_steps = math.ceil(len(fold_split) / BATCH)
        # Thirds of groups have different sizes; all are trained for about as many steps.
        own_epochs = epochs if sampled.groups is None else max(round(steps / fold_steps), 1)
        batches = training_batches(fold_split, Sampling(BATCH), seed + fold, None, own_epochs)
        model.fit(batches, epochs=own_epochs, steps_per_epoch=fold_steps, callbacks=[report], shuffle=False, verbose=0)
        scores[fold, ~own] = classifier.predict(images[~own], batch_size=PREDICTION_BATCH, verbose=0)
        for name, unlabelled in others.items():
            other_scores[name] += classifier.predict(unlabelled, batch_size=PREDICTION_BATCH, verbose=0) / FOLDS
    every = np.arange(len(labels))
    first, second = (scores[(folds + shift) % FOLDS, every] for shift in (1, 2))
    error = disagreement(first.argmax(axis=1), second.argmax(axis=1), classes)
    return CrossValidated(positions, (first + second) / 2, error, other_scores)


def _compiled_cnn(shape: tuple[int, ...], classes: int, steps: int) -> tuple[keras.Model, keras.Model]:
    """Return a small CNN, from images to probabilities, and its compiled part, from images to logits."""
    height, width, channels = shape
    depth = int(np.clip(math.log2(min(height, width) / 3), 1, 3))
    blocks = [ConvBlock(filters=16 * 2**k, batch_norm=True, pool=2) for k in range(depth)]
    preprocessing = Preprocessing.model_construct(size=[height, width], channels=channels)
    classifier = build_model(Cnn(blocks=blocks, head=Head(dropout=0.25)), preprocessing, classes, "cross_validated")
    model = logits_model(classifier)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    return classifier, model


def _reset(classifier: keras.Model, model: keras.Model, seed: int) -> None:
    """Draw new weights and clear the optimizer; the graph is kept, as tracing it takes longer than a small training."""
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(classifier)
    classifier.set_weights(fresh.get_weights())
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
