"""The blocks of the MobileNets: layers, shortcuts, training, saving and explanations."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn
from kerasexp.evaluation.interpretation import feature_maps, first_and_last_kernels, grad_cam
from kerasexp.models import build_model, logits_model
from kerasexp.models.flops import multiply_adds
from kerasexp.plots.filter_grid import plot_filters
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars

HOW = Preprocessing(size=[16, 12], channels=3)
MIXED = [
    {"kind": "conv", "filters": 6, "pool": 2},
    {"kind": "mobile", "filters": 8, "convolutions": 2},
    {"kind": "inverted_residual", "filters": 8, "stride": 2, "expansion": 2},
    {"kind": "conv", "filters": 8},
    {"kind": "inverted_residual", "filters": 8, "expansion": 2, "dropout": 0.1},
]


def built(*blocks, pooling="average") -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(Cnn(blocks=list(blocks), pooling=pooling), HOW, 3, "mobile")


def parts(model: keras.Model) -> list[str]:
    """The layers between the rescaling and the pooling."""
    return [layer.name for layer in model.layers[2:-3]]


def sums(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)]


def noisy_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise; the class is the brightest channel."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = generator.integers(0, 120, (count, 16, 12, 3))
    images[np.arange(count), :, :, labels] += 100
    return images.astype(np.uint8), labels


def test_a_separable_convolution_filters_each_map_and_then_mixes_them():
    model = built({"kind": "mobile", "filters": 5, "kernel": 5, "stride": 2, "activation": "elu"})
    assert parts(model) == [
        "block_1_depthwise_1", "block_1_depthwise_1_norm", "block_1_depthwise_1_elu",
        "block_1_pointwise_1", "block_1_pointwise_1_norm", "block_1_pointwise_1_elu",
    ]  # fmt: skip
    assert model.get_layer("block_1_depthwise_1").output.shape == (None, 8, 6, 3)
    assert model.get_layer("block_1_pointwise_1").output.shape == (None, 8, 6, 5)
    kernels = [tuple(weight.shape) for weight in model.trainable_weights if len(weight.shape) == 4]
    assert kernels == [(5, 5, 3, 1), (1, 1, 3, 5)]


def test_an_inverted_residual_expands_filters_and_projects_without_activation():
    model = built({"kind": "inverted_residual", "filters": 3, "activation": "relu6"})
    assert parts(model) == [
        "block_1_expand_1", "block_1_expand_1_norm", "block_1_expand_1_relu6",
        "block_1_depthwise_1", "block_1_depthwise_1_norm", "block_1_depthwise_1_relu6",
        "block_1_project_1", "block_1_project_1_norm", "block_1_sum_1",
    ]  # fmt: skip
    assert model.get_layer("block_1_expand_1").filters == 18
    assert model.get_layer("block_1_sum_1").output.shape == (None, 16, 12, 3)


def test_an_expansion_of_one_has_no_layer():
    names = parts(built({"kind": "inverted_residual", "filters": 3, "expansion": 1}))
    assert names[0] == "block_1_depthwise_1"


@pytest.mark.parametrize(
    ("changed", "summed"),
    [
        ({}, [1, 2]),
        ({"filters": 4}, [2]),
        ({"stride": 2}, [2]),
        ({"padding": "valid"}, []),
        ({"padding": "valid", "kernel": 1}, [1, 2]),
    ],
)
def test_the_input_is_added_if_it_has_the_same_shape(changed, summed):
    model = built({"kind": "inverted_residual", "filters": 3, "convolutions": 2} | changed)
    assert sums(model) == [f"block_1_sum_{number}" for number in summed]


def test_a_strided_convolution_has_no_shortcut_even_for_a_single_pixel():
    model = built({"filters": 4, "stride": 16}, {"kind": "inverted_residual", "filters": 4, "stride": 2})
    assert model.get_layer("block_2_project_1").output.shape == (None, 1, 1, 4) and sums(model) == []


@pytest.mark.parametrize("kind", ["mobile", "inverted_residual"])
def test_without_batch_norm_there_are_biases(kind):
    with_norm, without = (built({"kind": kind, "filters": 4, "batch_norm": norm}) for norm in (True, False))
    norms = [layer for layer in with_norm.layers if isinstance(layer, keras.layers.BatchNormalization)]
    convolutions = [layer for layer in without.layers if hasattr(layer, "use_bias") and layer.name != "logits"]
    assert len(norms) == len(convolutions) and all(layer.use_bias for layer in convolutions)
    assert not any("norm" in name for name in parts(without))


def test_a_depthwise_convolution_keeps_the_signal_without_batch_norm():
    """The scale of its initial weights depends on the inputs of one output, all in one map, not on the number of maps."""
    keras.utils.set_random_seed(0)
    model = build_model(
        Cnn(blocks=[{"filters": 256}, {"kind": "mobile", "filters": 4, "batch_norm": False}]), HOW, 3, "deep"
    )
    kernel = model.get_layer("block_2_depthwise_1").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / 9), rel=0.1)


def test_a_separable_convolution_has_the_cost_stated_in_the_paper():
    """1 / filters + 1 / kernel squared of that of a plain one (Howard et al. 2017, section 3.1)."""
    start = {"filters": 16}
    plain, separable, alone = (
        multiply_adds(built(start, *after, pooling="max"))
        for after in ([{"filters": 16}], [{"kind": "mobile", "filters": 16}], [])
    )
    assert (separable - alone) / (plain - alone) == pytest.approx(1 / 16 + 1 / 9)


def test_kinds_can_be_mixed_and_training_lowers_the_loss():
    model = built(*MIXED)
    assert sums(model) == ["block_5_sum_1"]
    assert parts(model)[:2] == ["block_1_conv_1", "block_1_conv_1_relu"]
    trained = logits_model(model)
    trained.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = trained.fit(*noisy_images(48), batch_size=16, epochs=6, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


@pytest.mark.slow
def test_a_saved_one_loads_with_keras_alone_and_as_a_checkpoint(tmp_path):
    model, images = built(*MIXED), noisy_images(4)[0]
    scores = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save("images.npy", images)
    np.save("scores.npy", scores)
    script = (
        "import sys; sys.modules['kerasexp'] = None  # as if it were not installed\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras')\n"
        "np.testing.assert_allclose(model.predict(np.load('images.npy'), verbose=0), np.load('scores.npy'), atol=1e-6)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    write_sidecars(tmp_path, ["a", "b", "c"], {"a": "a", "b": "b", "c": "c"}, HOW)
    loaded = load_checkpoint(tmp_path).model
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), scores)


def test_shown_kernels_are_larger_than_a_pixel():
    kernels = first_and_last_kernels(built({"kind": "mobile", "filters": 5}, {"kind": "mobile", "filters": 7}))
    assert {name: kernel.shape for name, kernel in kernels.items()} == {
        "block_1_depthwise_1": (3, 3, 1, 3),
        "block_2_depthwise_1": (3, 3, 1, 5),
    }
    assert plot_filters(kernels).axes[0].get_title() == "block_1_depthwise_1: 3 kernels"


def test_kernels_of_one_pixel_are_shown_if_there_are_no_others():
    assert first_and_last_kernels(built({"filters": 5, "kernel": 1}))["block_1_conv_1"].shape == (1, 1, 3, 5)


def test_feature_maps_and_grad_cam_are_those_that_the_next_layers_receive():
    model, (images, labels) = built(*MIXED), noisy_images(3)
    maps = feature_maps(model, images[0])
    last = keras.Model(model.input, model.get_layer("block_5_sum_1").output)
    expected = last.predict(images, verbose=0)
    np.testing.assert_allclose(maps["block_5_project_1"], expected[0], rtol=1e-4, atol=1e-5)
    # The head is linear after average pooling, so that the weights of Grad-CAM are those of the head.
    heat = np.maximum(np.einsum("nhwc,cn->nhw", expected, model.get_layer("logits").get_weights()[0][:, labels]), 0)
    assert heat.max() > 0
    found = grad_cam(model, images, labels)
    assert found.shape == (3, 16, 12)
    small = keras.ops.convert_to_numpy(keras.ops.image.resize(heat[..., np.newaxis], (16, 12)))[..., 0]
    np.testing.assert_allclose(found, small / np.maximum(small.max(axis=(1, 2), keepdims=True), 1e-12), atol=1e-3)
