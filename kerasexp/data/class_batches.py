"""Batches of P classes with K images each, for losses that compare the images of a batch."""

from __future__ import annotations

import numpy as np

from kerasexp.config.training_section import ClassBatches


def classes_per_batch(counts: list[int], batches: ClassBatches) -> int:
    """Return P, limited to the number of classes that have images; a stand-in may have fewer."""
    return min(batches.classes, np.count_nonzero(counts))


def class_batch_steps(counts: list[int], batches: ClassBatches) -> int:
    """Return the number of batches per epoch, enough to show each image once in groups of K per class.

    Args:
        counts: number of images of each class.
        batches: P and K.
    """
    return int(-(-_groups(counts, batches).sum() // classes_per_batch(counts, batches)))


def draw_class_batches(labels: np.ndarray, batches: ClassBatches, generator: np.random.Generator) -> np.ndarray:
    """Draw the images of one epoch: positions, int64 [steps * P * K], batch by batch and within a batch class by class.

    Every batch has P different classes with K images each. Each image is shown once; some are repeated to fill groups of K
    and batches of P. A class can be in a batch only once. If it has more groups than there are batches, each epoch draws
    another subset of its images, and other classes are shown more often instead. No image is repeated within a group unless
    its class has fewer than K.

    Args:
        labels: int64 [n].
        batches: P and K.
        generator: the source of randomness of the epoch.
    """
    counts = np.bincount(labels)
    shown = _groups_shown(counts, batches, generator)
    chosen = _draw_classes(shown, classes_per_batch(counts, batches), generator)
    shuffled = generator.permutation(len(labels))
    members = shuffled[np.argsort(labels[shuffled], kind="stable")]
    first = np.cumsum(counts) - counts
    # Number of earlier batches with the class: where it continues in its shuffled images, which repeat from the start.
    before = np.zeros_like(chosen)
    seen = np.zeros_like(counts)
    for step, classes in enumerate(chosen):
        before[step] = seen[classes]
        seen[classes] += 1
    within = before[..., None] * batches.images + np.arange(batches.images)
    return members[first[chosen][..., None] + within % counts[chosen][..., None]].ravel()


def _groups(counts, batches: ClassBatches) -> np.ndarray:
    return -(-np.asarray(counts) // batches.images)


def _groups_shown(counts: np.ndarray, batches: ClassBatches, generator: np.random.Generator) -> np.ndarray:
    """Draw in how many batches of the epoch each class is, int64 [classes]: at most `steps`, P per batch in total."""
    steps = class_batch_steps(counts, batches)
    times = np.minimum(_groups(counts, batches), steps)
    while missing := steps * classes_per_batch(counts, batches) - times.sum():
        open_classes = np.flatnonzero((counts > 0) & (times < steps))
        times[generator.permutation(open_classes)[:missing]] += 1
    return times


def _draw_classes(times: np.ndarray, per_batch: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the classes of each batch, int64 [steps, per_batch], weighted by how often each is still due."""
    left = times.copy()
    steps = int(times.sum()) // per_batch
    chosen = np.empty((steps, per_batch), np.int64)
    for step in range(steps):
        # The smallest exponential times with rates `left` are a weighted draw without replacement.
        with np.errstate(divide="ignore"):
            keys = generator.exponential(size=len(left)) / left
        # A class that is due in every remaining batch must be in this one.
        keys[left == steps - step] = -1
        chosen[step] = np.argpartition(keys, per_batch - 1)[:per_batch]
        left[chosen[step]] -= 1
    return chosen
