"""The preprocessing as a Keras layer of TensorFlow operations, for pipelines of tf.data and for exported models.

It gives the images of `preprocessing.py`, within 1/255 and nearly all of them equal.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.preprocessing import CENTER_BOX, GREY
from kerasexp.data.resize_weights import resize_weights, resized
from kerasexp.data.value_range import ValueRange

# The products of positions stay below 2**31 for the largest size, 2048, and so does the memory of the weights.
MAX_SIDE = 2**16


@keras.saving.register_keras_serializable("kerasexp")
class Preprocess(keras.layers.Layer):
    """From stored images to the model's uint8 input.

    One image, uint8 [height, width, 1 or 3], of any size, or a batch [n, height, width, 1 or 3] of images of one size,
    becomes uint8 [size[0], size[1], channels], with n in front for a batch. Import this module before loading a model that
    contains this layer with Keras alone.

    Args:
        size, channels, framing, window, invert, contrast: as the keys of `data.preprocessing`.
        value_range: the stored values that become 0 and 255, within 0..255; None for these two.

    Raises:
        pydantic.ValidationError: a value that `data.preprocessing` does not accept.
        ValueError: on the first call, if the images have another number of channels or a side above 65,536.
    """

    # Of the arguments that take words; see `saving.allowed_layers`.
    WORDS = {
        "framing": {"stretch", "fit", "window", "center"},
        "invert": {"auto"},
        "contrast": {"none", "stretch"},
    }

    def __init__(
        self,
        size: list[int],
        channels: int = 1,
        framing: str = "stretch",
        window: list[float] | None = None,
        invert: str | bool = False,
        contrast: str = "none",
        value_range: list[float] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = Preprocessing(
            size=list(size), channels=channels, framing=framing, window=window, invert=invert, contrast=contrast
        )
        if value_range is not None and not 0 <= value_range[0] < value_range[1] <= 255:
            raise ValueError(f"value_range is {value_range}; it needs two rising values within 0..255")
        self.value_range = value_range
        # Of the centre of mass. LiteRT has no float64; where the ink is symmetric, a sum in float32 may round another way.
        self.precise = "float64"
        # Whether a graph for images of one size may hold the weights of its resizing, 0.2 MB for a scan. Quantization would
        # round them.
        self.holds_weights = True

    def for_device(self, precise: str) -> None:
        """Prepare for a file of another runtime, where size counts and constants may be quantized.

        Args:
            precise: dtype of the centre of mass, float64 where the runtime has it.
        """
        self.precise, self.holds_weights = precise, False

    @classmethod
    def of(cls, config: Preprocessing, **kwargs) -> Preprocess:
        """Return the layer of a section `data.preprocessing`."""
        return cls(**config.model_dump(mode="json"), **kwargs)

    def build(self, shape):
        rows, columns, channels = shape[-3:]
        if channels not in (1, 3) or max(rows or 1, columns or 1) > MAX_SIDE:
            needed = f"[height, width, 1 or 3] with sides up to {MAX_SIDE:,}"
            raise ValueError(f"Preprocess takes images {needed}; got {list(shape[-3:])}")

    def call(self, images):
        images = tf.convert_to_tensor(images)
        return self._batch(images[tf.newaxis])[0] if images.shape.rank == 3 else self._batch(images)

    def compute_output_shape(self, shape):
        return (*shape[:-3], *self.config.size, self.config.channels)

    def compute_output_spec(self, images):
        return keras.KerasTensor(self.compute_output_shape(images.shape), "uint8")

    def get_config(self):
        return {**super().get_config(), **self.config.model_dump(mode="json"), "value_range": self.value_range}

    def sides(self, rows, columns) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return which rows and columns of an image go where, but for `framing: center`: arguments of `resize_weights`.

        Args:
            rows, columns: of the image, integers or int32 scalars.
        """
        config, (height, width) = self.config, self.config.size
        if config.framing == "window":
            is_whole = tf.logical_and(tf.equal(rows, height), tf.equal(columns, width))
            top, left, bottom, right = config.window
            return _part(rows, top, bottom, is_whole), _part(columns, left, right, is_whole)
        if config.framing == "fit":
            scale = tf.minimum(height / tf.cast(rows, tf.float64), width / tf.cast(columns, tf.float64))
            return _scaled(rows, height, scale), _scaled(columns, width, scale)
        return {}, {}

    def _batch(self, images: tf.Tensor) -> tf.Tensor:
        config = self.config
        if self.value_range is not None:
            stored = ValueRange(*self.value_range, "given", "files").to_uint8(np.arange(256))
            images = tf.gather(tf.constant(stored), tf.cast(images, tf.int32))
        is_framed = tuple(images.shape[1:3]) != tuple(config.size)
        if not is_framed and images.shape[3] == config.channels and not config.invert and config.contrast == "none":
            return tf.cast(images, tf.uint8)
        inverted = self._is_inverted(images)
        if config.framing == "center" and is_framed:
            values = self._center(tf.cast(images, tf.float32), inverted)
        else:
            values = _inverted(self._framed(images), inverted)
        if config.contrast == "stretch":
            values = values * (255 / tf.maximum(tf.reduce_max(values, axis=(1, 2, 3), keepdims=True), 1.0))
        return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)

    def _is_inverted(self, images: tf.Tensor) -> bool | tf.Tensor:
        """Return whether to invert: for all images, or as bool [n, 1, 1, 1]."""
        if self.config.invert != "auto":
            return bool(self.config.invert)
        total, count = _border(images)
        return 2 * total > 255 * count

    def _framed(self, images: tf.Tensor) -> tf.Tensor:
        """Stretch, cut the window out, or fit: float32 [n, size[0], size[1], channels]."""
        (height, width), (rows, columns) = self.config.size, _sides(images)
        if tuple(images.shape[1:3]) == (height, width):
            return self._with_channels(tf.cast(images, tf.float32))
        by_row, by_column = self.sides(rows, columns)
        if not self.holds_weights:
            one = tf.minimum(tf.shape(images)[0], 1)  # not known before there are images
            by_row = {**by_row, "length": by_row.get("length", rows) * one}
            by_column = {**by_column, "length": by_column.get("length", columns) * one}
        weights = resize_weights(rows, height, **by_row), resize_weights(columns, width, **by_column)
        values = self._with_channels(resized(tf.cast(images, tf.float32), *weights))
        if self.config.framing != "fit":
            return values
        total, count = _border(images)
        covered = tf.reduce_sum(weights[0], 1)[:, tf.newaxis] * tf.reduce_sum(weights[1], 1)
        outside = tf.cast(covered < 0.5, tf.float32)[..., tf.newaxis]
        return values + outside * (tf.cast(total, tf.float32) / tf.cast(count, tf.float32))

    def _center(self, images: tf.Tensor, inverted: bool | tf.Tensor) -> tf.Tensor:
        """Scale the box around the ink to 20/28 of the size and place its centre of mass in the centre, on black.

        Args:
            images: float32 [n, height, width, 1 or 3], not inverted.
            inverted: as of `_is_inverted`.

        Returns:
            float32 [n, size[0], size[1], channels], inverted where asked.
        """
        (height, width), (rows, columns) = self.config.size, _sides(images)
        by_row, by_column, blank = _ink_box(images, inverted)
        # An image of the target size is not framed again.
        is_whole = tf.logical_and(tf.equal(rows, height), tf.equal(columns, width))
        is_page = tf.logical_or(is_whole, tf.reshape(blank, [-1]))
        by_row, by_column = _box_or_page(by_row, rows, is_page), _box_or_page(by_column, columns, is_page)
        by_row["inner"], by_column["inner"] = self._inner(by_row["length"], by_column["length"], is_page)
        weights = resize_weights(rows, height, **by_row), resize_weights(columns, width, **by_column)
        inside = _inside(height, by_row["inner"])[:, :, tf.newaxis] * _inside(width, by_column["inner"])[:, tf.newaxis]
        values = self._with_channels(resized(images, *weights))
        values = _inverted(values, inverted, inside[..., tf.newaxis])
        mass = tf.reduce_sum(values, 3) + 1e-6 * inside
        shifts = [
            _shift(tf.reduce_sum(mass, 2 - axis), tf.reduce_sum(mass, (1, 2)), place["inner"], is_page, self.precise)
            for axis, place in enumerate((by_row, by_column))
        ]
        return resized(values, *shifts)

    def _inner(self, rows: tf.Tensor, columns: tf.Tensor, is_page: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the height and width that an ink box of these, int32 [n], gets."""
        height, width = self.config.size
        is_tall = height * columns <= width * rows
        size, side = tf.where(is_tall, height, width), tf.where(is_tall, rows, columns)
        inner_rows = tf.maximum(_rounded(CENTER_BOX[0] * size * rows, CENTER_BOX[1] * side), 1)
        inner_columns = tf.maximum(_rounded(CENTER_BOX[0] * size * columns, CENTER_BOX[1] * side), 1)
        return tf.where(is_page, height, inner_rows), tf.where(is_page, width, inner_columns)

    def _with_channels(self, values: tf.Tensor) -> tf.Tensor:
        """Convert float32 [n, h, w, 1 or 3] to the channels of the model."""
        if values.shape[3] == self.config.channels:
            return values
        if self.config.channels == 1:
            return tf.reduce_sum(values * GREY, 3, keepdims=True)
        return tf.tile(values, [1, 1, 1, 3])


def _sides(images: tf.Tensor) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Return height and width: integers where they are known."""
    return images.shape[1] or tf.shape(images)[1], images.shape[2] or tf.shape(images)[2]


def _border(images: tf.Tensor) -> tuple[tf.Tensor, int | tf.Tensor]:
    """Return the sum of the four outer lines, int32 [n, 1, 1, 1], and the number of values in it."""
    rows, columns = _sides(images)
    lines = images[:, :1], images[:, -1:], images[:, :, :1], images[:, :, -1:]
    total = sum(tf.reduce_sum(tf.cast(line, tf.int32), (1, 2, 3), keepdims=True) for line in lines)
    return total, 2 * (rows + columns) * images.shape[3]


def _inverted(values: tf.Tensor, inverted: bool | tf.Tensor, inside=1.0) -> tf.Tensor:
    """Return `255 - values` where `inverted`; outside of the image, where `inside` is 0, `values` are 0 and stay so."""
    if isinstance(inverted, bool):
        return 255 * inside - values if inverted else values
    return tf.where(inverted, 255 * inside - values, values)


def _part(source, low: float, high: float, is_whole: tf.Tensor) -> dict[str, Any]:
    """Return start and length of the part between two fractions of a side; all of it where `is_whole`."""
    in_rows = tf.cast(source, tf.float64)
    first = tf.minimum(tf.cast(tf.round(low * in_rows), tf.int32), source - 1)
    end = tf.maximum(tf.cast(tf.round(high * in_rows), tf.int32), first + 1)
    return {"start": tf.where(is_whole, 0, first), "length": tf.where(is_whole, source, end - first)}


def _scaled(source, target: int, scale: tf.Tensor) -> dict[str, Any]:
    """Return size and place of a scaled side in the middle of the target."""
    inner = tf.maximum(tf.cast(tf.round(tf.cast(source, tf.float64) * scale), tf.int32), 1)
    return {"inner": inner, "offset": (target - inner) // 2}


def _ink_box(images: tf.Tensor, inverted: bool | tf.Tensor) -> tuple[dict[str, Any], dict[str, Any], tf.Tensor]:
    """Return start and length of the ink, by rows and by columns, int32 [n], and whether an image is blank, bool [n, 1].

    Ink is what is brighter, or darker for inverted images, than halfway between the image's darkest and brightest value.
    """
    inverted = inverted if isinstance(inverted, bool) else tf.reshape(inverted, [-1, 1])
    # Channels first: with both axes at once, TensorFlow takes ten times as long.
    bright, dark = tf.reduce_max(images, 3), tf.reduce_min(images, 3)
    brightest, darkest = (
        [tf.reduce_max(bright, axis) for axis in (2, 1)],
        [tf.reduce_min(dark, axis) for axis in (2, 1)],
    )
    high = tf.reduce_max(brightest[0], 1, keepdims=True)
    low = tf.reduce_min(darkest[0], 1, keepdims=True)
    boxes = []
    for bright, dark in zip(brightest, darkest, strict=True):
        is_bright, is_dark = 2 * bright > low + high, 2 * dark <= low + high
        is_ink = tf.where(inverted, is_dark, is_bright)
        count = tf.shape(is_ink)[1]
        places = tf.range(count)
        first = tf.reduce_min(tf.where(is_ink, places, count), 1)
        boxes.append({"start": first, "length": tf.reduce_max(tf.where(is_ink, places, -1), 1) + 1 - first})
    return *boxes, high <= low


def _box_or_page(box: dict[str, Any], side, is_page: tf.Tensor) -> dict[str, Any]:
    return {"start": tf.where(is_page, 0, box["start"]), "length": tf.where(is_page, side, box["length"])}


def _rounded(numerator: tf.Tensor, denominator: tf.Tensor) -> tf.Tensor:
    """Divide integers and round, a half to the even number, as Python does."""
    quotient, rest = numerator // denominator, 2 * (numerator % denominator)
    is_up = (rest > denominator) | (tf.equal(rest, denominator) & tf.equal(quotient % 2, 1))
    return quotient + tf.cast(is_up, tf.int32)


def _inside(target: int, inner: tf.Tensor) -> tf.Tensor:
    """Return 1 for the first `inner` of the target rows, float32 [n, target]."""
    return tf.cast(tf.range(target) < inner[:, tf.newaxis], tf.float32)


def _shift(mass: tf.Tensor, total: tf.Tensor, inner: tf.Tensor, is_page: tf.Tensor, precise: str) -> tf.Tensor:
    """Return the matrix that moves the centre of mass to the middle.

    Args:
        mass: of each row, float32 [n, target].
        total: their sum, float32 [n].
        inner: number of rows that are filled, int32 [n].
        is_page: whether nothing is moved.
        precise: dtype of the centre of mass.

    Returns:
        float32 [n, target, target].
    """
    target = mass.shape[1]
    places = tf.range(target)
    middle = tf.reduce_sum(tf.cast(mass, precise) * tf.cast(places, precise), 1) / tf.cast(total, precise)
    first = tf.cast(tf.round((target - 1) / 2 - middle), tf.int32)
    first = tf.where(is_page, 0, tf.maximum(tf.minimum(first, target - inner), 0))
    # In a graph of TensorFlow 1, as the check of model files makes one, == compares tensors by identity.
    return tf.cast(tf.equal(places[:, tf.newaxis] - first[:, tf.newaxis, tf.newaxis], places), tf.float32)
