"""Rules that tie several keys together; each message has the key to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kerasexp.config.application_facts import APPLICATIONS, FLATTENING, MINIMALISTIC_ALPHA
from kerasexp.config.augmentation_rules import augmentation_rules
from kerasexp.config.custom_code import CustomSource
from kerasexp.config.data_section import SOURCES_OF_KEYS, DataSource, Preprocessing
from kerasexp.config.decode_section import LogitAdjustment
from kerasexp.config.experiment import Experiment
from kerasexp.config.head_section import Svm, ZeroShot
from kerasexp.config.loss_section import CustomLoss
from kerasexp.config.model_section import IMAGENET, Application, Backbone, Block, Cnn, ResNet18, classical_head
from kerasexp.config.multi_label_rules import multi_label_rules
from kerasexp.config.report_rules import report_rules
from kerasexp.config.section_validation import no_such_key, quoted
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.config.training_rules import described, training_rules
from kerasexp.config.training_section import Training, labels_are_complementary
from kerasexp.errors import closest, listing

# Endings of files of weights. Whole models in .h5 are read for keras.applications only.
WEIGHT_FILES = (".keras", ".weights.h5", ".h5")
# The kind of block that has a shortcut of its own, where input and output have one shape.
INVERTED = "inverted_residual"
# The one key of `training` that also concerns a classical head: how features are computed.
FOR_FEATURES = "precision"


def broken_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for every rule that the experiment breaks."""
    yield from training_rules(experiment.training)
    yield from _data_rules(experiment)
    yield from multi_label_rules(experiment)
    yield from _frequency_rules(experiment)
    yield from _pseudo_label_rules(experiment)
    yield from augmentation_rules(experiment)
    if isinstance(experiment.model, Cnn):
        yield from _block_rules(experiment.model, experiment.data.preprocessing.channels)
        yield from _size_rules(experiment)
    if isinstance(experiment.model, Backbone):
        yield from _backbone_rules(experiment)
    yield from _classical_head_rules(experiment)
    yield from report_rules(experiment)
    if experiment.init is not None and isinstance(experiment.init.experiment, Experiment):
        yield from ((f"init.experiment.{key}", message) for key, message in broken_rules(experiment.init.experiment))


def _data_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    data = experiment.data
    for at, section in {"data": data, "data.offline": data.offline, "data.test": data.test}.items():
        if isinstance(section, DataSource):
            yield from ((f"{at}.{key}", message) for key, message in foreign_keys(section))
    if data.groups is not None and data.columns is not None and data.columns.group:
        yield "data.groups", "says which images stay together, and so does data.columns.group; use one of the two"
    if data.class_names is not None:
        for name, count in Counter(data.class_names.values()).items():
            if count > 1:
                folders = [folder for folder, n in data.class_names.items() if n == name]
                yield "data.class_names", f"{count} folders have the same class name '{name}': {', '.join(folders)}"
        for name in data.labels.select or []:
            if name not in data.class_names.values():
                yield "data.labels.select", f"'{name}' is not among the class names of data.class_names"
    if data.labels.select is not None and len(set(data.labels.select)) < len(data.labels.select):
        yield "data.labels.select", "names a class twice"


def foreign_keys(section: DataSource) -> Iterator[tuple[str, str]]:
    """Yield (key, message) for every key of a source that is set and that only other sources have."""
    for key, owners in SOURCES_OF_KEYS.items():
        takes_range = key == "range" and isinstance(section.source, CustomSource)
        if getattr(section, key) is not None and section.source not in owners and not takes_range:
            yield key, no_such_key(section.source_name, key, owners)


