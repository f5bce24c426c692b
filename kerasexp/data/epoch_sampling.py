"""Which training images an epoch shows, and in what order: each once, oversampled, or K images of P classes per batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.training_section import ClassBatches
from kerasexp.data.class_batches import class_batch_steps, classes_per_batch, draw_class_batches


@dataclass(frozen=True)
class EpochSize:
    """Number of images in an epoch, and the batch size."""

    images: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return -(-self.images // self.batch_size)

    @property
    def smallest_batch(self) -> int:
        """Number of images in the last batch, which may be smaller than the others."""
        return min(self.batch_size, self.images % self.batch_size or self.batch_size)


@dataclass(frozen=True)
class Sampling:
    """How the images of an epoch are drawn and batched; see the keys of the same names."""

    batch_size: int
    oversample: float = 0
    class_batches: ClassBatches | None = None
    shuffle: bool = True

    @classmethod
    def of(cls, experiment: Experiment) -> Sampling:
        """Return the sampling of an experiment."""
        training = experiment.training
        return cls(training.batch_size, experiment.data.oversample, training.class_batches, training.shuffle)

    def size(self, counts: list[int], images: int | None = None) -> EpochSize:
        """Return the size of each epoch from the number of images of each class.

        Args:
            counts: number of images of each class.
            images: of all images, where they may have several labels; None: the sum of `counts`.
        """
        batches = self.class_batches
        if batches is None and images is not None and not self.oversample:
            return EpochSize(images, self.batch_size)
        if batches is None:
            return EpochSize(sum(oversampled_counts(counts, self.oversample)), self.batch_size)
        size = classes_per_batch(counts, batches) * batches.images
        return EpochSize(class_batch_steps(counts, batches) * size, size)

    def draw(self, labels: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return which images an epoch shows, int64 positions [m] in `labels` (int64 [n]), and their order, int64 [m].

        Random parameters drawn per shown image must be permuted by the same order. Without `shuffle`, every epoch shows
        the images in stored order.
        """
        if self.class_batches is not None:
            shown = draw_class_batches(labels, self.class_batches, generator)
            return shown, np.arange(len(shown))
        shown = oversampled_positions(labels, self.oversample, generator)
        return shown, generator.permutation(len(shown)) if self.shuffle else np.arange(len(shown))


def oversampled_counts(counts: list[int], oversample: float) -> list[int]:
    """Return how many images of each class an epoch shows: n^(1 - oversample) * largest^oversample for a class of n.

    With 1, every class is shown as often as the largest, which worked best in Buda et al. (2018). A class without images
    stays at 0.

    Args:
        counts: number of images of each class.
        oversample: 0 to 1.
    """
    counts = np.array(counts)
    return np.round(counts ** (1 - oversample) * counts.max() ** oversample * (counts > 0)).astype(int).tolist()


def oversampled_positions(labels: np.ndarray, oversample: float, generator: np.random.Generator) -> np.ndarray:
    """Return the positions of the images that an epoch shows, int64, in no particular order.

    Within a class, every image is shown equally often; a random subset is shown once more to reach the count.

    Args:
        labels: int64 [n].
        oversample: 0 to 1; see `oversampled_counts`.
        generator: the source of randomness; unused if `oversample` is 0.
    """
    if not oversample:
        return np.arange(len(labels))
    shown = []
    for label, times in enumerate(oversampled_counts(np.bincount(labels).tolist(), oversample)):
        members = np.flatnonzero(labels == label)
        if len(members):
            whole, rest = divmod(times, len(members))
            shown += [np.tile(members, whole), generator.permutation(members)[:rest]]
    return np.concatenate(shown)
