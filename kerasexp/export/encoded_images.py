"""From the bytes of an image file to its pixels in TensorFlow operations, as `data/image_decoding.py` decodes them."""

from __future__ import annotations

import tensorflow as tf

# Bytes of a JPEG file in which the EXIF orientation is looked for.
EXIF_BYTES = 4096
EXIF = b"Exif\0\0"
# The entry of the orientation up to its value, which has two bytes: in the order of Intel and in that of Motorola.
LITTLE, BIG = b"\x12\x01\x03\0\x01\0\0\0", b"\x01\x12\0\x03\0\0\0\x01"


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decode a PNG, JPEG or WebP file, a BMP of 24 bits, or the first frame of a GIF, to uint8 [height, width, 3].

    Transparency is blended on white, but for that of a GIF, which is black; and the EXIF orientation of a JPEG file is applied.
    """

    def begins(start: bytes) -> tf.Tensor:
        return tf.equal(tf.strings.substr(data, 0, len(start)), start)

    image = tf.case(
        [
            (begins(b"\x89PNG"), lambda: _on_white(tf.io.decode_png(data, channels=4))),
            (begins(b"\xff\xd8"), lambda: _decode_jpeg(data)),
            (begins(b"RIFF"), lambda: _on_white(_decode_webp(data))),
        ],
        default=lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _decode_webp(data: tf.Tensor) -> tf.Tensor:
    """Return uint8 [h, w, 4]; a file without transparency has none to be asked for."""
    image = tf.io.decode_webp(data, channels=0)[0]
    image = tf.pad(image, [[0, 0], [0, 0], [0, 4 - tf.shape(image)[2]]], constant_values=255)
    return tf.ensure_shape(image, [None, None, 4])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """Blend transparency on white: uint8 [h, w, 4] becomes uint8 [h, w, 3]."""
    pixels = tf.cast(pixels, tf.int32)
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_jpeg(data, channels=3, fancy_upscaling=True, dct_method="INTEGER_ACCURATE")
    orientation = _orientation(data)
    for orientations, change in (
        ((5, 6, 7, 8), lambda pixels: tf.transpose(pixels, [1, 0, 2])),
        ((3, 4, 7, 8), lambda pixels: tf.reverse(pixels, [0])),
        ((2, 3, 6, 7), lambda pixels: tf.reverse(pixels, [1])),
    ):
        is_changed = tf.reduce_any(tf.equal(orientation, orientations))
        image = tf.cond(is_changed, lambda pixels=image, change=change: change(pixels), lambda pixels=image: pixels)
    return image


def _orientation(data: tf.Tensor) -> tf.Tensor:
    """Return the EXIF orientation of a JPEG file, an int32 scalar; 0 if it has none."""
    longest = len(LITTLE) + 2
    head = tf.io.decode_raw(tf.strings.substr(data, 0, EXIF_BYTES), tf.uint8)
    head = tf.pad(head, [[0, longest]])
    count = tf.size(head) - longest
    shifted = tf.stack([head[i : i + count] for i in range(longest)], axis=1)

    def found(pattern: bytes) -> tf.Tensor:
        return tf.reduce_all(tf.equal(shifted[:, : len(pattern)], list(pattern)), axis=1)

    values = tf.where(found(LITTLE), shifted[:, -2], tf.where(found(BIG), shifted[:, -1], tf.zeros_like(shifted[:, 0])))
    first = tf.argmax(tf.cast(values > 0, tf.int32))
    return tf.where(tf.reduce_any(found(EXIF)), tf.cast(values[first], tf.int32), 0)