def _pseudo_label_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Refuse pseudo-labels in place of ordinary labels, and a correction that would count labels which exclude a class."""
    init = experiment.init
    if init is None or not init.pseudo_labels:
        return
    if isinstance(experiment.training.decode, LogitAdjustment):
        message = "logit_adjusted counts labels, which with init.pseudo_labels say what an image is NOT; use argmax"
        yield "training.decode", message
    upstream = init.experiment
    if isinstance(upstream, Experiment) and not (
        experiment.data.labels.complement
        or labels_are_complementary(upstream.training)
        or isinstance(upstream.training.loss, CustomLoss)
    ):
        message = "is for labels that say what an image is NOT, and the upstream experiment learns from ordinary ones"
        yield "init.pseudo_labels", message


def _frequency_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Refuse two corrections for rare classes at once."""
    data, training = experiment.data, experiment.training
    correction = None
    if training.loss.by_counts:
        correction = f"training.loss: {described(training.loss)}"
    elif isinstance(training.decode, LogitAdjustment):
        correction = f"training.decode: {training.decode.name}"
    for key, repeats in (("data.oversample", data.oversample), ("training.class_batches", training.class_batches)):
        if repeats and correction is not None:
            yield key, f"corrects for rare classes, and so does {correction}; use one of the two"
    if data.oversample and training.class_batches is not None:
        yield (
            "training.class_batches",
            "sets how often each class is drawn, and so does data.oversample; use one of the two",
        )


def _block_rules(model: Cnn, channels: int) -> Iterator[tuple[str, str]]:
    filters = [channels, *(block.filters for block in model.blocks)]
    if model.stochastic_depth and not any(map(_has_shortcut, model.blocks, filters)):
        yield (
            "model.stochastic_depth",
            "no block has a shortcut past which it could be skipped; set shortcut: true, or use kind: "
            f"{INVERTED} with stride: 1 and the filters of the block before",
        )
    for number, block in enumerate(model.blocks):
        if block.shortcut and block.padding == "valid":
            message = "needs padding: same; with padding: valid, input and output of the block differ in size"
            yield f"model.blocks.{number}.shortcut", message


def _has_shortcut(block: Block, filters: int) -> bool:
    """Return whether a block has a shortcut, behind a block of so many filters."""
    if block.kind != INVERTED:
        return block.shortcut
    is_whole = block.padding == "same" or block.kernel == 1  # no border is lost
    # The convolutions after the first one have stride 1 and equal filters.
    return is_whole and (block.convolutions > 1 or (block.stride == 1 and block.filters == filters))


