"""The input pipeline: shuffled, augmented batches of every epoch as one tf.data stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasexp.config.data import Augmentation
from kerasexp.data.augmentation import augment, draw_augmentations
from kerasexp.data.disk_arrays import ImagesOnDisk
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.prepared_data import Split

# Batches that are made at once, and that lie ready: a batch takes a fraction of a step, so that few are enough.
PARALLEL, AHEAD = 2, 4
# Nothing is kept for gradients in an evaluation, whose batches can be larger than training's: so many images, and fewer
# where each has more pixels than this.
MOST, PIXELS = 500, 64 * 64


def training_batches(
    split: Split,
    sampling: Sampling,
    seed: int,
    augmentation: Augmentation | None,
    epochs: int,
    begin: tuple[int, int] = (0, 0),
) -> tf.data.Dataset:
    """Return the batches of all epochs up to `epochs - 1`, one after the other, from the epoch and step in `begin` on.

    An epoch's order and its random changes are drawn at its beginning from (seed, epoch), one row per image shown, so
    that they do not depend on what was trained before: a resumed run sees what an unbroken one would have seen.

    Returns:
        A dataset of (uint8 [b, height, width, channels], int64 [b]); the last batch of an epoch may be smaller. With
        `class_batches` all have the same size, that of their classes times their images.
    """
    images_at, labels = _reader(split.images), tf.constant(split.labels)
    height, width = split.images.shape[1:3]
    batch_size = sampling.size(np.bincount(split.labels).tolist()).batch_size

    def plan(epoch: np.int64) -> list[np.ndarray]:
        generator = np.random.default_rng((seed, int(epoch)))
        shown, order = sampling.draw(split.labels, generator)
        rows = [shown[order]]
        if augmentation is not None:
            rows.append(draw_augmentations(augmentation, len(shown), (height, width), generator)[order])
        return [row[begin[1] * batch_size :] for row in rows] if epoch == begin[0] else rows

    kinds = [(tf.int64, (None,)), (tf.float32, (None, None))][: 1 if augmentation is None else 2]

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        rows = tf.numpy_function(plan, [epoch], [dtype for dtype, _ in kinds])
        for row, (_, shape) in zip(rows, kinds, strict=True):
            row.set_shape(shape)
        return tf.data.Dataset.from_tensor_slices(tuple(rows)).batch(batch_size)

    def batch(order: tf.Tensor, *changes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = images_at(order)
        if changes:
            images = augment(images, *changes, augmentation)
        return images, tf.gather(labels, order)

    stream = tf.data.Dataset.range(begin[0], epochs).flat_map(one_epoch)
    return _unhurried(stream.map(batch, num_parallel_calls=PARALLEL, deterministic=True).prefetch(AHEAD))


def evaluation_batch_size(shape: tuple[int, ...]) -> int:
    """Return how many images of this shape, (height, width, channels), pass through a network at once."""
    return max(1, min(MOST, MOST * PIXELS // (shape[0] * shape[1])))


def evaluation_batches(
    images: np.ndarray | ImagesOnDisk, labels: np.ndarray | None, batch_size: int
) -> tf.data.Dataset:
    """Return the images, with their labels where they are given, in their order and in batches."""
    if isinstance(images, ImagesOnDisk):
        images_at = _reader(images)
        positions = tf.data.Dataset.range(len(images)).batch(batch_size)
        if labels is None:
            batches = positions.map(images_at)
        else:
            batches = positions.map(lambda order: (images_at(order), tf.gather(labels, order)))
    else:
        parts = images if labels is None else (images, labels)
        batches = tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)
    return _unhurried(batches.prefetch(AHEAD))


def _reader(images: np.ndarray | ImagesOnDisk) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what gives the images at positions [b]: uint8 [b, height, width, channels]."""
    if isinstance(images, np.ndarray):
        held = tf.constant(images)
        return lambda positions: tf.gather(held, positions)

    def read(positions: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(images.__getitem__, [positions], tf.uint8, stateful=False)
        return tf.ensure_shape(found, (None, *images.shape[1:]))

    return read


def _unhurried(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switch off tf.data's autotuning, whose thread looks every 60 s and kept finished trainings waiting for that long."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
