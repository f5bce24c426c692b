"""Fine-tuning: which blocks of a network are trained, and learning rates that fall with depth."""

from __future__ import annotations

import keras

from kerasexp.config.training_section import FineTune
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.models import Family
from kerasexp.training import hooks

KEY = "training.fine_tune.unfreeze"


def in_head(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is one of the dense layers on top, the logits among them."""
    return layer.name == "logits" or layer.name.startswith("head_")


def blocks_of(model: keras.Model, family: Family) -> dict[str, list[keras.layers.Layer]]:
    """Return the layers with weights below the head, block by block, from input to output."""
    blocks = family.blocks_of([layer for layer in model.layers if not in_head(layer)])
    with_weights = {name: [layer for layer in layers if _is_trained(layer)] for name, layers in blocks.items()}
    return {name: layers for name, layers in with_weights.items() if layers}


def _is_trained(layer: keras.layers.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, keras.layers.Normalization)  # its statistics are no parameters


def freeze_below(model: keras.Model, family: Family, fine_tune: FineTune) -> None:
    """Freeze the blocks below those that `fine_tune` trains; batch normalisation keeps its statistics there, or everywhere.

    Raises:
        UserError: there is no such block or layer, or there are fewer blocks.
    """
    blocks = blocks_of(model, family)
    for layers in list(blocks.values())[: _frozen(fine_tune.unfreeze, blocks)]:
        for layer in layers:
            layer.trainable = False
    for part in (part for layers in blocks.values() for layer in layers for part in layer._flatten_layers()):
        if fine_tune.batch_norm == "frozen" and isinstance(part, keras.layers.BatchNormalization):
            part.trainable = False


def _frozen(unfreeze: int | str, blocks: dict[str, list[keras.layers.Layer]]) -> int:
    """Return how many blocks, counted from the input, are frozen."""
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
    allowed = f"allowed: all, head, a number of blocks, or one of {listing(blocks, 40)}"
    raise UserError(Problem(f"'{unfreeze}' is neither a block nor a layer with weights{near}; {allowed}", key=KEY))


def scale_rates(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    family: Family,
    fine_tune: FineTune,
    steps_per_epoch: float,
) -> None:
    """Scale the learning rates of the blocks below the head as `fine_tune` asks.

    Each block's rate is `depth_decay` times that of the block above it (Howard and Ruder, ACL 2018), and 0 in the first
    `head_epochs` epochs. The learning rate is scaled, not the gradient: Adam and its relatives would undo a scaled gradient.

    Args:
        optimizer: built on the trainable variables of `model`.
        model: a network; its head, at the top, keeps the full rate.
        family: the family that names its blocks.
        fine_tune: its keys.
        steps_per_epoch: steps of the optimizer in an epoch.
    """
    if fine_tune.depth_decay == 1 and not fine_tune.head_epochs:
        return
    from_top = enumerate(reversed(blocks_of(model, family).values()), start=1)
    factors = [
        (variable, fine_tune.depth_decay**depth)
        for depth, layers in from_top
        for layer in layers
        for variable in layer.trainable_variables
    ]
    hooks.scale_learning_rates(optimizer, factors, round(fine_tune.head_epochs * steps_per_epoch))
