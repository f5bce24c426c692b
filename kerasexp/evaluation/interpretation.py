"""Interpretation of convolutional networks: kernels, feature maps, Grad-CAM. An MLP has none of them."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from kerasexp.models.tensor_origin import origin

# Most layers whose feature maps are shown.
MAX_LAYERS = 6
# Layers that follow a convolution and belong to its output, as the next one sees it.
FOLLOWING = (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU, keras.layers.Add)
# Activations by which a dense layer turns logits into probabilities.
TO_PROBABILITIES = (keras.activations.softmax, keras.activations.sigmoid, keras.activations.hard_sigmoid)


@dataclass(frozen=True)
class Interpretation:
    """Heat maps, kernels and feature maps of a network.

    Attributes:
        predicted_heat, true_heat: Grad-CAM of each explained image for its predicted and its true class; see `grad_cam`.
        kernels: of the first and the last convolution, by layer name; empty without convolutions.
        example: position of the image that the feature maps belong to.
        maps: its feature maps by layer name.
    """

    predicted_heat: np.ndarray | None
    true_heat: np.ndarray | None
    kernels: dict[str, np.ndarray]
    example: int
    maps: dict[str, np.ndarray]


def interpret(
    model: keras.Model,
    images: np.ndarray,
    predicted: np.ndarray,
    true: np.ndarray,
    example_image: np.ndarray,
    example: int,
) -> Interpretation:
    """Explain the predictions for some images, and show the feature maps of one.

    Args:
        model: a classifier.
        images: uint8 [n, height, width, channels], to explain.
        predicted, true: int [n], their classes.
        example_image: uint8 [height, width, channels].
        example: its position.
    """
    heat = grad_cam(model, np.concatenate([images, images]), np.concatenate([predicted, true]))
    halves = (None, None) if heat is None else np.split(heat, 2)
    kernels = first_and_last_kernels(model)
    return Interpretation(*halves, kernels, example, feature_maps(model, example_image) if kernels else {})


def convolutions(model: keras.Model) -> list[keras.Layer]:
    """Return the layers with a kernel over height and width, from input to output; a network within it is one layer."""
    return [
        layer
        for layer in model.layers
        if layer.weights and len(layer.weights[0].shape) == 4 and len(getattr(_output(layer), "shape", ())) == 4
    ]


def _output(layer: keras.Layer) -> keras.KerasTensor:
    """Return the output of a layer in its model; `output` of a network within it is another tensor, that inside."""
    return keras.Operation.output.fget(layer)


def first_and_last_kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the kernels of the first and of the last convolution by layer name: float32 [height, width, in, out].

    A 1x1 kernel shows no pattern, so that 1x1 convolutions count only where there are no others. A depthwise kernel sees one
    map: its `in` is 1, its `out` the number of maps. A network within the model has no kernel of its own.
    """
    layers = [layer for layer in convolutions(model) if not isinstance(layer, keras.Model)]
    wide = [layer for layer in layers if max(layer.weights[0].shape[:2]) > 1] or layers
    return {layer.name: _kernels(layer) for layer in (*wide[:1], *wide[-1:])}


def _kernels(layer: keras.Layer) -> np.ndarray:
    kernels = np.asarray(layer.get_weights()[0], np.float32)
    if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D):
        return kernels.reshape(*kernels.shape[:2], 1, -1)
    return kernels


