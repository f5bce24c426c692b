"""The preprocessing as layers of Keras alone, so that a model of them loads where kerasexp is not installed.

Keras has no layers that round, divide, compare or crop by content. What it has gives the same numbers: a sum with 2**23 rounds
in float32, a vector of length 1 divides, a ReLU that ends at 1 tells integers above 0 from those below.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.preprocess_layer import Preprocess
from kerasexp.data.preprocessing import GREY
from kerasexp.data.resize_weights import resize_weights

if TYPE_CHECKING:
    from kerasexp.data.value_range import ValueRange

# Numbers from here to twice as large have no fractional digits in float32: a sum with it is rounded, a half to even.
ROUNDING = 2.0**23
# A divisor, times this, next to a dividend of at most 255: the length of the two differs from it by less than 1e-8 of it.
DOMINANT = 2.0**14


def why_not_stock(config: Preprocessing, size: tuple[int, int] | None) -> str | None:
    """Return why Keras's own layers cannot do the preprocessing of images of this height and width; None if they can."""
    if size is None:
        return "the stored images have several sizes"
    if config.framing == "center" and size != tuple(config.size):
        return "framing: center places each image by its content, for which Keras has no layers"
    return None


def stock_preprocessing(
    images: keras.KerasTensor, config: Preprocessing, value_range: ValueRange | None, name: str
) -> keras.KerasTensor:
    """Return the preprocessed images, float32 [n, size[0], size[1], channels] of whole numbers in 0..255.

    They equal those of `Preprocess`, but for a few that differ by 1/255.

    Args:
        images: uint8 [n, height, width, 3], of a size that `why_not_stock` accepts.
        config: the preprocessing.
        value_range: the stored values, of files of 8 bits, that become 0..255; None for 0..255.
        name: with which the names of the layers begin.
    """
    return _Layers(name).preprocess(images, config, value_range)


class _Layers:
    """Layers that compute in float32, without weights to train, numbered in their order."""

    def __init__(self, name: str):
        self._names = (f"{name}_{number}" for number in itertools.count(1))

    def preprocess(
        self, images: keras.KerasTensor, config: Preprocessing, value_range: ValueRange | None
    ) -> keras.KerasTensor:
        values = self._affine(images, 1.0)
        if value_range is not None:
            scale = 255 / (value_range.high - value_range.low)
            values = self._rounded(self._clipped(self._affine(values, scale, -value_range.low * scale)))
        # float32 [n, 1]: the sum of the border, and whether to invert.
        border, count = self._border(values) if config.invert == "auto" or config.framing == "fit" else (None, 0)
        framed = self._framed(values, config, border, count)
        if config.invert is True:
            framed = self._affine(framed, -1.0, 255.0)
        elif config.invert == "auto":
            # An integer, above 0 where the border is bright.
            inverted = self._new(layers.ReLU, max_value=1.0)(self._affine(border, 2.0, -255.0 * count))
            change = self._affine(framed, -2.0, 255.0)
            inverted = self._new(layers.Reshape, (1, 1, 1))(inverted)
            framed = self._new(layers.Add)([framed, self._new(layers.Multiply)([change, inverted])])
        if config.contrast == "stretch":
            framed = self._stretched(framed)
        return self._rounded(self._clipped(framed))

    def _framed(
        self, values: keras.KerasTensor, config: Preprocessing, border: keras.KerasTensor | None, count: int
    ) -> keras.KerasTensor:
        rows, columns = values.shape[1:3]
        if config.channels == 1:
            values = self._product(values, GREY[:, np.newaxis])
        if (rows, columns) == tuple(config.size):
            return values
        places = zip((rows, columns), config.size, Preprocess.of(config).sides(rows, columns), strict=True)
        by_row, by_column = (resize_weights(source, target, **place).numpy() for source, target, place in places)
        # Each product is over the last axis.
        values = self._product(self._new(layers.Permute, (2, 3, 1))(values), by_row.T)
        values = self._product(self._new(layers.Permute, (3, 2, 1))(values), by_column.T)
        values = self._new(layers.Permute, (1, 3, 2))(values)
        if config.framing != "fit":
            return values
        outside = np.outer(by_row.sum(axis=1), by_column.sum(axis=1)) < 0.5
        outside = np.repeat(outside[..., np.newaxis], config.channels, axis=2).astype(np.float32)
        fill = self._product(self._affine(border, 1 / count), outside.reshape(1, -1))
        return self._new(layers.Add)([values, self._new(layers.Reshape, outside.shape)(fill)])

    def _border(self, values: keras.KerasTensor) -> tuple[keras.KerasTensor, int]:
        """Return the sum of the four outer lines, float32 [n, 1], and the number of values in it."""
        rows, columns, channels = values.shape[1:]
        crops = [
            ((0, rows - 1), (0, 0)),
            ((rows - 1, 0), (0, 0)),
            ((0, 0), (0, columns - 1)),
            ((0, 0), (columns - 1, 0)),
        ]
        lines = [self._new(layers.Flatten)(self._new(layers.Cropping2D, crop)(values)) for crop in crops]
        count = 2 * (rows + columns) * channels
        return self._product(self._new(layers.Concatenate)(lines), np.ones((count, 1), np.float32)), count

    def _stretched(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Scale each image so that its largest value is 255; an image below 1 keeps its scale of 255."""
        shape = values.shape[1:]
        count = int(np.prod(shape))
        flat = self._new(layers.Reshape, (count, 1, 1))(values)
        largest = self._new(layers.GlobalMaxPooling2D)(flat)
        largest = self._affine(self._new(layers.ReLU)(self._affine(largest, 1.0, -1.0)), 1.0, 1.0)
        divisors = self._new(layers.RepeatVector, count)(self._affine(largest, DOMINANT))
        pairs = self._new(layers.Concatenate)([self._new(layers.Reshape, (count, 1))(flat), divisors])
        quotients = self._new(layers.UnitNormalization)(pairs)
        return self._new(layers.Reshape, shape)(self._product(quotients, np.array([[255 * DOMINANT], [0]], np.float32)))

    def _clipped(self, values: keras.KerasTensor) -> keras.KerasTensor:
        return self._new(layers.ReLU, max_value=255.0)(values)

    def _rounded(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Round values in 0..255; the ReLU between the sums keeps TensorFlow from cancelling them."""
        return self._affine(self._new(layers.ReLU)(self._affine(values, 1.0, ROUNDING)), 1.0, -ROUNDING)

    def _affine(self, values: keras.KerasTensor, scale: float, offset: float = 0.0) -> keras.KerasTensor:
        return self._new(layers.Rescaling, scale, offset)(values)

    def _product(self, values: keras.KerasTensor, matrix: np.ndarray) -> keras.KerasTensor:
        """Multiply the last axis by a matrix [in, out]."""
        layer = self._new(layers.Dense, matrix.shape[1], use_bias=False, trainable=False, kernel_initializer="zeros")
        product = layer(values)
        layer.set_weights([matrix])
        return product

    def _new(self, kind: type[layers.Layer], *arguments: Any, **options: Any) -> layers.Layer:
        return kind(*arguments, **options, dtype="float32", name=next(self._names))
