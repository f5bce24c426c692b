"""The networks: one file per family, and this dict of their names."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.data import Preprocessing
from kerasexp.config.experiment import Experiment
from kerasexp.config.head import ZeroShot
from kerasexp.config.head_rules import head_without_steps
from kerasexp.config.model import Application, Model
from kerasexp.models.applications import NETWORKS, build_application, imagenet_logits
from kerasexp.models.cnn import build_cnn
from kerasexp.models.decoding import ARGMAX, Decoding, decoding_of
from kerasexp.models.label_mapping import LabelMapping
from kerasexp.models.mlp import build_mlp
from kerasexp.models.resnet import build_resnet18

# From uint8 images to features; the family rescales what it takes.
MODELS: dict[str, Callable[[Model, keras.KerasTensor], keras.KerasTensor]] = {
    "mlp": build_mlp,
    "cnn": build_cnn,
    "resnet18": build_resnet18,
    **dict.fromkeys(NETWORKS, build_application),
}


def build_model(
    model: Model, preprocessing: Preprocessing, classes: int, name: str, decoding: Decoding = ARGMAX
) -> keras.Model:
    """Build a functional classifier.

    It takes uint8 images [n, height, width, channels] in 0..255, rescales them itself, and gives float32
    probabilities [n, classes], whatever the precision of what lies between: those of the logits after `decoding`. What is
    trained is `learner` of it.
    """
    inputs = _images(preprocessing)
    features = MODELS[model.name](model, inputs)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(features)
    decoded = decoding.layer()
    return keras.Model(inputs, _probabilities(logits if decoded is None else decoded(logits)), name=name)


def build_classifier(experiment: Experiment, class_names: list[str], counts: list[int]) -> keras.Model:
    """Build the classifier that an experiment asks for.

    Args:
        experiment: resolved and validated.
        class_names: of the data.
        counts: the training images of each class.

    Returns:
        As `build_model`; with `head.zero_shot` its classes are the answers that this has.
    """
    model, preprocessing = experiment.model, experiment.data.preprocessing
    match head_without_steps(experiment):
        case (_, ZeroShot() as zero_shot):
            return _build_zero_shot(model, zero_shot, preprocessing, class_names, experiment.name)
    decoding = decoding_of(experiment.training.decode, counts)
    return build_model(model, preprocessing, len(counts), experiment.name, decoding)


def _build_zero_shot(
    model: Application, zero_shot: ZeroShot, preprocessing: Preprocessing, class_names: list[str], name: str
) -> keras.Model:
    inputs = _images(preprocessing)
    mapping = LabelMapping(zero_shot.groups(class_names), zero_shot.combine, dtype="float32", name="logits")
    return keras.Model(inputs, _probabilities(mapping(imagenet_logits(model, inputs))), name=name)


def _images(preprocessing: Preprocessing) -> keras.KerasTensor:
    return keras.Input((*preprocessing.size, preprocessing.channels), dtype="uint8", name="images")


def ending_in(model: keras.Model, logits: keras.KerasTensor) -> keras.Model:
    """Return the classifier of the same images whose probabilities are those of other logits, computed of its layers."""
    return keras.Model(model.input, _probabilities(logits), name=model.name)


def _probabilities(logits: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Activation("softmax", dtype="float32", name="probabilities")(logits)


def learner(model: keras.Model) -> keras.Model:
    """Return the part of a classifier that is trained: from images to logits, which losses are computed of."""
    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)
