"""Random augmentation of training images, a function of (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation, Crop
from kerasexp.data.elastic_distortion import warp_elastic
from kerasexp.data.image_filters import blur_gaussian, change_colour, turn_hue
from kerasexp.data.random_operations import apply_operations

# Names of what is drawn for each image; that of `draw_augmentations` comes first.
CHANGES, ELASTIC, HUE, BLUR, RANDOM = "changes", "elastic", "hue", "blur", "random operations"
# Parameters per image of the affine map, the colour change, the erased rectangle and the crop.
AFFINE, COLOR, BOX, CROP = 8, 3, 4, 4


def draw_augmentations(
    config: Augmentation,
    count: int,
    size: tuple[int, int],
    generator: np.random.Generator,
    crops_stored: bool = False,
) -> np.ndarray:
    """Draw the parameters of `augment` for each image: float32 [count, 16], or [count, 20] with crops, which are the last.

    Parameters of `color`, `erase`, `stroke` and `crop` are drawn last, and only if these are on.

    Args:
        config, count, size, generator: as for `draw_affine_maps`.
        crops_stored: whether the stored images are cropped, before the preprocessing; without it, the affine map crops.
    """
    parts = [draw_affine_maps(config, count, size, generator), np.ones((count, COLOR)), np.zeros((count, BOX))]
    parts.append(np.zeros((count, 1)))
    if config.color:
        parts[1] = 1 + config.color * generator.uniform(-1, 1, (count, COLOR))
    if config.erase:
        is_erased = generator.uniform(0, 1, (count, 1)) < config.erase
        middle, side = generator.uniform(0, 1, (count, 2)), generator.uniform(*config.erase_sides, (count, 2))
        parts[2] = np.where(is_erased, np.hstack([middle - side / 2, middle + side / 2]), 0)
    if config.stroke:
        parts[3] = config.stroke * generator.uniform(-1, 1, (count, 1))
    if config.crop is not None:
        parts.append(draw_crops(config.crop, count, generator))
        if not crops_stored:
            parts[0] = within_crops(parts[0], parts[-1], size)
    return np.hstack(parts).astype(np.float32)


def augment(
    images: tf.Tensor, rows: tf.Tensor, config: Augmentation, others: Mapping[str, tf.Tensor] = {}
) -> tf.Tensor:
    """Apply the drawn parameters to images, uint8 [n, height, width, channels]; return the same shape and dtype.

    Order: affine map and elastic distortion, strokes, colour, hue, blur, random operations, erasing. An erased
    rectangle gets the mean of the image after the others.

    Args:
        images: see above.
        rows: of `draw_augmentations`.
        config: what is on.
        others: what is drawn for changes that came later, float32 [n, columns], by name.
    """
    shape, images, affine = images.shape, tf.cast(images, tf.float32), rows[:, :AFFINE]
    if ELASTIC in others:
        images = warp_elastic(images, affine, others[ELASTIC], config.elastic, config.fill)
    else:
        images = warp_affine(images, affine, config.fill)
    if config.stroke:
        images = change_strokes(images, rows[:, AFFINE + COLOR + BOX])
    if config.color:
        images = change_colour(images, rows[:, AFFINE : AFFINE + COLOR])
    if {HUE, BLUR, RANDOM} & others.keys():
        images = tf.ensure_shape(images, shape)  # which the operation of the affine map forgets
    if HUE in others:
        images = turn_hue(images, others[HUE][:, 0])
    if BLUR in others:
        images = blur_gaussian(images, others[BLUR][:, 0])
    if RANDOM in others:
        images = apply_operations(images, others[RANDOM])
    if config.erase:
        images = erase_boxes(images, rows[:, AFFINE + COLOR : AFFINE + COLOR + BOX], config.erase_fill == "black")
    return tf.cast(tf.round(images), tf.uint8)


def draw_affine_maps(
    config: Augmentation, count: int, size: tuple[int, int], generator: np.random.Generator
) -> np.ndarray:
    """Draw one random affine map per image.

    Args:
        config: the ranges.
        count: number of images.
        size: height and width of the images, in pixels.
        generator: the source of randomness. The same numbers are drawn whatever the ranges; those of the flips come last.

    Returns:
        float32 [count, 8]: rows (a0, a1, a2, b0, b1, b2, 0, 0) for ImageProjectiveTransformV3; output pixel (x, y) is read
        at (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    height, width = size
    draw = generator.uniform(-1, 1, (count, 6))
    angle, slant = np.deg2rad(config.rotation) * draw[:, 0], np.tan(np.deg2rad(config.shear) * draw[:, 1])
    zoom_x, zoom_y = 1 + config.zoom * draw[:, 2], 1 + config.zoom * draw[:, 3]
    shift_x, shift_y = config.shift * width * draw[:, 4], config.shift * height * draw[:, 5]
    cos, sin = np.cos(angle), np.sin(angle)
    # The map goes from output to input: undo rotation, then slant, then zoom, about the image centre.
    a0, a1 = (cos - slant * -sin) / zoom_x, (sin - slant * cos) / zoom_x
    b0, b1 = -sin / zoom_y, cos / zoom_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    a2 = middle_x - a0 * (middle_x + shift_x) - a1 * (middle_y + shift_y)
    b2 = middle_y - b0 * (middle_x + shift_x) - b1 * (middle_y + shift_y)
    # Mirroring comes last: an output pixel reads what the opposite pixel would have read.
    if config.flip in (True, "both"):
        mirrored = generator.uniform(-1, 1, count) > 0
        a2, b2 = np.where(mirrored, a2 + a0 * (width - 1), a2), np.where(mirrored, b2 + b0 * (width - 1), b2)
        a0, b0 = np.where(mirrored, -a0, a0), np.where(mirrored, -b0, b0)
    if config.flip in ("vertical", "both"):
        mirrored = generator.uniform(-1, 1, count) > 0
        a2, b2 = np.where(mirrored, a2 + a1 * (height - 1), a2), np.where(mirrored, b2 + b1 * (height - 1), b2)
        a1, b1 = np.where(mirrored, -a1, a1), np.where(mirrored, -b1, b1)
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)


