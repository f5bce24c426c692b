"""Augmentations of a user's own, as functions of images and seeds: what is drawn follows from (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasexp.config.custom_code import CustomAugmentation
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.errors import KerasexpError, Problem, UserError

KEY = "data.augmentation.layers"
# (float32 images [n, height, width, channels] in 0..255, int32 seeds [n, 2]) -> images of the same shape.
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# Images of the trial before a training.
IMAGES = 2


class GivenSeeds(keras.random.SeedGenerator):
    """A generator of a layer's seeds that are derived from a given one, so that a layer keeps no state of its own."""

    def __init__(self):
        super().__init__(seed=0)
        self._given: tf.Tensor | None = None
        self._drawn = 0

    def give(self, seed: tf.Tensor, offset: int) -> None:
        """Derive the next seeds from this one, int32 [2], and the number of the generator."""
        self._given, self._drawn = seed, 1000 * offset

    def next(self, ordered: bool = True):
        self._drawn += 1
        return self._given + tf.constant([0, self._drawn], tf.int32)


def draw_seeds(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the seeds of each image: int32 [count, 2]."""
    return generator.integers(0, 2**31 - 1, (count, 2), dtype=np.int64).astype(np.int32)


def custom_changes(layers: Sequence[CustomAugmentation], shape: tuple[int, int, int]) -> list[Change]:
    """Return the augmentations of an experiment, each after a trial on black images of this shape.

    Raises:
        UserError: one is no function of (images, seeds) and no Keras layer, or changes the shape of its images.
        CodeError: one raised an exception.
    """
    changes = []
    for position, layer in enumerate(layers):
        change = _change(layer, f"{KEY}.{position}")
        _try_out(change, layer, shape, f"{KEY}.{position}")
        changes.append(change)
    return changes


def apply_changes(
    images: tf.Tensor, seeds: tf.Tensor, changes: Sequence[Change], shape: tuple[int, int, int]
) -> tf.Tensor:
    """Apply augmentations in their order; each gets seeds of its own.

    Args:
        images: uint8 [n, height, width, channels].
        seeds: int32 [n, 2].
        changes: of `custom_changes`.
        shape: (height, width, channels), which a graph may not know.

    Returns:
        uint8 of the same shape, rounded and clipped to 0..255.
    """
    changed = tf.ensure_shape(tf.cast(images, tf.float32), (None, *shape))
    for number, change in enumerate(changes):
        changed = tf.cast(change(changed, seeds + tf.constant([number, 0], tf.int32)), tf.float32)
        changed = tf.ensure_shape(changed, (None, *shape))
    return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8)


def _change(code: CustomAugmentation, key: str) -> Change:
    function = import_code(code)
    if code.is_given():
        # Its own lines are to be those of its errors.
        return tf.autograph.experimental.do_not_convert(function)
    layer = function()
    if not isinstance(layer, keras.layers.Layer):
        message = (
            f"{_called(code)} returned a {type(layer).__name__}; a function without the parameters (images, seeds) returns a "
            "Keras layer"
        )
        raise UserError(Problem(message, key=key))
    generators = _own_seeds(layer)

    def change(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        for offset, generator in enumerate(generators):
            generator.give(seeds[0], offset)
        return layer(images, training=True)

    return tf.autograph.experimental.do_not_convert(change)


def _own_seeds(layer: keras.layers.Layer) -> list[GivenSeeds]:
    """Replace the generators of random numbers of a layer and of those in it, and return them."""
    found = []
    for part in [layer, *layer._flatten_layers(include_self=False)]:
        for name, value in list(vars(part).items()):
            if isinstance(value, keras.random.SeedGenerator):
                found.append(GivenSeeds())
                vars(part)[name] = found[-1]  # a layer that is built refuses new state, and this has none
    return found


def _try_out(change: Change, code: CustomAugmentation, shape: tuple[int, int, int], key: str) -> None:
    # In a graph, and for any number of images, as in a training.
    signature = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, 2), tf.int32)]
    try:
        traced = tf.function(change, input_signature=signature, autograph=False)
        got: Any = traced(tf.zeros((IMAGES, *shape)), tf.zeros((IMAGES, 2), tf.int32))
    except KerasexpError:
        raise
    except Exception as error:
        raise CodeError(f"{_called(code)}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    found = tuple(getattr(got, "shape", ()))
    if found != (IMAGES, *shape):
        message = (
            f"{_called(code)} returned shape {list(found)} for images of shape {[IMAGES, *shape]}; it must be the same"
        )
        raise UserError(Problem(message, key=key))


def _called(code: CustomAugmentation) -> str:
    return f"{code.reference.file.name}:{code.reference.function}"
