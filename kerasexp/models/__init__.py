"""The model families: one file each, and the registry `MODELS`."""

from __future__ import annotations

from typing import Literal

import keras

from kerasexp.config.custom_code import CustomModel
from kerasexp.config.data_section import Preprocessing
from kerasexp.config.experiment import Experiment
from kerasexp.config.head_section import ZeroShot
from kerasexp.config.model_section import Application, Backbone, Model, classical_head
from kerasexp.models.applications import APPLICATIONS, imagenet_logits
from kerasexp.models.cnn import CNN
from kerasexp.models.custom_network import CUSTOM
from kerasexp.models.decoding_layer import ARGMAX, Decoding, decoding_of
from kerasexp.models.family import Family
from kerasexp.models.label_mapping_layer import LabelMapping
from kerasexp.models.layers import enlarge
from kerasexp.models.mlp import MLP
from kerasexp.models.resnet import RESNET18
from kerasexp.models.tensor_origin import origin

MODELS: dict[str, Family] = {"mlp": MLP, "cnn": CNN, "resnet18": RESNET18, **APPLICATIONS}


def family_of(model: Model) -> Family:
    """Return the family of a section `model`."""
    return CUSTOM if isinstance(model, CustomModel) else MODELS[model.name]


def build_model(
    model: Model,
    preprocessing: Preprocessing,
    classes: int,
    name: str,
    decoding: Decoding = ARGMAX,
    activation: Literal["softmax", "sigmoid"] = "softmax",
) -> keras.Model:
    """Build a functional classifier.

    It maps uint8 images [n, height, width, channels] in 0..255 to float32 probabilities [n, classes]: the softmax of the
    logits after `decoding`, or the sigmoid of each with several labels an image, in float32 whatever the precision of the
    other layers. `logits_model` is the trained part of it.
    """
    inputs = _images(preprocessing)
    features = family_of(model).build(model, _enlarged(model, inputs))
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(features)
    decoded = decoding.layer()
    decoded_logits = logits if decoded is None else decoded(logits)
    return keras.Model(inputs, _probabilities(decoded_logits, activation), name=name)


def build_classifier(experiment: Experiment, class_names: list[str], counts: list[int]) -> keras.Model:
    """Build the classifier of an experiment.

    Args:
        experiment: resolved and validated.
        class_names: the classes of the data.
        counts: the training images of each class.

    Returns:
        As `build_model`; with `head.zero_shot` the classes are its `answers`.
    """
    model, preprocessing = experiment.model, experiment.data.preprocessing
    match classical_head(experiment.model):
        case (_, ZeroShot() as zero_shot):
            return _build_zero_shot(model, zero_shot, preprocessing, class_names, experiment.name)
    decoding = decoding_of(experiment.training.decode, counts)
    activation = "sigmoid" if experiment.data.multi_label else "softmax"
    return build_model(model, preprocessing, len(counts), experiment.name, decoding, activation)


def _build_zero_shot(
    model: Application, zero_shot: ZeroShot, preprocessing: Preprocessing, class_names: list[str], name: str
) -> keras.Model:
    inputs = _images(preprocessing)
    mapping = LabelMapping(zero_shot.groups(class_names), zero_shot.combine, dtype="float32", name="logits")
    return keras.Model(inputs, _probabilities(mapping(imagenet_logits(model, _enlarged(model, inputs)))), name=name)


def _images(preprocessing: Preprocessing) -> keras.KerasTensor:
    return keras.Input((*preprocessing.size, preprocessing.channels), dtype="uint8", name="images")


def _enlarged(model: Model, images: keras.KerasTensor) -> keras.KerasTensor:
    size = model.resize if isinstance(model, Backbone) else None
    return images if size is None or size == list(images.shape[1:3]) else enlarge(images, size)


def with_logits(model: keras.Model, logits: keras.KerasTensor) -> keras.Model:
    """Return a classifier with the input of `model` and other logits, which are computed from its layers."""
    return keras.Model(model.input, _probabilities(logits), name=model.name)


def _probabilities(logits: keras.KerasTensor, activation: str = "softmax") -> keras.KerasTensor:
    return keras.layers.Activation(activation, dtype="float32", name="probabilities")(logits)


def logits_model(model: keras.Model) -> keras.Model:
    """Return the part of a classifier that is trained: from images to logits, from which losses are computed."""
    return keras.Model(model.input, logits_tensors(model)[1], name=model.name)


def logits_tensors(model: keras.Model) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input and the output of the layer `logits` as this model calls it; another may share the layer.

    Keras's `layer.output` is that of a layer's first call, which may be another model's.
    """
    outputs = model.output
    while True:
        layer, inputs = origin(outputs)
        if layer.name == "logits":
            return inputs, outputs
        outputs = inputs
