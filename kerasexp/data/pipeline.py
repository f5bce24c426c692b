"""The tf.data pipeline: files -> read -> decode -> preprocess -> cache -> shuffle -> batch -> augment -> mix -> prefetch.

The cache holds the images of all epochs: packed on disk, or in memory. Without one, the first three steps are part of every
epoch, and crops are cut between the second and the third.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import CHANGES, CROP, augment
from kerasexp.data.custom_augmentation import apply_changes, custom_changes
from kerasexp.data.disk_arrays import MAX_IN_MEMORY
from kerasexp.data.epoch_draws import MIXES, PARTNERS, EpochDraws
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.image_mixing import mix_images, mix_labels
from kerasexp.data.images_in_files import ImagesInFiles
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
    classes: int | None = None,
) -> tf.data.Dataset:
    """Return the batches of all epochs up to `epochs - 1`, starting at the epoch and step in `start`.

    The order and augmentation of an epoch are drawn at its start from (seed, epoch), one row per image shown. They do not
    depend on earlier training, so a resumed run sees the same batches as an unbroken one.

    Args:
        split, sampling, seed, augmentation: as for `EpochDraws`.
        epochs, start: see above.
        classes: number of classes, needed where labels are mixed.

    Returns:
        A dataset of (uint8 [b, height, width, channels], labels [b] or [b, classes]). The last batch of an epoch may
        be smaller. With `class_batches`, every batch has the same size: classes times images per class. Mixed labels are
        the shares of the classes, float32 [b, classes].
    """
    images_at, labels = _reader(split.images), tf.constant(split.labels)
    draws = EpochDraws(split, sampling, seed, augmentation)
    changes = custom_changes(augmentation.layers, split.images.shape[1:]) if augmentation is not None else []

    def plan(epoch: np.int64) -> list[np.ndarray]:
        rows = draws.of(int(epoch))
        return [row[start[1] * draws.batch_size :] for row in rows] if epoch == start[0] else rows

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        rows = tf.numpy_function(plan, [epoch], [dtype for dtype, _ in draws.kinds])
        for row, (_, shape) in zip(rows, draws.kinds, strict=True):
            row.set_shape(shape)
        return tf.data.Dataset.from_tensor_slices(tuple(rows)).batch(draws.batch_size)

    def batch(order: tf.Tensor, *drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        named = draws.named(drawn[0]) if drawn else {}
        images = images_at(order, named[CHANGES][:, -CROP:]) if draws.crops_stored else images_at(order)
        of_batch = tf.gather(labels, order)
        if drawn:
            images = augment(images, named[CHANGES], augmentation, named)
        if changes:
            images = apply_changes(images, drawn[1], changes, split.images.shape[1:])
        if MIXES in named:
            partners = tf.cast(named[PARTNERS][:, 0], tf.int32)
            images = mix_images(images, named[MIXES], partners)
            of_batch = mix_labels(_shares(of_batch, classes), named[MIXES], partners)
        return images, of_batch

    stream = tf.data.Dataset.range(start[0], epochs).flat_map(one_epoch)
    stream = stream.map(batch, num_parallel_calls=_parallel(split.images), deterministic=True)
    return _without_autotuning(stream.prefetch(AHEAD))


def _shares(labels: tf.Tensor, classes: int | None) -> tf.Tensor:
    """Return labels [b] or [b, classes] as the shares of the classes, float32 [b, classes]."""
    return tf.cast(labels, tf.float32) if labels.shape.rank == 2 else tf.one_hot(labels, classes)


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
