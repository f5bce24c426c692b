"""Blocks that are skipped for a share of the images in training, and never in predictions."""

import keras
import numpy as np
import pytest

from kerasexp.config import Experiment
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.models import build_classifier
from kerasexp.saving.model_file import load_classifier

NETWORKS = {
    "cnn": {
        "name": "cnn",
        "blocks": [
            {"filters": 4},
            {"filters": 4, "batch_norm": True, "shortcut": True},
            {"filters": 8, "shortcut": True},
        ],
    },
    "inverted": {
        "name": "cnn",
        "blocks": [{"filters": 4}, {"kind": "inverted_residual", "filters": 4, "convolutions": 2, "expansion": 2}],
    },
    "resnet18": {"name": "resnet18", "width": 2, "stem": "small"},
}


def experiment(network: dict, share: float) -> Experiment:
    data = {"preprocessing": {"size": [12, 12]}}
    return Experiment.model_validate({"name": "x", "data": data, "model": {**network, "stochastic_depth": share}})


def build(network: str, share: float) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_classifier(experiment(NETWORKS[network], share), ["a", "b"], [1, 1])


@pytest.mark.parametrize(
    ("network", "shares"),
    [
        ("cnn", {"block_2_depth": 0.2, "block_3_depth": 0.3}),
        ("inverted", {"block_2_depth_1": 0.3, "block_2_depth_2": 0.3}),
        ("resnet18", {f"stage_{s}_block_{b}_depth": 0.3 * (2 * s + b - 2) / 8 for s in (1, 2, 3, 4) for b in (1, 2)}),
    ],
)
def test_the_share_rises_evenly_with_depth_and_predictions_are_those_of_the_plain_network(network, shares, tmp_path):
    deep, plain = build(network, 0.3), build(network, 0.0)
    found = {layer.name: layer.rate for layer in deep.layers if "depth" in layer.name and "depthwise" not in layer.name}
    assert found == pytest.approx(shares)
    assert not any(layer.name in shares for layer in plain.layers)
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 1)).astype(np.uint8)
    for layer in plain.layers:
        layer.set_weights(deep.get_layer(layer.name).get_weights())
    np.testing.assert_array_equal(deep(images, training=False), plain(images, training=False))
    deep.save(tmp_path / "model.keras")
    loaded, _ = load_classifier(tmp_path / "model.keras", ["a", "b"])
    np.testing.assert_array_equal(loaded(images, training=False), plain(images, training=False))


def test_a_block_is_skipped_for_whole_images():
    model = build("cnn", 0.9)
    depth = model.get_layer("block_3_depth")
    branch = np.ones((400, 3, 3, 8), np.float32)
    kept = np.asarray(depth(branch, training=True)).reshape(400, -1)
    assert ((kept == 0).all(1) | np.isclose(kept, 10).all(1)).all()
    assert (kept[:, 0] == 0).mean() == pytest.approx(0.9, abs=0.05)


def test_a_network_without_shortcuts_is_refused(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "model.stochastic_depth=0.1")
    assert answer.code == 2 and "model.stochastic_depth: no block has a shortcut" in answer.err


@pytest.mark.parametrize(
    ("blocks", "is_skipped"),
    [
        (["conv", {"shortcut": True}], True),
        (["conv", "inverted_residual", "inverted_residual"], False),
        (["conv", {"kind": "inverted_residual"}], False),  # of twice the filters
        (["conv", {"kind": "inverted_residual", "filters": 32}], True),
        (["conv", {"kind": "inverted_residual", "filters": 32, "padding": "valid"}], False),
        (["conv", {"kind": "inverted_residual", "stride": 2, "convolutions": 2}], True),
        ([{"kind": "inverted_residual", "filters": 1}], True),
    ],
)
def test_the_rules_know_which_blocks_have_a_shortcut(blocks, is_skipped):
    asked = experiment({"name": "cnn", "blocks": blocks}, 0.1)
    assert [key for key, _ in broken_rules(asked)] == ([] if is_skipped else ["model.stochastic_depth"])
    layers = build_classifier(asked, ["a", "b"], [1, 1]).layers
    assert any(isinstance(layer, keras.layers.Dropout) for layer in layers) == is_skipped
