"""What a run's page shows of its augmentation: the first training images, as the network saw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.config import Experiment
from kerasexp.config.training_section import labels_are_complementary
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.prepared_data import PreparedData
from kerasexp.plots.training_image_grid import plot_training_images
from kerasexp.report.html import Plot
from kerasexp.report.report_missing_parts import Unavailable

# Images on the page.
MOST = 24


@dataclass(frozen=True)
class AugmentedImages:
    """Training images as a network sees them.

    Attributes:
        images: uint8 [n, height, width, channels].
        labels: float32 [n, classes], the share of each class.
        class_names: in the order of the classes.
        excluded: whether labels say what an image is NOT.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    excluded: bool = False


def augmented_images(experiment: Experiment, data: PreparedData | None, missing: str) -> AugmentedImages | None:
    """Return the first images of the first epoch of a training; None if it changes none, or draws no plots.

    Raises:
        Unavailable: the images are not there any more.
    """
    augmentation, classes = experiment.data.augmentation, 0 if data is None else len(data.class_names)
    if augmentation is None or not experiment.report.plots:
        return None
    if data is None:
        raise Unavailable(missing)
    from kerasexp.data.pipeline import training_batches

    train, sampling = data.training_splits["train"], Sampling.of(experiment)
    batches = training_batches(train, sampling, experiment.seed, augmentation, epochs=1, classes=classes)
    images, labels = [], []
    for some, theirs in batches:
        images.extend(some.numpy()[: MOST - len(images)])
        labels.extend(theirs.numpy()[: MOST - len(labels)])
        if len(images) == MOST:
            break
    given = np.array(labels)
    shares = given if given.ndim == 2 else np.eye(classes)[given]
    excluded = labels_are_complementary(experiment.training)
    return AugmentedImages(np.array(images), shares.astype(np.float32), data.class_names, excluded)


def augmented_plot(found: AugmentedImages, section: str) -> Plot:
    """Return the plot of augmented images."""
    return Plot(
        section,
        "augmented",
        "Augmented training images, as the network sees them: the first ones of the first epoch, with their labels and, where "
        "these are mixed, their shares.",
        f"{len(found.images)} training images after their augmentation.",
        lambda: plot_training_images(found.images, found.labels, found.class_names, found.excluded),
        chart=False,
    )
