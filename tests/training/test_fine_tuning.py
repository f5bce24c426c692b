"""Blocks, freezing, learning rates that fall with depth, and a chain of experiments that unfreezes in stages."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, Head, Mlp, MobileNet, PlainApplication, ResNet18
from kerasexp.config.training_section import FineTune, Training
from kerasexp.errors import UserError
from kerasexp.models import MODELS, build_model, logits_model
from kerasexp.training.fine_tuning import blocks_of, freeze_below, scale_rates
from kerasexp.training.optimizers import build_optimizer

# Nearly all of these train a model.
pytestmark = pytest.mark.slow

HOW = Preprocessing(size=[32, 32], channels=3)
THREE = Cnn(blocks=[{"filters": 4, "batch_norm": True, "pool": 2}] * 3, head=Head(units=[6]))
FIRST, SECOND, THIRD = (f"block_{number}" for number in (1, 2, 3))


def built(model=THREE) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(model, HOW, 3, "ours")


def trained(model: keras.Model) -> set[str]:
    """The trained blocks and layers of the head."""
    below = {
        name
        for name, layers in blocks_of(model, MODELS["cnn"]).items()
        if any(layer.trainable_weights for layer in layers)
    }
    return below | {
        layer.name for layer in model.layers if layer.name in ("logits", "head_dense_1") and layer.trainable
    }


def test_the_blocks_of_a_resnet_are_its_stem_and_its_blocks():
    names = [f"stage_{stage}_block_{block}" for stage in (1, 2, 3, 4) for block in (1, 2)]
    blocks = blocks_of(built(ResNet18(width=2)), MODELS["resnet18"])
    assert list(blocks) == ["stem", *names]
    assert [layer.name for layer in blocks["stage_1_block_2"]] == [
        "stage_1_block_2_conv_1", "stage_1_block_2_conv_1_norm", "stage_1_block_2_conv_2", "stage_1_block_2_conv_2_norm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Mlp(units=[4, 4], batch_norm=True), ["dense_1", "dense_2"]),
        (THREE, ["block_1", "block_2", "block_3"]),
        (MobileNet(name="mobilenet_v2", weights=None), ["Conv1", "expanded_conv", *(f"block_{n}" for n in range(1, 17)), "Conv_1"]),
        (
            PlainApplication(name="resnet50", weights=None),
            ["conv1", *(f"conv{s}_block{n}" for s, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)) for n in range(1, blocks + 1))],
        ),
        (
            PlainApplication(name="efficientnet_v2_b0", weights=None),
            [
                "stem", "block1a", "block2a", "block2b", "block3a", "block3b", *(f"block4{x}" for x in "abc"),
                *(f"block5{x}" for x in "abcde"), *(f"block6{x}" for x in "abcdefgh"), "top",
            ],
        ),
        (MobileNet(name="mobilenet", weights=None), ["conv1", *(f"conv_{n}" for n in range(1, 14))]),
        (
            PlainApplication(name="efficientnet_b0", weights=None),
            [
                "stem", "block1a", "block2a", "block2b", "block3a", "block3b", *(f"block4{x}" for x in "abc"),
                *(f"block5{x}" for x in "abc"), *(f"block6{x}" for x in "abcd"), "block7a", "top",
            ],
        ),
        (
            PlainApplication(name="nasnet_mobile", weights=None),
            [
                "stem", "cell_stem_1", "cell_stem_2", *(f"cell_{n}" for n in range(4)), "cell_reduce_4",
                *(f"cell_{n}" for n in range(5, 9)), "cell_reduce_8", *(f"cell_{n}" for n in range(9, 13)),
            ],
        ),
        (PlainApplication(name="vgg16", weights=None), [f"block{n}" for n in range(1, 6)]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_each_family_states_its_blocks(model, names):
    blocks = blocks_of(built(model), MODELS[model.name])
    assert list(blocks) == names
    assert all(len(layers) > 1 for name, layers in blocks.items() if "block" in name)


def test_a_layer_outside_of_all_blocks_belongs_to_the_block_before_it():
    inputs = features = keras.Input((4,))
    for name in ("dense_1", "dense_10_norm", "gate", "denser_1", "logits"):
        features = keras.layers.Dense(4, name=name)(features)
    assert list(blocks_of(keras.Model(inputs, features), MODELS["mlp"])) == ["dense_1", "dense_10"]


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
def test_blocks_below_are_frozen_and_the_head_is_trained(unfreeze, below):
    model = built()
    freeze_below(model, MODELS["cnn"], FineTune(unfreeze=unfreeze))
    assert trained(model) == below | {"head_dense_1", "logits"}


@pytest.mark.parametrize(
    ("unfreeze", "message"),
    [
        (4, "got 4; the network has 3 blocks below its head: block_1, block_2, block_3"),
        ("blok_2", "did you mean 'block_2'"),
        ("heads", "did you mean 'head'"),
    ],
)
def test_unknown_blocks_are_refused(unfreeze, message):
    with pytest.raises(UserError, match="training.fine_tune.unfreeze") as caught:
        freeze_below(built(), MODELS["cnn"], FineTune(unfreeze=unfreeze))
    assert message in str(caught.value)


def test_frozen_batch_normalisation_keeps_and_uses_its_statistics():
    model = built()
    freeze_below(model, MODELS["cnn"], FineTune(unfreeze=1))
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
def test_each_block_has_a_fraction_of_the_learning_rate_of_the_one_above(name):
    gradients, lengths = {}, {}
    for decay in (1.0, 0.5):
        model = logits_model(built())
        optimizer = build_optimizer(
            Training(optimizer={"name": name, **({"weight_decay": 0.0} if name == "adamw" else {})}, epochs=1),
            1,
            model.trainable_variables,
        )
        scale_rates(optimizer, model, MODELS["cnn"], FineTune(depth_decay=decay), 1)
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


def test_all_batch_normalisation_below_the_head_can_be_frozen():
    model = built()
    freeze_below(model, MODELS["cnn"], FineTune(batch_norm="frozen"))
    assert not any(layer.trainable for layer in model.layers if layer.name.endswith("_norm"))
    assert trained(model) == {FIRST, SECOND, THIRD, "head_dense_1", "logits"}


@pytest.mark.parametrize(
    "optimizer",
    ["adam", *({"name": name, "learning_rate": 0.1, "weight_decay": 0.1} for name in ("sgd", "muon"))],
)
def test_in_its_first_epochs_the_head_alone_is_trained(optimizer):
    model = logits_model(built())
    optimizer = build_optimizer(Training(optimizer=optimizer, epochs=3), 2, model.trainable_variables)
    scale_rates(optimizer, model, MODELS["cnn"], FineTune(head_epochs=1, depth_decay=0.5), 2)
    gradients = [keras.ops.ones(variable.shape) for variable in model.trainable_variables]
    moved = []
    for _ in range(3):  # an epoch has two steps
        before = [variable.numpy() for variable in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)
        moved.append(
            {
                variable.path.split("/")[0].split("_conv")[0]
                for variable, old in zip(model.trainable_variables, before, strict=True)
                if (variable.numpy() != old).any()
            }
        )
    head = {"head_dense_1", "logits"}
    assert moved == [head, head, head | {FIRST, SECOND, THIRD}]


def test_a_second_stage_unfreezes_more_of_the_first_ones_model(cli, tiny_yaml):
    """Stage 1 trains the head on random features; stage 2 continues from it and also trains the last block."""
    first, second = Path("first.yaml"), Path("second.yaml")
    first.write_text("base: tiny.yaml\ntraining: {epochs: 1, fine_tune: head}\n")
    second.write_text(
        "base: tiny.yaml\ninit: {experiment: first.yaml, layers: all}\n"
        "training: {epochs: 1, optimizer: {learning_rate: 0.001}, fine_tune: {unfreeze: 1, depth_decay: 0.5}}\n"
    )
    answer = cli("run", second)
    assert answer.code == 0 and "run directory: runs/first/1" in answer.out, answer.err
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


def test_check_reports_an_unknown_block(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.fine_tune=block_7")
    assert answer.code == 2 and "training.fine_tune.unfreeze: 'block_7' is neither a block" in answer.err
