"""Building blocks that several families share: preprocessing, and layers with weights together with norm and activation."""

from __future__ import annotations

import keras

from kerasexp.config.model_section import Activation, Block, Head

# Momentum of the moving averages. Keras's default 0.99 lags some 500 steps behind, an epoch of MNIST: after a short
# training, or early in a long one, validation would see the statistics of outdated weights. 0.9 is PyTorch's default.
MOVING_AVERAGE = 0.9
# Added to the variance; Keras's default.
EPSILON = 0.001
# Mean and standard deviation of ImageNet's channels, red first, for images in 0..1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# How feature maps become a feature vector.
POOLINGS = {
    "flatten": keras.layers.Flatten,
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def rescale(images: keras.KerasTensor) -> keras.KerasTensor:
    """Scale uint8 images from 0..255 to 0..1."""
    return keras.layers.Rescaling(1 / 255, name="rescaling")(images)


def enlarge(images: keras.KerasTensor, size: list[int]) -> keras.KerasTensor:
    """Enlarge uint8 images to height and width `size`, bilinearly, with the centres of the corner areas aligned.

    Returns:
        float32 [n, height, width, channels] in 0..255, not rounded.
    """
    # Keras rounds resized integers in eager mode only, so they become floats first.
    values = keras.layers.Rescaling(1.0, dtype="float32", name="values")(images)
    # By default this layer's `training` is True, and where the model is called without it, that of the layers after it as well.
    return keras.layers.Resizing(*size, dtype="float32", name="enlarged")(values, training=False)


def standardise(images: keras.KerasTensor) -> keras.KerasTensor:
    """Scale uint8 images [n, height, width, 3] to mean 0 and standard deviation 1 over ImageNet."""
    scale = [1 / (255 * deviation) for deviation in DEVIATION]
    offset = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
    return keras.layers.Rescaling(scale, offset, name="rescaling")(images)


def normalise(features: keras.KerasTensor, name: str, epsilon: float = EPSILON) -> keras.KerasTensor:
    """Batch normalisation (Ioffe and Szegedy 2015)."""
    return keras.layers.BatchNormalization(momentum=MOVING_AVERAGE, epsilon=epsilon, name=name)(features)


def activate(features: keras.KerasTensor, activation: Activation, name: str) -> keras.KerasTensor:
    """Apply an activation as a separate layer, so that plots can name it."""
    return keras.layers.Activation(activation, name=name)(features)


def convolution(
    features: keras.KerasTensor, filters: int, kernel: int, stride: int, block: Block, name: str, linear: bool = False
) -> keras.KerasTensor:
    """Convolution, batch normalisation if the block has it, and the block's activation unless `linear`."""
    features = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=block.padding,
        use_bias=not block.batch_norm,
        # He initialisation suits ReLU and its relatives: the signal of deep plain networks does not fade (He et al. 2015).
        kernel_initializer="he_normal",
        name=name,
    )(features)
    return finish(features, block, name, linear)


def finish(features: keras.KerasTensor, block: Block, name: str, linear: bool = False) -> keras.KerasTensor:
    """Append to the convolution `name`: batch normalisation if the block has it, and its activation unless `linear`."""
    if block.batch_norm:
        features = normalise(features, f"{name}_norm")
    return features if linear else activate(features, block.activation, f"{name}_{block.activation}")


def add_to_shortcut(
    shortcut: keras.KerasTensor, features: keras.KerasTensor, skipped: float, name: str, number: str = ""
) -> keras.KerasTensor:
    """Add the branch of a residual block to its shortcut; in training, it is skipped for a share of the images.

    For the others it is divided by the share that is kept, so that predictions need no factor (as in timm).

    Args:
        shortcut, features: [n, height, width, channels], of one shape.
        skipped: the share; see `skipped_share`.
        name: of the block.
        number: what distinguishes several branches of a block.
    """
    if skipped:
        # One random number an image.
        features = keras.layers.Dropout(skipped, noise_shape=(None, 1, 1, 1), name=f"{name}_depth{number}")(features)
    return keras.layers.Add(name=f"{name}_sum{number}")([features, shortcut])


def skipped_share(stochastic_depth: float, number: int, blocks: int) -> float:
    """Return the share of images that skip a block, counted from 1: it rises evenly to that of the last of `blocks`."""
    return stochastic_depth * number / blocks


def dense(
    features: keras.KerasTensor, units: int, activation: Activation, batch_norm: bool, dropout: float, name: str
) -> keras.KerasTensor:
    """Dense layer, then batch normalisation, activation and dropout as requested."""
    features = keras.layers.Dense(units, use_bias=not batch_norm, name=name)(features)
    if batch_norm:
        features = normalise(features, f"{name}_norm")
    features = activate(features, activation, f"{name}_{activation}")
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(features) if dropout else features


def dense_head(features: keras.KerasTensor, head: Head) -> keras.KerasTensor:
    """The hidden dense layers before the logits; their names start with `head_`."""
    if head.dropout and not head.units:
        return keras.layers.Dropout(head.dropout, name="head_dropout")(features)
    for number, units in enumerate(head.units, start=1):
        features = dense(features, units, head.activation, head.batch_norm, head.dropout, f"head_dense_{number}")
    return features
