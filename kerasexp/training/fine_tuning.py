"""Which blocks of a network are trained, and how fast each of them: freezing, and rates that fall with depth."""

from __future__ import annotations

import re

import keras

from kerasexp.config.training import FineTune
from kerasexp.errors import Problem, UserError, closest, listing

# A block is known by how the names of its layers begin; a layer of another name is a block of its own.
BLOCK = re.compile(
    r"(?:bn_)?(stage_\d+_block_\d+|conv\d+_block\d+|expanded_conv|block_?\d+[a-z]?|stem|conv1|Conv_?1|top|dense_\d+)(?:_|$)"
)
KEY = "training.fine_tune.unfreeze"


def in_head(layer: keras.Layer) -> bool:
    """Return whether a layer is one of the dense layers on top, the classes' among them."""
    return layer.name == "logits" or layer.name.startswith("head_")


def blocks_of(model: keras.Model) -> dict[str, list[keras.Layer]]:
    """Return the layers with weights below the head, block by block, from input to output."""
    blocks: dict[str, list[keras.Layer]] = {}
    for layer in model.layers:
        if layer.weights and not in_head(layer):
            found = BLOCK.match(layer.name)
            blocks.setdefault(found[1] if found else layer.name, []).append(layer)
    return blocks


def freeze_below(model: keras.Model, fine_tune: FineTune) -> None:
    """Stop training the blocks below those that `fine_tune` asks for; batch normalisation keeps its statistics there.

    Raises:
        UserError: there is no such block or layer, or there are fewer blocks.
    """
    blocks = blocks_of(model)
    names = list(blocks)
    for name in names[: _frozen(fine_tune.unfreeze, blocks)]:
        for layer in blocks[name]:
            layer.trainable = False


def _frozen(unfreeze: int | str, blocks: dict[str, list[keras.Layer]]) -> int:
    """Return how many blocks, counted from the input, are not to be trained."""
    if unfreeze == "all":
        return 0
    if unfreeze == "head":
        return len(blocks)
    if isinstance(unfreeze, int):
        if unfreeze > len(blocks):
            message = f"got {unfreeze}; the network has {len(blocks)} blocks below its head: {listing(blocks, 40)}"
            raise UserError(Problem(message, key=KEY))
        return len(blocks) - unfreeze
    for position, (name, layers) in enumerate(blocks.items()):
        if unfreeze in (name, *(layer.name for layer in layers)):
            return position
    near = closest(unfreeze, ["all", "head", *blocks])
    message = (
        f"'{unfreeze}' is no block and no layer with weights{near}; allowed: all, head, a number of blocks, or one of "
    )
    raise UserError(Problem(message + listing(blocks, 40), key=KEY))


def slow_with_depth(optimizer: keras.optimizers.Optimizer, model: keras.Model, depth_decay: float) -> None:
    """Let each block's learning rate be `depth_decay` times that of the block above it (Howard and Ruder, ACL 2018).

    It is the rate of each step that is scaled, and not the gradient, which Adam and its kin would scale back.

    Args:
        optimizer: built on the trained variables of `model`, and changed in place.
        model: a network whose head, at the top, keeps the full rate.
        depth_decay: above 0, up to 1, which changes nothing.
    """
    if depth_decay == 1:
        return
    shares: dict[int, float] = {}
    for depth, layers in enumerate(reversed(blocks_of(model).values()), start=1):
        for variable in (variable for layer in layers for variable in layer.trainable_variables):
            shares[optimizer._get_variable_index(variable)] = depth_decay**depth
    update = optimizer.update_step

    def scaled(gradient, variable, learning_rate):
        # As Keras's own optimizers look up their moments, by the place at which the variable was built.
        update(gradient, variable, learning_rate * shares.get(optimizer._get_variable_index(variable), 1.0))

    # On the instance, as the notes on gradients are taken: a subclass would change how the optimizer is saved.
    optimizer.update_step = scaled
