"""Rules that tie several keys together; each broken one is told with the key to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from kerasexp.config.data import DataSource
from kerasexp.config.experiment import Experiment
from kerasexp.config.head_rules import head_rules
from kerasexp.config.model import IMAGENET, Application, Backbone, Cnn, ResNet18
from kerasexp.config.training import Center, Loss, Training, Triplet
from kerasexp.config.validation import shown

# Keys of an optimizer, a schedule and so on that only some of them have.
OPTIMIZER_KEYS = {
    "momentum": ("sgd", "rmsprop"),
    "nesterov": ("sgd",),
    "beta_1": ("adam", "adamw"),
    "beta_2": ("adam", "adamw"),
}
SCHEDULE_KEYS = {"warmup": ("cosine",), "peak": ("one_cycle",), "every": ("step",), "factor": ("step",)}

# These learn from labels that say what an image is, which metric losses need.
OF_TRUE_LABELS = ("cross_entropy", "logit_adjusted", "class_balanced", "focal", "ldam")
LOSS_KEYS = {
    "label_smoothing": ("cross_entropy",),
    "transition": ("forward",),
    "tau": ("logit_adjusted",),
    "beta": ("class_balanced",),
    "gamma": ("focal",),
    "scale": ("ldam",),
    "triplet": OF_TRUE_LABELS,
    "center": OF_TRUE_LABELS,
}
BLOCK_KEYS = {"expansion": ("inverted_residual",), "shortcut": ("conv", "mobile")}
DECODE_KEYS = {"tau": ("logit_adjusted",)}
SOURCE_KEYS = {"first_classes": ("tiny_imagenet",), "fold": ("stl10",)}
SECTION_KEYS = {"optimizer": OPTIMIZER_KEYS, "schedule": SCHEDULE_KEYS, "loss": LOSS_KEYS, "decode": DECODE_KEYS}
# These learn from labels that say what an image is NOT.
COMPLEMENTARY = ("scl_nl", "scl_exp", "forward", "unbiased", "non_negative", "gradient_ascent")
# These go by how often each class is seen.
BY_COUNTS = ("logit_adjusted", "class_balanced", "ldam")
# Semi-hard mining compares each pair of a batch with each image: 64 MiB for so many.
MOST_SEMI_HARD = 256
# What files of weights end with. Of whole models in HDF5 those of keras.applications alone are read.
WEIGHT_FILES = (".keras", ".weights.h5", ".h5")
# Below it keras.applications promises nothing: each network halves height and width five times.
SMALLEST_SIDE = 32


def labels_are_complementary(training: Training) -> bool:
    """Return whether the training takes its labels to say what an image is NOT, and so does validation."""
    return training.loss.name in COMPLEMENTARY or training.decode.name == "argmin"


def metric_losses(loss: Loss) -> dict[str, Triplet | Center]:
    """Return the losses of the features that are added to the one of the logits, by name."""
    return {name: part for name in ("triplet", "center") if (part := getattr(loss, name)) is not None}


def direction(monitor: str) -> str:
    """Return `max` or `min`: which direction of the monitor is better."""
    return "max" if monitor.endswith("accuracy") else "min"


def broken_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for every rule that the experiment breaks."""
    yield from _training_rules(experiment)
    yield from _metric_rules(experiment.training)
    yield from _data_rules(experiment)
    if isinstance(experiment.model, Cnn):
        yield from _block_rules(experiment.model)
        yield from _sizes_stay_positive(experiment)
    if isinstance(experiment.model, Backbone):
        yield from _backbone_rules(experiment)
    yield from head_rules(experiment)
    if experiment.init is not None and isinstance(experiment.init.experiment, Experiment):
        yield from ((f"init.experiment.{key}", message) for key, message in broken_rules(experiment.init.experiment))


def _training_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    training = experiment.training
    for key in ("reduce_lr_on_plateau", "early_stopping", "checkpoint"):
        watcher = getattr(training, key)
        if watcher is None or watcher.mode == "auto":
            continue
        right = direction(watcher.monitor)
        if watcher.mode != right:
            yield (
                f"training.{key}.mode",
                f"{watcher.mode} is the wrong direction for {watcher.monitor}, of which {right} is better; "
                f"write {right} or auto",
            )
    if training.schedule.name != "constant" and training.reduce_lr_on_plateau is not None:
        yield (
            "training.reduce_lr_on_plateau",
            f"cannot be combined with schedule: {training.schedule.name}, which sets the rate at every step; "
            "set one of the two to null or constant",
        )
    if training.decode.name == "argmin" and training.loss.name != "cross_entropy":
        yield (
            "training.decode",
            f"argmin reads a cross_entropy model of complementary labels; {training.loss.name} needs argmax",
        )
    if training.decode.name == "logit_adjusted" and training.loss.name in (*COMPLEMENTARY, *BY_COUNTS):
        yield (
            "training.decode",
            f"logit_adjusted is for a loss that does not go by how frequent the classes are, and {training.loss.name} "
            "does; use argmax",
        )
    transition = training.loss.transition
    if transition is not None and any(len(row) != len(transition) or abs(sum(row) - 1) > 1e-6 for row in transition):
        yield "training.loss.transition", "must be square, and each row must sum to 1"
    if any(later <= earlier for earlier, later in pairwise(training.validate_at)):
        yield "training.validate_at", f"got {training.validate_at}; each step must be greater than the one before it"
    for section, keys in SECTION_KEYS.items():
        part = getattr(training, section)
        for key, owners in keys.items():
            is_set = getattr(part, key) != type(part).model_fields[key].default
            if is_set and part.name not in owners:
                yield f"training.{section}.{key}", f"{part.name} has no {key}; those that have: {', '.join(owners)}"


