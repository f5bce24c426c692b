"""The tf.data pipeline: files -> read -> decode -> preprocess -> cache -> shuffle -> augment -> batch -> prefetch.

The cache holds the images of all epochs: packed on disk, or in memory. Without one, the first three steps are part of every
epoch, and crops are cut between the second and the third.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import CROP, augment, draw_augmentations
from kerasexp.data.custom_augmentation import apply_changes, custom_changes, draw_seeds
from kerasexp.data.disk_arrays import MAX_IN_MEMORY
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.images_in_files import ImagesInFiles, crops_stored
from kerasexp.data.label_sets import count_labels
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.prepared_data import Split
from kerasexp.environment import cores

# Batches made in parallel, and batches prefetched. Few suffice, because a batch takes a fraction of a training step.
PARALLEL, AHEAD = 2, 4


def training_batches(
    split: Split,
    sampling: Sampling,
    seed: int,
    augmentation: Augmentation | None,
    epochs: int,
    start: tuple[int, int] = (0, 0),
) -> tf.data.Dataset:
    """Return the batches of all epochs up to `epochs - 1`, starting at the epoch and step in `start`.

    The order and augmentation of an epoch are drawn at its start from (seed, epoch), one row per image shown. They do not
    depend on earlier training, so a resumed run sees the same batches as an unbroken one.

    Returns:
        A dataset of (uint8 [b, height, width, channels], labels [b] or [b, classes]). The last batch of an epoch may
        be smaller. With `class_batches`, every batch has the same size: classes times images per class.
    """
    images_at, labels = _reader(split.images), tf.constant(split.labels)
    of_stored = augmentation is not None and augmentation.crop is not None and crops_stored(split.images)
    batch_size = sampling.size(count_labels(split.labels, 0).tolist(), len(split)).batch_size
    changes = custom_changes(augmentation.layers, split.images.shape[1:]) if augmentation is not None else []

    def plan(epoch: np.int64) -> list[np.ndarray]:
        generator = np.random.default_rng((seed, int(epoch)))
        shown, order = sampling.draw(split.labels, generator)
        rows = [shown[order]]
        if augmentation is not None:
            size = split.images.shape[1:3]
            rows.append(draw_augmentations(augmentation, len(shown), size, generator, of_stored)[order])
        if changes:
            rows.append(draw_seeds(len(shown), generator)[order])
        return [row[start[1] * batch_size :] for row in rows] if epoch == start[0] else rows

    kinds = [(tf.int64, (None,)), (tf.float32, (None, None)), (tf.int32, (None, 2))]
    kinds = kinds[: 1 if augmentation is None else 2 + bool(changes)]

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        rows = tf.numpy_function(plan, [epoch], [dtype for dtype, _ in kinds])
        for row, (_, shape) in zip(rows, kinds, strict=True):
            row.set_shape(shape)
        return tf.data.Dataset.from_tensor_slices(tuple(rows)).batch(batch_size)

    def batch(order: tf.Tensor, *drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = images_at(order, drawn[0][:, -CROP:]) if of_stored else images_at(order)
        if drawn:
            images = augment(images, drawn[0], augmentation)
        if changes:
            images = apply_changes(images, drawn[1], changes, split.images.shape[1:])
        return images, tf.gather(labels, order)

    stream = tf.data.Dataset.range(start[0], epochs).flat_map(one_epoch)
    stream = stream.map(batch, num_parallel_calls=_parallel(split.images), deterministic=True)
    return _without_autotuning(stream.prefetch(AHEAD))


def evaluation_batches(images: np.ndarray | LazyImages, labels: np.ndarray | None, batch_size: int) -> tf.data.Dataset:
    """Return batches of images, or of (images, labels), in order."""
    if isinstance(images, np.ndarray) and images.nbytes <= MAX_IN_MEMORY:
        parts = images if labels is None else (images, labels)
        batches = tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)
    else:
        images_at = _reader(images)

        def batch(order: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
            return images_at(order) if labels is None else (images_at(order), tf.gather(labels, order))

        positions = tf.data.Dataset.range(len(images)).batch(batch_size)
        batches = positions.map(batch, num_parallel_calls=_parallel(images), deterministic=True)
    return _without_autotuning(batches.prefetch(AHEAD))


def _reader(images: np.ndarray | LazyImages) -> Callable[..., tf.Tensor]:
    """Return a function from positions, int64 [b], to images, uint8 [b, height, width, channels].

    That of images in files also takes crops, float32 [b, 4].
    """
    if isinstance(images, np.ndarray) and images.nbytes <= MAX_IN_MEMORY:
        held = tf.constant(images)
        return lambda positions: tf.gather(held, positions)
    read = images.read if isinstance(images, ImagesInFiles) else images.__getitem__

    def images_at(*arguments: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(read, arguments, images.dtype, stateful=False)
        return tf.ensure_shape(found, (None, *images.shape[1:]))

    return images_at


def _parallel(images: np.ndarray | LazyImages) -> int:
    """Return how many batches are made at once: one on each core where images are decoded."""
    return max(cores(), PARALLEL) if isinstance(images, ImagesInFiles) else PARALLEL


def _without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switch off tf.data's autotuning: its thread wakes every 60 s and delayed the end of a training by up to that long."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
