from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, Mlp
from kerasexp.evaluation.interpretation import convolutions, feature_maps, first_and_last_kernels, grad_cam
from kerasexp.evaluation.tsne_coordinates import embed, embedding_positions
from kerasexp.models import build_model
from kerasexp.models.decoding_layer import Decoding
from kerasexp.models.label_mapping_layer import LabelMapping
from kerasexp.saving.model_file import load_classifier

BLOCKS = [{"filters": 4, "batch_norm": True, "pool": 2}, {"filters": 6}]


@pytest.fixture
def cnn() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(Cnn(blocks=BLOCKS), Preprocessing(size=[12, 10]), 3, "cnn")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 12, 10, 1)).astype(np.uint8)


def test_kernels_of_the_first_and_last_convolution(cnn):
    kernels = first_and_last_kernels(cnn)
    assert {name: kernel.shape for name, kernel in kernels.items()} == {
        "block_1_conv_1": (3, 3, 1, 4),
        "block_2_conv_1": (3, 3, 4, 6),
    }
    np.testing.assert_array_equal(kernels["block_1_conv_1"], cnn.get_layer("block_1_conv_1").get_weights()[0])


def test_feature_maps_are_those_after_norm_and_activation(cnn, images):
    maps = feature_maps(cnn, images[0])
    expected = keras.Model(cnn.input, cnn.get_layer("block_1_conv_1_relu").output).predict(images[:1], verbose=0)[0]
    np.testing.assert_allclose(maps["block_1_conv_1"], expected, rtol=1e-5, atol=1e-6)
    assert maps["block_2_conv_1"].shape == (6, 5, 6) and maps["block_2_conv_1"].min() >= 0


