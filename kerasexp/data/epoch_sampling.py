"""Which training images an epoch shows: each once, those of rare classes more often, or so many of each class a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.training import ClassBatches
from kerasexp.data.class_batches import class_batch_steps, classes_per_batch, draw_class_batches


@dataclass(frozen=True)
class EpochSize:
    """How many images an epoch shows, and in batches of how many."""

    images: int
    batch_size: int

    @property
    def steps(self) -> int:
        """How many batches that is."""
        return -(-self.images // self.batch_size)

    @property
    def smallest_batch(self) -> int:
        """How many images the last batch has, which may be smaller than the others."""
        return min(self.batch_size, self.images % self.batch_size or self.batch_size)


@dataclass(frozen=True)
class Sampling:
    """How the images of an epoch are drawn and put into batches; see the keys of the same names."""

    batch_size: int
    oversample: float = 0
    class_batches: ClassBatches | None = None
    shuffle: bool = True

    @classmethod
    def of(cls, experiment: Experiment) -> Sampling:
        """Return the sampling that an experiment asks for."""
        training = experiment.training
        return cls(training.batch_size, experiment.data.oversample, training.class_batches, training.shuffle)

    def size(self, counts: list[int]) -> EpochSize:
        """Return the size of each epoch, which follows from the images of each class."""
        batches = self.class_batches
        if batches is None:
            return EpochSize(sum(oversampled_counts(counts, self.oversample)), self.batch_size)
        size = classes_per_batch(counts, batches) * batches.images
        return EpochSize(class_batch_steps(counts, batches) * size, size)

    def draw(self, labels: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return which images an epoch shows, int64 positions [m] in `labels` (int64 [n]), and their order, int64 [m].

        What is drawn for the images that are shown, one row each, has to be put into that order too. Without `shuffle`
        they come as they are stored, in every epoch.
        """
        if self.class_batches is not None:
            shown = draw_class_batches(labels, self.class_batches, generator)
            return shown, np.arange(len(shown))
        shown = oversampled_positions(labels, self.oversample, generator)
        return shown, generator.permutation(len(shown)) if self.shuffle else np.arange(len(shown))


def oversampled_counts(counts: list[int], oversample: float) -> list[int]:
    """Return how many images of each class an epoch shows: n^(1 - oversample) * largest^oversample for a class of n.

    With 1 all classes are shown as often as the largest: the oversampling that served best in Buda et al. (2018). A class
    without images stays without.

    Args:
        counts: n, the images of each class.
        oversample: 0 to 1.
    """
    counts = np.array(counts)
    return np.round(counts ** (1 - oversample) * counts.max() ** oversample * (counts > 0)).astype(int).tolist()


def oversampled_positions(labels: np.ndarray, oversample: float, generator: np.random.Generator) -> np.ndarray:
    """Return the positions of the images that an epoch shows, int64, in no particular order.

    Every image of a class comes equally often, or once more than others, which are drawn.

    Args:
        labels: int64 [n].
        oversample: 0 to 1; see `oversampled_counts`.
        generator: is not drawn from where each image is shown once.
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