def feature_maps(model: keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of convolutions for one image, after normalisation, activation and residual sum.

    Args:
        model: a classifier.
        image: uint8 [height, width, channels].

    Returns:
        float32 [h, w, channels] by layer name, of at most six layers, including the first and the last. Maps of one pixel, such
        as those of squeeze and excitation, are left out where there are larger ones.
    """
    layers = convolutions(model)
    if not layers:
        return {}
    layers = [layer for layer in layers if max(_output(layer).shape[1:3]) > 1] or layers
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(MAX_LAYERS, len(layers))).round().astype(int))
    outputs = {layers[i].name: _output(_activated(model, layers[i])) for i in chosen}
    maps = keras.Model(model.input, outputs)(image[np.newaxis], training=False)
    return {name: keras.ops.convert_to_numpy(maps[name][0]).astype(np.float32) for name in outputs}


def grad_cam(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return the heat map of a class in each image; see `GradCam`."""
    return GradCam(model).heat(images, classes)


class GradCam:
    """Heat maps of classes by Grad-CAM, in the form HiResCAM (Draelos and Carin, arXiv:2011.08891).

    The maps of the last convolution are multiplied by the gradient of the class's logit at each place and summed; negative sums
    become 0. Where the maps are averaged before the classes, that is the Grad-CAM of Selvaraju et al. (ICCV 2017), which takes
    the mean gradient of each map. Where they are flattened, each place has weights of its own, and the mean would point at places
    that the class does not depend on. The logit is that of the answer: after the map of `training.decode`, or of
    `head.zero_shot`.

    Args:
        model: a classifier whose last layer, or last layer with weights, gives the logits.
    """

    def __init__(self, model: keras.Model):
        layers = convolutions(model)
        # The top of a MobileNet is a convolution of a single pixel, which shows no place.
        layers = [layer for layer in layers if tuple(_output(layer).shape[1:3]) != (1, 1)] or layers
        self._inside = None
        if layers:
            self._inside = keras.Model(model.input, [_output(_activated(model, layers[-1])), _logits(model)])

    def heat(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
        """Return the heat map of a class in each image.

        Args:
            images: uint8 [n, height, width, channels].
            classes: int [n], the class to explain in each image.

        Returns:
            float32 [n, height, width] in 0..1, with maximum 1 in each image; None without convolutions, or where the logits
            have no gradient.
        """
        import tensorflow as tf

        if self._inside is None or len(images) == 0:
            return None
        with tf.GradientTape() as tape:
            # The tape follows only what depends on watched variables; frozen weights are not watched by default.
            tape.watch([weight.value for weight in self._inside.weights])
            maps, scores = self._inside(tf.constant(images), training=False)
            logit = tf.gather(scores, tf.constant(classes, tf.int64), batch_dims=1)
        gradient = tape.gradient(logit, maps)
        if gradient is None:  # the votes of k nearest neighbours have none
            return None
        evidence = tf.cast(gradient, tf.float32) * tf.cast(maps, tf.float32)
        heat = tf.nn.relu(tf.reduce_sum(evidence, axis=-1, keepdims=True))
        heat = tf.image.resize(heat, images.shape[1:3]).numpy()[..., 0]
        return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12)


def _logits(model: keras.Model) -> keras.KerasTensor:
    """Return what the probabilities are made of, one value for each class.

    An activation at the end is left out, one within the last dense layer too. One output for two classes is the evidence for
    the second, and against the first.
    """
    layer, before = origin(model.output)
    if isinstance(layer, keras.layers.Activation | keras.layers.Softmax) and len(before.shape) == 2:
        return before
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    logits = _without_activation(last) if getattr(last, "activation", None) in TO_PROBABILITIES else _output(last)
    if logits.shape[-1] == 1 and model.output.shape[-1] == 2:
        against = keras.layers.Rescaling(-1.0, dtype="float32")(logits)
        return keras.layers.Concatenate(dtype="float32")([against, logits])
    return logits


def _without_activation(layer: keras.Layer) -> keras.KerasTensor:
    """Return what a dense layer computes before its activation, by a layer with the same weights."""
    _, before = origin(_output(layer))
    linear = type(layer).from_config(layer.get_config() | {"activation": None, "name": f"{layer.name}_logits"})
    logits = linear(before)
    linear.set_weights(layer.get_weights())
    return logits


def _activated(model: keras.Model, layer: keras.Layer) -> keras.Layer:
    """Return the layer whose output is that of `layer` after normalisation, activation and residual sum."""
    position = model.layers.index(layer)
    for following in model.layers[position + 1 :]:
        if not isinstance(following, FOLLOWING):
            break
        if _output(following).shape != _output(layer).shape:
            break
        layer = following
    return layer