@pytest.mark.parametrize("trainable", [True, False])
def test_grad_cam_equals_the_formula(images, trainable):
    """With a linear head after an average over the maps, the weights are the head's own, up to the number of places."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 10, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(scaled)
    logits = keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(inputs, keras.layers.Activation("softmax")(logits))
    model.trainable = trainable
    classes = np.array([0, 1, 2, 1, 0])
    found = grad_cam(model, images, classes)
    activations = keras.Model(inputs, maps).predict(images, verbose=0)
    head = model.get_layer("logits").get_weights()[0]
    heat = np.maximum(np.einsum("nhwc,cn->nhw", activations, head[:, classes]), 0)
    np.testing.assert_allclose(
        found, heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12), rtol=1e-4, atol=1e-5
    )


def test_heat_of_flattened_maps_is_what_each_place_adds_to_the_logit(images):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 10, 1), dtype="uint8")
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    logits = keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(maps))
    model = keras.Model(inputs, keras.layers.Activation("softmax")(logits))
    classes = np.array([0, 1, 2, 1, 0])
    activations = keras.Model(inputs, maps).predict(images, verbose=0)
    head = model.get_layer("logits").get_weights()[0].reshape(12, 10, 4, 3)
    added = np.einsum("nhwc,hwcn->nhw", activations, head[..., classes])
    expected = np.maximum(added, 0) / np.maximum(added.max(axis=(1, 2), keepdims=True), 1e-12)
    np.testing.assert_allclose(grad_cam(model, images, classes), expected, rtol=1e-4, atol=1e-5)


def test_grad_cam_explains_the_answer_and_not_the_raw_logits(images):
    """With `decode: argmin` the least likely class is the answer, so that what speaks for it is what speaks against its logit."""
    keras.utils.set_random_seed(0)
    model = build_model(Cnn(blocks=BLOCKS), Preprocessing(size=[12, 10]), 3, "cnn", Decoding(scale=-1.0))
    logits = model.get_layer("logits")
    opposite = keras.layers.Dense(3)
    against = keras.Model(model.input, keras.layers.Softmax()(opposite(logits.input)))
    opposite.set_weights([-weights for weights in logits.get_weights()])
    classes = np.array([0, 1, 2, 1, 0])
    found = grad_cam(model, images, classes)
    assert (found > 0).any()
    np.testing.assert_allclose(found, grad_cam(against, images, classes), rtol=1e-4, atol=1e-5)


def ending_in(*layers: keras.Layer, inner: bool = False) -> keras.Model:
    """Return a network of one convolution with the same random weights each time; `inner`: in a network of its own."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 10, 1))
    features = [keras.layers.Conv2D(4, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    network = keras.Sequential([keras.Input((12, 10, 1)), *features]) if inner else None
    outputs = keras.layers.Rescaling(1 / 255)(inputs)
    for layer in (*([network] if inner else features), keras.layers.GlobalAveragePooling2D(), *layers):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def test_grad_cam_explains_the_logits_of_a_layer_that_ends_in_a_softmax(images):
    """Where a network is sure, its probabilities have no gradient."""
    fused, apart = (
        ending_in(keras.layers.Dense(3, activation="softmax")),
        ending_in(keras.layers.Dense(3), keras.layers.Softmax()),
    )
    apart.set_weights([*fused.get_weights()[:2], 1e4 * fused.get_weights()[2], fused.get_weights()[3]])
    fused.set_weights(apart.get_weights())
    assert fused.predict(images, verbose=0).max() == 1
    classes = np.array([0, 1, 2, 1, 0])
    np.testing.assert_allclose(grad_cam(fused, images, classes), grad_cam(apart, images, classes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_grad_cam_of_one_output_for_two_classes_explains_either(images, activation):
    single = ending_in(keras.layers.Dense(1, activation=activation))
    kernel, bias = single.get_weights()[2:]
    double = ending_in(keras.layers.Dense(2), keras.layers.Softmax())
    double.set_weights([*single.get_weights()[:2], np.concatenate([-kernel, kernel], axis=1), np.zeros(2)])
    single.save("model.keras")
    loaded = load_classifier(Path("model.keras"), ["cat", "dog"])[0]
    classes = np.array([0, 1, 0, 1, 0])
    np.testing.assert_allclose(
        grad_cam(loaded, images, classes), grad_cam(double, images, classes), rtol=1e-4, atol=1e-5
    )


def test_a_network_within_a_network_is_explained_by_its_maps(images):
    classes = np.array([0, 1, 2, 1, 0])
    nested = ending_in(keras.layers.Dense(3), keras.layers.Softmax(), inner=True)
    found = grad_cam(nested, images, classes)
    assert found.shape == (5, 12, 10) and (found > 0).any()
    assert first_and_last_kernels(nested) == {}
    assert [maps.shape for maps in feature_maps(nested, images[0]).values()] == [(6, 5, 4)]


def test_grad_cam_of_a_network_whose_top_is_a_convolution(images):
    inputs = keras.Input((12, 10, 1), dtype="uint8")
    maps = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    top = keras.layers.Conv2D(5, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(maps))
    mapped = LabelMapping([[0, 1], [4]], "max", name="logits")(keras.layers.Reshape((5,))(top))
    model = keras.Model(inputs, keras.layers.Activation("softmax")(mapped))
    assert grad_cam(model, images, np.array([0, 1, 1, 0, 1])).shape == (5, 12, 10)


def test_an_mlp_convolves_nothing(images):
    mlp = build_model(Mlp(), Preprocessing(size=[12, 10]), 3, "mlp")
    assert convolutions(mlp) == [] and first_and_last_kernels(mlp) == {} and feature_maps(mlp, images[0]) == {}
    assert grad_cam(mlp, images, np.zeros(5, int)) is None


def test_no_mistake_needs_no_explanation(cnn, images):
    assert grad_cam(cnn, images[:0], np.zeros(0, int)) is None


def test_tsne_keeps_groups_apart_and_is_the_same_again():
    generator = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 30)
    features = generator.normal(0, 0.1, (90, 20)) + generator.normal(0, 5, (3, 20))[groups]
    points, method = embed(features, seed=0)
    assert method == "t-SNE" and points.shape == (90, 2)
    centres = np.array([points[groups == k].mean(axis=0) for k in range(3)])
    nearest = np.linalg.norm(points[:, np.newaxis] - centres, axis=2).argmin(axis=1)
    assert (nearest == groups).all()
    np.testing.assert_array_equal(points, embed(features, seed=0)[0])


def test_few_images_are_laid_out_by_pca_and_two_not_at_all():
    features = np.random.default_rng(0).normal(size=(10, 4))
    points, method = embed(features, seed=0)
    assert method == "PCA" and points.shape == (10, 2)
    assert embed(features[:2], 0) is None and embed(features[:, :1], 0) is None
    points, _ = embed(np.ones((70, 4)), 0)
    assert np.isfinite(points).all()


def test_sampled_positions_ascend_and_are_all_where_they_are_few():
    assert embedding_positions(7, 0).tolist() == list(range(7))
    many = embedding_positions(5000, 0)
    assert len(many) == 1000 and (np.diff(many) > 0).all() and not np.array_equal(many, embedding_positions(5000, 1))
