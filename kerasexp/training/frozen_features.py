"""Training of a head alone: what the frozen layers below it give is computed once, instead of in every epoch."""

from __future__ import annotations

from dataclasses import replace

import keras

from kerasexp.config import Experiment
from kerasexp.config.custom_code import CustomModel
from kerasexp.console import Console
from kerasexp.data.prepared_data import Split
from kerasexp.training.fine_tuning import in_head
from kerasexp.training.training_features import extract_features

# Features of more bytes than this are not held in memory; the network then computes them in every epoch.
MOST_BYTES = 2**30


def head_on_features(
    classifier: keras.Model, splits: dict[str, Split], experiment: Experiment, console: Console
) -> tuple[keras.Model, dict[str, Split]]:
    """Return what a training needs of a classifier, and the splits that it takes: features if they always stay the same.

    They do if all layers below the head are frozen, draw nothing at random, and see the same images in each epoch. The head
    shares its layers with `classifier`, which is therefore trained with it.

    Args:
        classifier: from images to probabilities, with its initial weights.
        splits: with uint8 images.
        experiment: its augmentation and its model.
        console: shows the progress.

    Returns:
        The head, from features to probabilities, and splits with features float32 [n, f] in place of images; or the
        arguments as they are.
    """
    below = [layer for layer in classifier.layers if not in_head(layer)]
    features = next(layer for layer in classifier.layers if in_head(layer)).input
    is_custom = isinstance(experiment.model, CustomModel)  # its layers may do something else in training
    # A teacher sees images.
    needs_images = experiment.data.augmentation is not None or experiment.training.distill is not None
    if needs_images or is_custom or not _are_constant(below) or len(features.shape) != 2:
        return classifier, splits
    count = sum(len(splits[name]) for name in ("train", "val"))
    if 4 * count * features.shape[1] > MOST_BYTES:
        return classifier, splits
    console.line("the layers below the head are frozen and images are not augmented: their features are computed once")
    extractor = keras.Model(classifier.input, features, name="features")
    found = {
        name: replace(splits[name], images=extract_features(extractor, splits[name].images, console))
        for name in ("train", "val")
    }
    return keras.Model(features, classifier.output, name=classifier.name), found


def _are_constant(layers: list[keras.layers.Layer]) -> bool:
    """Return whether layers with weights among these are all frozen, and none has a random generator, as dropout has."""
    weights = [weight for layer in layers for weight in layer.weights]
    variables = [variable for layer in layers for variable in layer.variables]
    trainable = [weight for layer in layers for weight in layer.trainable_weights]
    return bool(weights) and not trainable and len(variables) == len(weights)
