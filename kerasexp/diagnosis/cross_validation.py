"""What models say of images that they have not learned from: the judges of labels where there is no other model to ask."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import keras
import numpy as np

from kerasexp.config.data import Preprocessing
from kerasexp.config.model import Block, Cnn, Head
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_parts, stratified_sample
from kerasexp.diagnosis.downsampling import reduced
from kerasexp.diagnosis.label_verdict import kappa_error
from kerasexp.models import build_model, learner

# More images make the models better, and the verdict no other.
MOST = 30_000
PARTS, BATCH, PREDICTED = 3, 128, 1000
# Images are reduced to about this side: the judges need to be good enough, not good.
SIDE = 32
# A part is gone through until so many images have been seen, within these bounds.
SEEN, FEWEST_EPOCHS, MOST_EPOCHS = 60_000, 5, 40
LEARNING_RATE = 0.003


@dataclass(frozen=True)
class CrossValidated:
    """What was said of each image by models that had not seen it.

    Attributes:
        positions: int64 [n], of the images that were judged, in their split.
        y_score: float32 [n, classes], the mean of two models' probabilities.
        own_error: how often the two models name different classes, as a share of how often they would by chance.
        others: of images that no model has seen, by split: float32 [m, classes], the mean of all models.
    """

    positions: np.ndarray
    y_score: np.ndarray
    own_error: float
    others: dict[str, np.ndarray]


def cross_validate(
    train: Split, others: dict[str, np.ndarray], classes: int, seed: int, progress: Callable[[int, int], None]
) -> CrossValidated:
    """Train a small CNN on each third of the labelled images, and ask it about all the rest.

    Every image is judged by the two models that have not seen it and that share no image between them. Where these
    disagree with each other it is them who do not know, whatever the label says; usual folds, whose models learn from
    nearly the same images, could not tell.

    Args:
        train: labelled images, of which at most `MOST` are taken, each class by its share.
        others: images uint8 [m, height, width, channels] by split, which are judged as well.
        classes: how many there are.
        seed: of the parts and the weights.
        progress: called with the steps done and those to do.
    """
    positions = stratified_sample(train.labels, MOST, seed)
    labels, images = train.labels[positions], reduced(train.images[positions], SIDE)
    parts = stratified_parts(labels, PARTS, seed)
    others = {name: reduced(asked, SIDE) for name, asked in others.items()}
    names = [""] * len(labels)
    scores = np.zeros((PARTS, len(labels), classes), np.float32)
    of_others = {name: np.zeros((len(asked), classes), np.float32) for name, asked in others.items()}
    epochs = int(np.clip(SEEN * PARTS // max(len(labels), 1), FEWEST_EPOCHS, MOST_EPOCHS))
    steps = epochs * math.ceil(len(labels) / PARTS / BATCH)
    keras.utils.set_random_seed(seed)
    classifier, model = _judge(images.shape[1:], classes, steps)
    for part in range(PARTS):
        own = parts == part
        learned = Split(images[own], labels[own], names[: int(own.sum())])
        _start_anew(classifier, model, seed + part)
        _learn(
            model,
            learned,
            epochs,
            seed + part,
            lambda step, before=part * steps: progress(before + step, PARTS * steps),
        )
        scores[part, ~own] = classifier.predict(images[~own], batch_size=PREDICTED, verbose=0)
        for name, asked in others.items():
            of_others[name] += classifier.predict(asked, batch_size=PREDICTED, verbose=0) / PARTS
    every = np.arange(len(labels))
    first, second = (scores[(parts + shift) % PARTS, every] for shift in (1, 2))
    error = kappa_error(first.argmax(axis=1), second.argmax(axis=1), classes)
    return CrossValidated(positions, (first + second) / 2, error, of_others)


def _judge(shape: tuple[int, ...], classes: int, steps: int) -> tuple[keras.Model, keras.Model]:
    """Return a small CNN, from images to probabilities, and the compiled part of it that learns labels as they stand."""
    height, width, channels = shape
    deep = int(np.clip(math.log2(min(height, width) / 3), 1, 3))
    blocks = [Block(filters=16 * 2**k, batch_norm=True, pool=2) for k in range(deep)]
    preprocessing = Preprocessing.model_construct(size=[height, width], channels=channels)
    classifier = build_model(Cnn(blocks=blocks, head=Head(dropout=0.25)), preprocessing, classes, "judge")
    model = learner(classifier)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    return classifier, model


def _start_anew(classifier: keras.Model, model: keras.Model, seed: int) -> None:
    """Draw new weights and forget the last training; the graph, which takes longer than a small training, is kept."""
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(classifier)
    classifier.set_weights(fresh.get_weights())
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))


def _learn(model: keras.Model, split: Split, epochs: int, seed: int, progress: Callable[[int], None]) -> None:
    done = count(1)
    tell = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: progress(next(done)))
    batches = training_batches(split, Sampling(BATCH), seed, None, epochs)
    steps = math.ceil(len(split) / BATCH)
    model.fit(batches, epochs=epochs, steps_per_epoch=steps, callbacks=[tell], shuffle=False, verbose=0)
