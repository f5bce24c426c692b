"""The networks: one file per family, and this dict of their names."""

from __future__ import annotations

from collections.abc import Callable

import keras

from kerasexp.config.data import Preprocessing
from kerasexp.config.experiment import Experiment
from kerasexp.config.model import Model
from kerasexp.models.cnn import build_cnn
from kerasexp.models.decoding import ARGMAX, Decoding, decoding_of
from kerasexp.models.mlp import build_mlp
from kerasexp.models.pretrained import NETWORKS, build_application
from kerasexp.models.resnet import build_resnet18

# From uint8 pictures to features; the family rescales what it takes.
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

    It takes uint8 pictures [n, height, width, channels] in 0..255, rescales them itself, and gives float32
    probabilities [n, classes], whatever the precision of what lies between: those of the logits after `decoding`. What is
    trained is `learner` of it.
    """
    inputs = keras.Input((*preprocessing.size, preprocessing.channels), dtype="uint8", name="pictures")
    features = MODELS[model.name](model, inputs)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(features)
    decoded = decoding.layer()
    outputs = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(
        logits if decoded is None else decoded(logits)
    )
    return keras.Model(inputs, outputs, name=name)


def classifier_of(experiment: Experiment, counts: list[int]) -> keras.Model:
    """Build the classifier that an experiment asks for, `counts` the training pictures of each class; see `build_model`."""
    decoding = decoding_of(experiment.training.decode, counts)
    return build_model(experiment.model, experiment.data.preprocessing, len(counts), experiment.name, decoding)


def learner(model: keras.Model) -> keras.Model:
    """Return the part of a classifier that is trained: from pictures to logits, which losses are computed of."""
    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)