def _size_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Follow the height and width of the feature maps through the blocks, as Keras computes them.

    Each kind has one layer per convolution that changes them, with the kernel of the block; its other layers are 1x1.
    """
    sizes = list(experiment.model.resize or experiment.data.preprocessing.size)
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
    if model.needs_colour and preprocessing.channels != 3:
        taker = model.name if isinstance(model, Application) else f"{model.name} with ImageNet weights"
        yield (
            "data.preprocessing.channels",
            f"got {preprocessing.channels}; {taker} takes 3, of grey images too, whose three channels are then equal",
        )
    yield from _weights_rules(model)
    yield from _resize_rules(model, preprocessing)
    if not isinstance(model, Application):
        return
    facts = APPLICATIONS[model.name]
    if min(model.resize or preprocessing.size) < facts.smallest:
        key, size = ("model.resize", model.resize) if model.resize else ("data.preprocessing.size", preprocessing.size)
        yield (
            key,
            f"got {size}; {model.name} takes {facts.smallest} pixels a side and more, and its ImageNet weights "
            f"were trained at {facts.side}; model.resize enlarges images inside the model",
        )
    if model.weights == IMAGENET and hasattr(model, "alpha"):
        minimalistic = getattr(model, "minimalistic", False)
        alphas = [MINIMALISTIC_ALPHA] if minimalistic else facts.alphas
        if model.alpha not in alphas:
            kind = "minimalistic" if minimalistic else model.name
            message = (
                f"got {model.alpha}; the ImageNet weights of {kind} are for {listing(alphas)}; or write weights: null"
            )
            yield "model.alpha", message


def _resize_rules(model: Backbone, preprocessing: Preprocessing) -> Iterator[tuple[str, str]]:
    if model.resize and any(new < old for new, old in zip(model.resize, preprocessing.size, strict=True)):
        message = f"got {model.resize}, smaller than data.preprocessing.size {preprocessing.size}; it enlarges only. "
        yield "model.resize", f"{message}For smaller images set data.preprocessing.size, which averages over areas"


def _weights_rules(model: Backbone) -> Iterator[tuple[str, str]]:
    """Refuse weights that are neither published ones, nor a file of weights, nor those of a shipped checkpoint."""
    is_cnn = isinstance(model, Cnn)  # as the networks of the shipped checkpoints are
    names = list(shipped_checkpoints()) if is_cnn else [IMAGENET]
    if model.weights in (None, *names) or model.weights.lower().endswith(WEIGHT_FILES):
        return
    found = f"got {quoted(model.weights)}{closest(model.weights, names)}"
    named = f"a shipped checkpoint: {listing(names)}" if is_cnn else IMAGENET
    yield "model.weights", f"{found}; allowed: null, a file that ends with one of {', '.join(WEIGHT_FILES)}, or {named}"


def _classical_head_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Refuse what only training by gradient descent has."""
    found = classical_head(experiment.model)
    if found is None:
        return
    name, head = found
    for other in list(experiment.model.head.classical())[1:]:
        yield f"model.head.{other}", f"there is head.{name} already; use one of the two"
    if isinstance(head, Svm):
        yield from _svm_rules(head)
    if isinstance(head, ZeroShot):
        yield from _zero_shot_rules(experiment, head)
    default = Training()
    for key in Training.model_fields:
        if key != FOR_FEATURES and getattr(experiment.training, key) != getattr(default, key):
            yield f"training.{key}", f"is not for head.{name}, which gradient descent does not train; leave it out"
    for key in ("augmentation", "oversample"):
        if getattr(experiment.data, key):
            yield f"data.{key}", f"is not for head.{name}, which takes each image once and unchanged; leave it out"
    if experiment.init is not None and experiment.init.pseudo_labels:
        yield "init.pseudo_labels", f"is not for head.{name}, which takes the labels as they are; leave it out"


def _svm_rules(head: Svm) -> Iterator[tuple[str, str]]:
    if head.kernel == "linear" and head.gamma is not None:
        yield "model.head.svm.gamma", "linear has no gamma; use kernel: rbf, or null"
    if head.kernel != "linear" and head.multi_class != "ovr":
        yield "model.head.svm.multi_class", f"{head.multi_class} needs kernel: linear; {head.kernel} takes ovr"


def _zero_shot_rules(experiment: Experiment, head: ZeroShot) -> Iterator[tuple[str, str]]:
    model = experiment.model
    if not isinstance(model, Application):
        having = listing(APPLICATIONS, 50)
        yield "model.head.zero_shot", f"{model.name} has no ImageNet outputs of its own; those that have: {having}"
    elif model.name in FLATTENING:
        side, size = APPLICATIONS[model.name].side, model.resize or experiment.data.preprocessing.size
        if size != [side, side]:
            key = "model.resize" if model.resize else "data.preprocessing.size"
            yield key, f"the ImageNet outputs of {model.name} are for images of [{side}, {side}]"
    if model.head.units or model.head.dropout:
        key = "units" if model.head.units else "dropout"
        yield f"model.head.{key}", "is not for head.zero_shot, which reads the network's own outputs; leave it out"
    if experiment.init is not None:
        yield "init", "is not for head.zero_shot; model.weights names the weights"
    owner: dict[int, str] = {}
    for name, outputs in head.outputs.items():
        for output in outputs:
            if owner.setdefault(output, name) != name:
                yield f"model.head.zero_shot.outputs.{name}", f"has output {output}, which {owner[output]} has as well"
                break
