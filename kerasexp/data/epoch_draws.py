"""What is drawn at random for the training images of an epoch: a function of (seed, epoch), a row for each image shown."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.data.augmentation import AFFINE, BLUR, CHANGES, ELASTIC, HUE, RANDOM, draw_augmentations
from kerasexp.data.custom_augmentation import draw_seeds
from kerasexp.data.elastic_distortion import draw_nodes
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.image_mixing import draw_mixes, draw_partners
from kerasexp.data.images_in_files import crops_stored
from kerasexp.data.label_sets import count_labels
from kerasexp.data.prepared_data import Split
from kerasexp.data.random_operations import draw_operations, moved

# Names of what is drawn for an image beside those of `augmentation`.
MIXES, PARTNERS = "mixes", "partners"
# Kinds of draws with generators of their own, so that none changes the draws of another.
MIXING, PARTNERING, DISTORTING, TURNING, BLURRING, OPERATING = range(1, 7)


class EpochDraws:
    """Order and augmentation of the images of each epoch.

    Args:
        split: the images.
        sampling: which of them an epoch shows.
        seed: of the experiment.
        augmentation: None for images as they are.

    Attributes:
        batch_size: of all batches but the last, which may be smaller.
        crops_stored: whether the stored images are cropped, before the preprocessing.
        kinds: dtype and shape of each array of `of`.
    """

    def __init__(self, split: Split, sampling: Sampling, seed: int, augmentation: Augmentation | None):
        self._labels, self._size = split.labels, split.images.shape[1:3]
        self._sampling, self._seed, self._augmentation = sampling, seed, augmentation
        self.batch_size = sampling.size(count_labels(split.labels, 0).tolist(), len(split)).batch_size
        self.crops_stored = augmentation is not None and augmentation.crop is not None and crops_stored(split.images)
        self._widths = {name: part.shape[1] for name, part in self._drawn(1, 0, np.random.default_rng(0)).items()}
        self.kinds: list[tuple[tf.DType, tuple[int | None, ...]]] = [(tf.int64, (None,))]
        if augmentation is not None:
            # The graph does not know the width: a batch whose shape it knows is computed with other roundings, in another run.
            self.kinds.append((tf.float32, (None, None)))
            self.kinds += [(tf.int32, (None, 2))] if augmentation.layers else []

    def of(self, epoch: int) -> list[np.ndarray]:
        """Return, for the images that an epoch shows, in its order: positions in the split [m]; columns [m, width], if they are
        augmented, and seeds [m, 2], if code of users augments them."""
        generator = np.random.default_rng((self._seed, epoch))
        shown, order = self._sampling.draw(self._labels, generator)
        found = [shown[order]]
        if self._augmentation is not None:
            drawn = self._drawn(len(shown), epoch, generator)
            rows = {name: part[order] for name, part in drawn.items()}
            if PARTNERS in rows:  # they are in the batch, which follows from the order
                rows[PARTNERS][:, 0] = draw_partners(len(shown), self.batch_size, self._generator(epoch, PARTNERING))
            found.append(np.hstack(list(rows.values())))
            if self._augmentation.layers:
                found.append(draw_seeds(len(shown), generator)[order])
        return found

    def named(self, columns: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the columns of each kind of draw by name, from those of all, float32 [n, width]."""
        named, end = {}, 0
        for name, width in self._widths.items():
            end += width
            part = columns[:, end - width : end]
            named[name] = part if name == CHANGES else tf.ensure_shape(part, (None, width))
        return named

    def _drawn(self, count: int, epoch: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the columns of each kind, float32 [count, width], a row for each image in no order."""
        how = self._augmentation
        if how is None:
            return {}
        found = {CHANGES: draw_augmentations(how, count, self._size, generator, self.crops_stored)}
        if how.rand_augment is not None:
            operations = draw_operations(how.rand_augment, count, self._generator(epoch, OPERATING))
            affine = found[CHANGES][:, :AFFINE]
            affine[:], found[RANDOM] = moved(affine, operations, self._size), operations
        if how.elastic is not None:
            found[ELASTIC] = draw_nodes(how.elastic, count, self._size, self._generator(epoch, DISTORTING))
        if how.hue:
            found[HUE] = how.hue * self._generator(epoch, TURNING).uniform(-1, 1, (count, 1)).astype(np.float32)
        if how.blur:
            found[BLUR] = how.blur * self._generator(epoch, BLURRING).uniform(0, 1, (count, 1)).astype(np.float32)
        if how.mixes:
            found[MIXES] = draw_mixes(how, count, self._size, self._generator(epoch, MIXING))
            found[PARTNERS] = np.zeros((count, 1), np.float32)
        return found

    def _generator(self, epoch: int, kind: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, epoch, kind))