def draw_crops(crop: Crop, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw a part of each image: float64 [count, 4], top, left, bottom and right as fractions of the sides.

    The share of the area is uniform, the logarithm of the aspect is uniform among those that fit into the image (random
    resized crops, Szegedy et al. 2015), and so is the place.
    """
    draw = generator.uniform(0, 1, (count, 4))
    area = crop.area[0] + (crop.area[1] - crop.area[0]) * draw[:, 0]
    lowest, highest = np.maximum(crop.aspect[0], area), np.minimum(crop.aspect[1], 1 / area)
    aspect = lowest * (highest / lowest) ** draw[:, 1]
    height, width = np.minimum(np.sqrt(area / aspect), 1), np.minimum(np.sqrt(area * aspect), 1)
    top, left = (1 - height) * draw[:, 2], (1 - width) * draw[:, 3]
    return np.stack([top, left, top + height, left + width], axis=1)


def within_crops(affine: np.ndarray, crops: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the maps of `draw_affine_maps` after each image was cropped and enlarged to its size again.

    The outermost pixels of a crop become those of the image, so that nothing beyond its border is read.
    """
    (height, width), (top, left, bottom, right) = size, crops.T[..., np.newaxis]
    x = (right - left) * affine[:, 0:3] + left * (width - 1) * [0, 0, 1]
    y = (bottom - top) * affine[:, 3:6] + top * (height - 1) * [0, 0, 1]
    return np.hstack([x, y, affine[:, 6:]])


def warp_affine(images: tf.Tensor, affine: tf.Tensor, fill: str) -> tf.Tensor:
    """Apply one affine map per image with bilinear interpolation.

    Args:
        images: float32 [n, height, width, channels].
        affine: float32 [n, 8], see `draw_affine_maps`.
        fill: how pixels beyond the border are filled: constant, nearest, reflect or wrap.

    Returns:
        float32 [n, height, width, channels].
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=affine,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill.upper(),
    )


def change_strokes(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Make bright strokes thicker or thinner, as another pen would.

    An amount of 1 is a grey dilation by one pixel on each side, -1 an erosion, and 0 nothing; values between are a mean of the
    image and the whole step. A pixel has eight neighbours.

    Args:
        images: float32 [n, height, width, channels].
        amounts: float32 [n], in -1..1.

    Returns:
        Images of the same shape.
    """
    amounts = amounts[:, None, None, None]
    thicker, thinner = _of_neighbours(images, tf.maximum), _of_neighbours(images, tf.minimum)
    return images + tf.nn.relu(amounts) * (thicker - images) + tf.nn.relu(-amounts) * (thinner - images)


def _of_neighbours(images: tf.Tensor, extreme: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Return the largest or the smallest of each pixel and its eight neighbours, by `tf.maximum` or `tf.minimum`.

    Along each axis, the three pixels are two pairs: a pixel with the one before it, and with the one after it. Pairs take a quarter
    of the time of `max_pool2d`.
    """
    # What the graph knows of the shape stays as it is: see NUMERICS_VERSION.
    known = images.shape
    for axis in (1, 2):
        rest = tf.shape(images)[axis] - 1
        (before, _), (_, after) = tf.split(images, [rest, 1], axis), tf.split(images, [1, rest], axis)
        pairs = extreme(before, after)
        (first, _), (_, last) = tf.split(pairs, [1, rest - 1], axis), tf.split(pairs, [rest - 1, 1], axis)
        images = extreme(tf.concat([first, pairs], axis), tf.concat([pairs, last], axis))
    return tf.ensure_shape(images, known)


def erase_boxes(images: tf.Tensor, boxes: tf.Tensor, to_black: bool = False) -> tf.Tensor:
    """Fill a rectangle of each image with the mean of each channel, or with 0 (random erasing, Zhong et al. 2020).

    Args:
        images: float32 [n, height, width, channels].
        boxes: float32 [n, 4]: top, left, bottom and right as fractions of the sides; an empty box erases nothing.
        to_black: whether it is filled with 0.

    Returns:
        Images of the same shape.
    """
    inside = inside_boxes(boxes, tf.shape(images)[1], tf.shape(images)[2])
    return tf.where(inside, 0.0 if to_black else tf.reduce_mean(images, axis=(1, 2), keepdims=True), images)


def inside_boxes(boxes: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Return whether the middle of each pixel lies in the box of its image: bool [n, height, width, 1]; `boxes` as above."""
    rows = (tf.cast(tf.range(height), tf.float32) + 0.5) / tf.cast(height, tf.float32)
    columns = (tf.cast(tf.range(width), tf.float32) + 0.5) / tf.cast(width, tf.float32)
    top, left, bottom, right = tf.split(boxes, 4, axis=1)
    inside_rows, inside_columns = (rows > top) & (rows < bottom), (columns > left) & (columns < right)
    return (inside_rows[:, :, None] & inside_columns[:, None, :])[..., None]
