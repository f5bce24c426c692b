"""ImageNet weights of ResNet18, which KerasHub has and keras.applications has not."""

from __future__ import annotations

import re

import keras

from kerasexp.environment import missing_of
from kerasexp.errors import Problem, UserError

KEY, PRESET = "model.weights", "resnet_18_imagenet"
# conv1_conv, conv1_bn; stack2_block0_1_conv, ..._bn, and 0 for the convolution beside the block.
STEM, BLOCK = re.compile(r"conv1_(conv|bn)"), re.compile(r"stack(\d)_block(\d)_(\d)_(conv|bn)")


def load_resnet18(backbone: keras.Model) -> str:
    """Give a ResNet18 of the published width the weights of KerasHub's; return what they are called.

    Raises:
        UserError: KerasHub is not installed, has no such weights, or cannot download them.
    """
    if missing := missing_of("hub"):
        needs = f"resnet18's ImageNet weights come from {', '.join(missing)}, which is not installed"
        raise UserError(Problem(f"{needs}: pip install '.[hub]'; or write weights: null for random ones", key=KEY))
    for layer in fetched().layers:
        if layer.weights:
            backbone.get_layer(ours(layer.name)).set_weights(layer.get_weights())
    return f"KerasHub: {PRESET}"


def fetched() -> keras.Model:
    """Return KerasHub's network with its weights, downloaded once into its own cache; raises as `load_resnet18`."""
    import keras_hub

    try:
        return keras_hub.models.ResNetBackbone.from_preset(PRESET)
    except Exception as error:  # whatever its downloader raises
        raise UserError(
            Problem(
                f"the ImageNet weights {PRESET} could not be downloaded by KerasHub: {str(error):.300}. Fetch them where there "
                "is a network, into the folder that KAGGLEHUB_CACHE names (default ~/.cache/kagglehub); or write weights: null "
                "for random ones",
                key=KEY,
            )
        ) from None


def ours(name: str) -> str:
    """Return what a layer of KerasHub's network is called here."""
    if stem := STEM.fullmatch(name):
        return "stem_conv" if stem[1] == "conv" else "stem_conv_norm"
    stack, block, number, kind = BLOCK.fullmatch(name).groups()
    part = "shortcut" if number == "0" else f"conv_{number}"
    return f"stage_{int(stack) + 1}_block_{int(block) + 1}_{part}{'_norm' if kind == 'bn' else ''}"
