"""Freezing by blocks, rates that fall with depth, and stages: a chain of experiments that unfreezes more and more."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data import Preprocessing
from kerasexp.config.model import Cnn, Head, MobileNetV2, ResNet18
from kerasexp.config.training import FineTune, Optimizer, Schedule
from kerasexp.errors import UserError
from kerasexp.models import build_model, learner
from kerasexp.training.fine_tuning import blocks_of, freeze_below, slow_with_depth
from kerasexp.training.optimizers import build_optimizer

# Nearly each of these trains, or draws a whole page.
pytestmark = pytest.mark.slow

HOW = Preprocessing(size=[32, 32], channels=3)
THREE = Cnn(blocks=[{"filters": 4, "batch_norm": True, "pool": 2}] * 3, head=Head(units=[6]))
FIRST, SECOND, THIRD = (f"block_{number}" for number in (1, 2, 3))


def built(model=THREE) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(model, HOW, 3, "ours")


def trained(model: keras.Model) -> set[str]:
    """The blocks that are trained, and the head's layers."""
    below = {name for name, layers in blocks_of(model).items() if any(layer.trainable_weights for layer in layers)}
    return below | {
        layer.name for layer in model.layers if layer.name in ("logits", "head_dense_1") and layer.trainable
    }


def test_the_blocks_of_a_resnet_are_its_stem_and_its_blocks():
    names = [f"stage_{stage}_block_{block}" for stage in (1, 2, 3, 4) for block in (1, 2)]
    blocks = blocks_of(built(ResNet18(width=2)))
    assert list(blocks) == ["stem", *names]
    assert [layer.name for layer in blocks["stage_1_block_2"]] == [
        "stage_1_block_2_conv_1", "stage_1_block_2_conv_1_norm", "stage_1_block_2_conv_2", "stage_1_block_2_conv_2_norm",
    ]  # fmt: skip


def test_the_blocks_of_a_mobilenet_are_those_of_its_names():
    names = ["Conv1", "expanded_conv", *(f"block_{number}" for number in range(1, 17)), "Conv_1"]
    assert list(blocks_of(built(MobileNetV2(weights=None)))) == names


@pytest.mark.parametrize(
    ("unfreeze", "below"),
    [
        ("all", {FIRST, SECOND, THIRD}),
        ("head", set()),
        (1, {THIRD}),
        (3, {FIRST, SECOND, THIRD}),
        ("block_2", {SECOND, THIRD}),
        ("block_3_conv_1_norm", {THIRD}),
    ],
)
def test_what_lies_below_is_frozen_and_the_head_is_not(unfreeze, below):
    model = built()
    freeze_below(model, FineTune(unfreeze=unfreeze))
    assert trained(model) == below | {"head_dense_1", "logits"}


@pytest.mark.parametrize(
    ("unfreeze", "told"),
    [
        (4, "got 4; the network has 3 blocks below its head: block_1, block_2, block_3"),
        ("blok_2", "did you mean 'block_2'"),
        ("heads", "did you mean 'head'"),
    ],
)
def test_what_is_not_there_is_told(unfreeze, told):
    with pytest.raises(UserError, match="training.fine_tune.unfreeze") as caught:
        freeze_below(built(), FineTune(unfreeze=unfreeze))
    assert told in str(caught.value)


def test_frozen_batch_normalisation_goes_by_the_statistics_that_it_has():
    model = built()
    freeze_below(model, FineTune(unfreeze=1))
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    norms = [model.get_layer(f"{block}_conv_1_norm") for block in (SECOND, THIRD)]
    before = [norm.get_weights() for norm in norms]
    inside = keras.Model(model.input, [norm.output for norm in norms])
    (frozen, moving), (as_saved, _) = inside(images, training=True), inside(images, training=False)
    np.testing.assert_allclose(frozen, as_saved, atol=1e-6)
    assert abs(float(keras.ops.mean(moving))) < 1e-3  # that of the batch
    changed = [
        any((one != other).any() for one, other in zip(norm.get_weights(), weights, strict=True))
        for norm, weights in zip(norms, before, strict=True)
    ]
    assert changed == [False, True]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_each_block_takes_a_fraction_of_the_step_of_the_one_above_it(name):
    gradients, lengths = {}, {}
    for decay in (1.0, 0.5):
        model = learner(built())
        optimizer = build_optimizer(
            Optimizer(name=name, weight_decay=None if name != "adamw" else 0.0), Schedule(), 1, 1
        )
        optimizer.build(model.trainable_variables)
        slow_with_depth(optimizer, model, decay)
        generator = np.random.default_rng(0)
        before = model.get_weights()
        gradients = [generator.normal(size=variable.shape).astype(np.float32) for variable in model.trainable_variables]
        for _ in range(3):
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], model.trainable_variables)
        after = dict(zip((weight.path for weight in model.weights), model.get_weights(), strict=True))
        moved = {
            path: np.linalg.norm(after[path] - old)
            for path, old in zip(after, before, strict=True)
            if "moving" not in path
        }
        lengths[decay] = moved
    shares = {FIRST: 0.125, SECOND: 0.25, THIRD: 0.5, "head": 1.0, "logits": 1.0}
    assert len(lengths[1.0]) == 3 * 3 + 4
    for path, length in lengths[0.5].items():
        share = next(share for start, share in shares.items() if path.startswith(start))
        assert length / lengths[1.0][path] == pytest.approx(share, rel=1e-3), path


def test_stages_unfreeze_more_and_more_of_what_the_one_before_left(cli, tiny_yaml):
    """Stage 1 trains the head on random features; stage 2 goes on from all of it with the last block as well."""
    first, second = Path("first.yaml"), Path("second.yaml")
    first.write_text("base: tiny.yaml\ntraining: {epochs: 1, fine_tune: head}\n")
    second.write_text(
        "base: tiny.yaml\ninit: {experiment: first.yaml, layers: all}\n"
        "training: {epochs: 1, optimizer: {learning_rate: 0.001}, fine_tune: {unfreeze: 1, depth_decay: 0.5}}\n"
    )
    answer = cli("run", second)
    assert answer.code == 0 and "running first first" in answer.out, answer.err
    before, after = (
        keras.models.load_model(Path("runs", name, "1", "checkpoint", "model.keras")) for name in ("first", "second")
    )
    same = {
        layer.name: all(
            (a == b).all() for a, b in zip(layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True)
        )
        for layer in before.layers
        if layer.weights
    }
    assert same == {
        "block_1_conv_1": True, "block_1_conv_1_norm": True, "block_2_conv_1": False, "head_dense_1": False, "logits": False,
    }  # fmt: skip


def test_check_tells_a_block_that_is_not_there(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.fine_tune=block_7")
    assert answer.code == 2 and "training.fine_tune.unfreeze: 'block_7' is no block" in answer.err
