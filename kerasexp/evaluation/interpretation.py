"""What a convolutional network has learned and looks at: kernels, feature maps, Grad-CAM. An MLP has none of it."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

# Feature maps are shown of at most so many layers.
MAX_LAYERS = 6
# What a convolution's maps go through before the next one sees them.
FOLLOWING = (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU, keras.layers.Add)


@dataclass(frozen=True)
class Interpretation:
    """What a network has learned, and what it looks at.

    Attributes:
        predicted_heat, true_heat: of each explained image, where the evidence for its predicted and for its true class lies;
            see `grad_cam`.
        kernels: of the first and the last convolution, by layer name; empty where nothing convolves.
        example: position of the image that feature maps are of.
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
    """Return the layers with a kernel over height and width, from input to output."""
    return [layer for layer in model.layers if layer.weights and len(layer.weights[0].shape) == 4]


def first_and_last_kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the kernels of the first and of the last convolution by layer name: float32 [height, width, in, out].

    One pixel shows nothing, so that 1x1 convolutions count only where there are no others. A depthwise kernel sees one map:
    its `in` is 1, and its `out` as many as it has maps.
    """
    layers = convolutions(model)
    wide = [layer for layer in layers if max(layer.weights[0].shape[:2]) > 1] or layers
    return {layer.name: _kernels(layer) for layer in (*wide[:1], *wide[-1:])}


def _kernels(layer: keras.Layer) -> np.ndarray:
    kernels = np.asarray(layer.get_weights()[0], np.float32)
    if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.SeparableConv2D):
        return kernels.reshape(*kernels.shape[:2], 1, -1)
    return kernels


def feature_maps(model: keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return what convolutions make of one image, after norm, activation and residual sum.

    Args:
        model: a classifier.
        image: uint8 [height, width, channels].

    Returns:
        float32 [h, w, channels] by layer name, of at most six layers, the first and the last among them. Maps of one pixel,
        such as those by which squeeze and excitation weighs maps, are left out where there are larger ones.
    """
    layers = convolutions(model)
    if not layers:
        return {}
    layers = [layer for layer in layers if max(layer.output.shape[1:3]) > 1] or layers
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(MAX_LAYERS, len(layers))).round().astype(int))
    outputs = {layers[i].name: _activated(model, layers[i]).output for i in chosen}
    answers = keras.Model(model.input, outputs)(image[np.newaxis], training=False)
    return {name: keras.ops.convert_to_numpy(answers[name][0]).astype(np.float32) for name in outputs}


def grad_cam(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return where the evidence for a class lies in each image, by Grad-CAM (Selvaraju et al., ICCV 2017).

    The gradient of the class's logit, averaged over the last convolution's maps, weighs them; what is negative is cut.

    Args:
        model: a classifier whose last layer with weights gives the logits.
        images: uint8 [n, height, width, channels].
        classes: int [n], the class asked about in each image.

    Returns:
        float32 [n, height, width] in 0..1, the highest of each image being 1; None where nothing convolves, or where the
        logits have no gradient.
    """
    import tensorflow as tf

    layers = convolutions(model)
    if not layers or len(images) == 0:
        return None
    logits = next(layer for layer in reversed(model.layers) if layer.weights)
    inside = keras.Model(model.input, [_activated(model, layers[-1]).output, logits.output])
    with tf.GradientTape() as tape:
        # A tape follows what depends on something watched; frozen weights are not, unless one says so.
        tape.watch([weight.value for weight in inside.weights])
        maps, scores = inside(tf.constant(images), training=False)
        asked = tf.gather(scores, tf.constant(classes, tf.int64), batch_dims=1)
    gradient = tape.gradient(asked, maps)
    if gradient is None:  # votes of neighbours have none
        return None
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=-1, keepdims=True))
    heat = tf.image.resize(heat, images.shape[1:3]).numpy()[..., 0]
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12)


def _activated(model: keras.Model, layer: keras.Layer) -> keras.Layer:
    """Return the layer after which `layer`'s maps are normalised, activated, summed: what next layers see."""
    position = model.layers.index(layer)
    for following in model.layers[position + 1 :]:
        if not isinstance(following, FOLLOWING):
            break
        if following.output.shape != layer.output.shape:
            break
        layer = following
    return layer
