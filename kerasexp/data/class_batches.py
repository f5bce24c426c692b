"""Batches of P classes with K images each, as losses need them that compare the images of a batch."""

from __future__ import annotations

import numpy as np

from kerasexp.config.training import ClassBatches


def classes_per_batch(counts: list[int], batches: ClassBatches) -> int:
    """Return P: what is asked for, or all classes that have images where those are fewer, as a stand-in's may be."""
    return min(batches.classes, np.count_nonzero(counts))


def class_batch_steps(counts: list[int], batches: ClassBatches) -> int:
    """Return how many batches hold each image once, if those of a class are cut into groups of K.

    Args:
        counts: the images of each class.
        batches: P and K.
    """
    return int(-(-_groups(counts, batches).sum() // classes_per_batch(counts, batches)))


def draw_class_batches(labels: np.ndarray, batches: ClassBatches, generator: np.random.Generator) -> np.ndarray:
    """Return the positions of the images of an epoch, int64 [steps * P * K], batch by batch and in them class by class.

    Every batch has P different classes with K images each. Each image comes once, and some once more to fill groups of
    K and batches of P; but a class can be in a batch only once, so that one with more groups than there are batches shows a
    part of its images, drawn anew each epoch, and the other classes come more often in its stead. In a group no image
    comes twice unless its class has fewer than K.

    Args:
        labels: int64 [n].
        batches: P and K.
        generator: what the epoch is drawn from.
    """
    counts = np.bincount(labels)
    chosen = _classes_drawn(
        _times_in_batches(counts, batches, generator), classes_per_batch(counts, batches), generator
    )
    shuffled = generator.permutation(len(labels))
    members = shuffled[np.argsort(labels[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    # How often each class was in a batch before: there it goes on in its shuffled images, and begins again at their end.
    before = np.zeros_like(chosen)
    seen = np.zeros_like(counts)
    for step, classes in enumerate(chosen):
        before[step] = seen[classes]
        seen[classes] += 1
    within = before[..., None] * batches.images + np.arange(batches.images)
    return members[first[chosen][..., None] + within % counts[chosen][..., None]].ravel()


def _groups(counts, batches: ClassBatches) -> np.ndarray:
    return -(-np.asarray(counts) // batches.images)


def _times_in_batches(counts: np.ndarray, batches: ClassBatches, generator: np.random.Generator) -> np.ndarray:
    """Return in how many of the epoch's batches each class is, int64 [classes]: no more than there are, in all P a batch."""
    steps = class_batch_steps(counts, batches)
    times = np.minimum(_groups(counts, batches), steps)
    while missing := steps * classes_per_batch(counts, batches) - times.sum():
        open_classes = np.flatnonzero((counts > 0) & (times < steps))
        times[generator.permutation(open_classes)[:missing]] += 1
    return times


def _classes_drawn(times: np.ndarray, per_batch: int, generator: np.random.Generator) -> np.ndarray:
    """Return the classes of each batch, int64 [steps, per_batch], drawn by how often each is still to come."""
    left = times.copy()
    steps = int(times.sum()) // per_batch
    chosen = np.empty((steps, per_batch), np.int64)
    for step in range(steps):
        # The smallest of exponential times with rates `left` are a draw without replacement by these weights.
        with np.errstate(divide="ignore"):
            keys = generator.exponential(size=len(left)) / left
        # What is to come in each batch that is left must come in this one.
        keys[left == steps - step] = -1
        chosen[step] = np.argpartition(keys, per_batch - 1)[:per_batch]
        left[chosen[step]] -= 1
    return chosen
