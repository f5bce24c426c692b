"""Rules that tie several keys of `training` together; each message has the key to change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from kerasexp.config.decode_section import Argmax, Argmin, LogitAdjustment
from kerasexp.config.distill_section import Distill
from kerasexp.config.loss_section import CrossEntropy, Loss, WeightedLoss, metric_losses
from kerasexp.config.schedule_section import Constant
from kerasexp.config.training_section import Training

# Semi-hard mining compares each pair of a batch with each image: 64 MiB for a batch of this size.
MOST_SEMI_HARD = 256


def training_rules(training: Training) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for every rule that the section `training` breaks."""
    yield from _basic_rules(training)
    yield from _fine_tune_rules(training)
    yield from _metric_loss_rules(training)
    yield from _distill_rules(training)


def _basic_rules(training: Training) -> Iterator[tuple[str, str]]:
    loss, decode, schedule = training.loss, training.decode, training.schedule
    is_set = not isinstance(schedule, Constant) or schedule.warmup > 0
    if is_set and training.reduce_lr_on_plateau is not None:
        course = f"{schedule.name} with a warm-up" if isinstance(schedule, Constant) else schedule.name
        yield (
            "training.reduce_lr_on_plateau",
            f"cannot be combined with schedule: {course}, which sets the rate at every step; "
            "set one of the two to null or constant",
        )
    if isinstance(decode, Argmin) and not isinstance(loss, CrossEntropy):
        yield (
            "training.decode",
            f"argmin is for a cross_entropy model of complementary labels; {loss.name} needs argmax",
        )
    if isinstance(decode, LogitAdjustment) and (loss.complementary or loss.by_counts):
        reason = "learns from complementary labels" if loss.complementary else "allows for class frequencies itself"
        yield (
            "training.decode",
            f"logit_adjusted cannot be combined with {described(loss)}, which {reason}; use argmax",
        )
    if isinstance(decode, Argmin) and getattr(loss, "class_weights", None) is not None:
        message = "needs labels that say what an image is; decode: argmin is for complementary ones"
        yield "training.loss.class_weights", message
    if training.average is not None and training.optimizer.ema is not None:
        yield (
            "training.optimizer.ema",
            f"averages the weights, and so does average: {training.average.name}; use one of the two",
        )
    if any(later <= earlier for earlier, later in pairwise(training.validate_at)):
        yield "training.validate_at", f"got {training.validate_at}; each step must be greater than the one before it"


def described(loss: Loss) -> str:
    """Return the name of a loss, with what makes it allow for class frequencies if that is not its kind."""
    return f"{loss.name} with class_weights" if isinstance(loss, WeightedLoss) and loss.by_counts else loss.name


def _metric_loss_rules(training: Training) -> Iterator[tuple[str, str]]:
    added, batches = metric_losses(training.loss), training.class_batches
    if isinstance(training.decode, Argmin):
        for name in added:
            yield (
                f"training.loss.{name}",
                "needs labels that say what an image is; decode: argmin is for complementary ones",
            )
    triplet = added.get("triplet")
    if triplet is not None and triplet.mining == "semi_hard" and training.batch_size > MOST_SEMI_HARD:
        yield (
            "training.loss.triplet.mining",
            f"semi_hard needs memory for batch_size^3 numbers, and {training.batch_size} is more than {MOST_SEMI_HARD}; "
            "use batch_hard or a smaller training.batch_size",
        )
    if batches is not None and not training.shuffle:
        yield "training.shuffle", "is false, and class_batches are drawn at random; use one of the two"
    if batches is not None and training.batch_size != batches.classes * batches.images:
        yield (
            "training.batch_size",
            f"got {training.batch_size}; class_batches of {batches.classes} classes with {batches.images} images each "
            f"make it {batches.classes * batches.images}",
        )


def _fine_tune_rules(training: Training) -> Iterator[tuple[str, str]]:
    fine_tune = training.fine_tune
    if fine_tune.head_epochs and fine_tune.unfreeze == "head":
        yield (
            "training.fine_tune.head_epochs",
            "is not for unfreeze: head, which trains the head in all epochs; leave it out",
        )
    if fine_tune.head_epochs >= training.epochs:
        yield (
            "training.fine_tune.head_epochs",
            f"got {fine_tune.head_epochs} of {training.epochs} epochs, which leaves none for the layers below the head; "
            "for the head alone, write unfreeze: head",
        )


def _distill_rules(training: Training) -> Iterator[tuple[str, str]]:
    distill = training.distill
    if distill is None:
        return
    if not isinstance(training.decode, Argmax):
        name = training.decode.name
        yield (
            "training.decode",
            f"{name} changes the answers after the training, and a teacher teaches them; use argmax",
        )
    if not distill.features:
        return
    if distill.temperature != Distill.model_fields["temperature"].default:
        yield "training.distill.temperature", "is for probabilities, and features: true learns features; leave it out"
    if distill.weight == 1:
        message = (
            "got 1, which leaves nothing for the labels, and features alone do not train the layer logits; use 0.9"
        )
        yield "training.distill.weight", message
    if len(distill.checkpoints) > 1:
        message = f"is true, which learns the features of one teacher, and checkpoint names {len(distill.checkpoints)}"
        yield "training.distill.features", message