def _metric_rules(training: Training) -> Iterator[tuple[str, str]]:
    if training.decode.name == "argmin":
        for name in metric_losses(training.loss):
            yield (
                f"training.loss.{name}",
                "needs to know what an image is; decode: argmin is for labels of what it is NOT",
            )
    triplet, batches = training.loss.triplet, training.class_batches
    if triplet is not None and triplet.mining == "semi_hard" and training.batch_size > MOST_SEMI_HARD:
        yield (
            "training.loss.triplet.mining",
            f"semi_hard needs memory for batch_size^3 numbers, and {training.batch_size} is more than {MOST_SEMI_HARD}; "
            "use batch_hard or a smaller training.batch_size",
        )
    if batches is not None and not training.shuffle:
        yield "training.shuffle", "is false, and class_batches are drawn; use one of the two"
    if batches is not None and training.batch_size != batches.classes * batches.images:
        yield (
            "training.batch_size",
            f"got {training.batch_size}; class_batches of {batches.classes} classes with {batches.images} images each "
            f"make it {batches.classes * batches.images}",
        )


def _data_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    data, training = experiment.data, experiment.training
    for at, section in {"data": data, "data.offline": data.offline, "data.test": data.test}.items():
        for key, owners in SOURCE_KEYS.items():
            if isinstance(section, DataSource) and getattr(section, key) is not None and section.source not in owners:
                yield f"{at}.{key}", f"{section.source} has no {key}; those that have: {', '.join(owners)}"
    remedy = "training.loss" if training.loss.name in BY_COUNTS else "training.decode"
    remedied = remedy == "training.loss" or training.decode.name == "logit_adjusted"
    for key, shows_more in (("data.oversample", data.oversample), ("training.class_batches", training.class_batches)):
        if shows_more and remedied:
            yield (
                key,
                f"together with {remedy}: {getattr(training, remedy.partition('.')[2]).name} it would make up for the same "
                "rareness twice; use one of the two",
            )
    if data.oversample and training.class_batches is not None:
        yield (
            "training.class_batches",
            "says how often each class comes, and so does data.oversample; use one of the two",
        )
    if data.class_names is not None:
        for name, count in Counter(data.class_names.values()).items():
            if count > 1:
                folders = [folder for folder, n in data.class_names.items() if n == name]
                yield "data.class_names", f"{count} folders are given one class name '{name}': {', '.join(folders)}"
        for name in data.labels.select or []:
            if name not in data.class_names.values():
                yield "data.labels.select", f"'{name}' is not among the class names of data.class_names"
    if data.labels.select is not None and len(set(data.labels.select)) < len(data.labels.select):
        yield "data.labels.select", "names a class twice"


def _block_rules(model: Cnn) -> Iterator[tuple[str, str]]:
    for number, block in enumerate(model.blocks):
        for key, owners in BLOCK_KEYS.items():
            if getattr(block, key) is not None and block.kind not in owners:
                yield (
                    f"model.blocks.{number}.{key}",
                    f"{block.kind} has no {key}; those that have: {', '.join(owners)}",
                )
        if block.shortcut and block.padding == "valid":
            yield f"model.blocks.{number}.shortcut", "needs padding: same; valid loses a border that a sum has to have"


def _backbone_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    model, preprocessing = experiment.model, experiment.data.preprocessing
    if model.weights == IMAGENET and isinstance(model, ResNet18):
        published = ResNet18()
        for key in ("width", "stem"):
            if getattr(model, key) != getattr(published, key):
                yield (
                    f"model.{key}",
                    f"got {getattr(model, key)}; the ImageNet weights are for {getattr(published, key)}",
                )
        if preprocessing.channels != 3:
            yield "data.preprocessing.channels", f"got {preprocessing.channels}; the ImageNet weights are for 3"
    if model.weights not in (None, IMAGENET) and not model.weights.lower().endswith(WEIGHT_FILES):
        endings = ", ".join(WEIGHT_FILES)
        message = f"got {shown(model.weights)}; allowed: {IMAGENET}, null, or a file that ends with one of {endings}"
        yield "model.weights", message
    if not isinstance(model, Application):
        return
    if preprocessing.channels != 3:
        yield (
            "data.preprocessing.channels",
            f"got {preprocessing.channels}; {model.name} takes 3, also of grey images, whose channels are then alike",
        )
    if min(preprocessing.size) < SMALLEST_SIDE:
        yield (
            "data.preprocessing.size",
            f"got {preprocessing.size}; {model.name} takes {SMALLEST_SIDE} pixels a side and more, and its ImageNet weights "
            "were learned at 224",
        )


def _sizes_stay_positive(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Follow the maps' height and width through the blocks, as Keras computes them.

    Each kind has one layer per convolution that changes them, of the block's kernel; its others are 1x1.
    """
    sizes = list(experiment.data.preprocessing.size)
    for number, block in enumerate(experiment.model.blocks):
        for convolution in range(block.convolutions):
            stride = block.stride if convolution == 0 else 1
            lost = block.kernel - 1 if block.padding == "valid" else 0
            sizes = [-(-(size - lost) // stride) for size in sizes]
        if block.pool:
            sizes = [size // block.pool for size in sizes]
        if min(sizes) < 1:
            yield (
                f"model.blocks.{number}",
                f"nothing is left of a {experiment.data.preprocessing.size} image after this block; "
                "use fewer or smaller pools, strides or kernels, padding: same, or a larger data.preprocessing.size",
            )
            return
