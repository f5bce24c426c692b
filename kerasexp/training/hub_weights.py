"""ImageNet weights of ResNet18 from KerasHub; keras.applications has no ResNet18."""

from __future__ import annotations

import re

import keras

from kerasexp.environment import install_command, missing_of
from kerasexp.errors import Problem, UserError

KEY, PRESET = "model.weights", "resnet_18_imagenet"
# Its layers: conv1_conv, conv1_bn, stack2_block0_1_conv, stack2_block0_1_bn, ...; number 0 is the shortcut's convolution.
STEM, BLOCK = re.compile(r"conv1_(conv|bn)"), re.compile(r"stack(\d)_block(\d)_(\d)_(conv|bn)")


def load_resnet18(backbone: keras.Model) -> str:
    """Load KerasHub's weights into a ResNet18 of the published width; return their name.

    Raises:
        UserError: KerasHub is not installed, or cannot provide the weights.
    """
    if missing := missing_of("hub"):
        needs = f"resnet18's ImageNet weights come from {', '.join(missing)}, which is not installed"
        raise UserError(Problem(f"{needs}: {install_command('hub')}; or write weights: null for random ones", key=KEY))
    for layer in hub_backbone().layers:
        if layer.weights:
            backbone.get_layer(own_name(layer.name)).set_weights(layer.get_weights())
    return f"KerasHub: {PRESET}"


def hub_backbone() -> keras.Model:
    """Return KerasHub's network with its weights, downloaded once into KerasHub's cache; raises as `load_resnet18`."""
    import keras_hub

    try:
        return keras_hub.models.ResNetBackbone.from_preset(PRESET)
    except Exception as error:  # its downloader raises many kinds
        failure = f"the ImageNet weights {PRESET} could not be downloaded by KerasHub: {str(error):.300}"
        place = "into the folder KAGGLEHUB_CACHE (default ~/.cache/kagglehub)"
        advice = f"Download them on a machine with a connection, {place}; or write weights: null for random ones"
        raise UserError(Problem(f"{failure}. {advice}", key=KEY)) from None


def own_name(name: str) -> str:
    """Return the name in `kerasexp.models.resnet` of a layer of KerasHub's network."""
    if stem := STEM.fullmatch(name):
        return "stem_conv" if stem[1] == "conv" else "stem_conv_norm"
    stack, block, number, kind = BLOCK.fullmatch(name).groups()
    part = "shortcut" if number == "0" else f"conv_{number}"
    return f"stage_{int(stack) + 1}_block_{int(block) + 1}_{part}{'_norm' if kind == 'bn' else ''}"
