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


def test_grad_cam_explains_the_answer_and_not_the_raw_logits(images):
    """With `decode: argmin` the least likely class is the answer."""
    keras.utils.set_random_seed(0)
    model = build_model(Cnn(blocks=BLOCKS), Preprocessing(size=[12, 10]), 3, "cnn", Decoding(scale=-1.0))
    plain = keras.Model(model.input, keras.layers.Softmax()(model.get_layer("logits").output))
    classes = np.array([0, 1, 2, 1, 0])
    found, opposite = grad_cam(model, images, classes), grad_cam(plain, images, classes)
    assert (found > 0).any() and not np.allclose(found, opposite)


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
