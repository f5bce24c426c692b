"""Rules that tie `data.augmentation` to other sections; each message has the key to change."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.config.decode_section import Argmin
from kerasexp.config.experiment import Experiment
from kerasexp.config.loss_section import losses_of_mixed_labels, metric_losses
from kerasexp.errors import listing

MIXES = ("mixup", "cutmix")
# Keys that say how others are done.
OWNERS = {"mix_share": MIXES, "erase_sides": ("erase",), "erase_fill": ("erase",)}
# A field of displacements is drawn at so many nodes a side, for each image of an epoch.
MOST_NODES = 16


def augmentation_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for what does not go with the augmentation."""
    augmentation = experiment.data.augmentation
    if augmentation is None:
        return
    longest = max(experiment.data.preprocessing.size)
    if augmentation.elastic is not None and augmentation.elastic.sigma * MOST_NODES < longest:
        message = (
            f"got {augmentation.elastic.sigma:g}; an image of {longest} pixels takes {longest / MOST_NODES:g} and more"
        )
        yield "data.augmentation.elastic.sigma", message
    if augmentation.mixes:
        yield from _mixing_rules(experiment, augmentation)
    if augmentation.hue and experiment.data.preprocessing.channels == 1:
        yield "data.augmentation.hue", "is for images in colour, and data.preprocessing.channels is 1; leave it out"
    for key, owners in OWNERS.items():
        is_set = getattr(augmentation, key) != Augmentation.model_fields[key].default
        if is_set and not any(getattr(augmentation, owner) for owner in owners):
            off = f"{' and '.join(owners)}, which {'are' if len(owners) > 1 else 'is'} off"
            yield f"data.augmentation.{key}", f"is for {off}; set {' or '.join(owners)}, or leave it out"


def _mixing_rules(experiment: Experiment, augmentation: Augmentation) -> Iterator[tuple[str, str]]:
    """Refuse what needs the one label of an image."""
    training, loss = experiment.training, experiment.training.loss
    key = f"data.augmentation.{next(name for name in MIXES if getattr(augmentation, name))}"
    losses = f"losses that take mixed labels: {listing(losses_of_mixed_labels())}"
    if not loss.takes_mixed:
        yield key, f"mixes labels, and training.loss: {loss.name} takes those of one class; {losses}"
    elif isinstance(training.decode, Argmin):
        yield (
            key,
            "mixes labels, and with training.decode: argmin they say what an image is NOT; leave one of the two out",
        )
    elif not loss.multi_label and getattr(loss, "class_weights", None) is not None:
        yield key, "mixes labels, and training.loss.class_weights are for images of one class; leave one of the two out"
    for name in metric_losses(loss):
        yield key, f"mixes images, and training.loss.{name} needs images of one class; leave one of the two out"
    if training.class_batches is not None:
        message = "and training.class_batches make batches for losses of images of one class; leave one of the two out"
        yield key, f"mixes images, {message}"
    if training.batch_size == 1:
        yield key, "mixes images of a batch, and training.batch_size is 1; use 2 or more"
