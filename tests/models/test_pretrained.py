"""The networks of keras.applications: preprocessing, layers, saving, counting and explanations."""

import math

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import EfficientNetV2B0, MobileNet, MobileNetV2, ResNet50
from kerasexp.evaluation.interpretation import feature_maps, first_and_last_kernels, grad_cam
from kerasexp.models import build_model
from kerasexp.models.applications import NETWORKS
from kerasexp.models.flops import flops
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars

# Keras's networks take seconds to build.
pytestmark = pytest.mark.slow

HOW = Preprocessing(size=[32, 32], channels=3)
# With Keras's number of parameters without the top, including the statistics of batch normalisation.
FAMILIES = {
    "resnet50": (ResNet50, 23_587_712, keras.applications.resnet50.preprocess_input),
    "mobilenet": (MobileNet, 3_228_864, keras.applications.mobilenet.preprocess_input),
    "mobilenet_v2": (MobileNetV2, 2_257_984, keras.applications.mobilenet_v2.preprocess_input),
    # Keras's network contains its preprocessing: standardisation with ImageNet's means and deviations.
    "efficientnet_v2_b0": (EfficientNetV2B0, 5_919_312, None),
}


def built(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(FAMILIES[name][0](weights=None), HOW, 3, "ours")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


def preprocessed(name: str, images: np.ndarray) -> np.ndarray:
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    return np.asarray(keras.Model(inputs, NETWORKS[name].preprocess(inputs))(images))


@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "mobilenet_v2"])
def test_preprocessing_equals_that_of_keras(name, images):
    expected = FAMILIES[name][2](images.astype(np.float32))
    np.testing.assert_allclose(preprocessed(name, images), expected, atol=1e-3)


def test_preprocessing_of_efficientnet_equals_that_of_its_layers_in_keras(images):
    theirs = keras.applications.EfficientNetV2B0(weights=None, include_top=False, input_shape=(32, 32, 3))
    expected = keras.Model(theirs.input, theirs.get_layer("stem_conv").input)(images.astype(np.float32))
    np.testing.assert_allclose(preprocessed("efficientnet_v2_b0", images), np.asarray(expected), atol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_a_flat_model_with_the_same_names_each_time(name):
    model, again = built(name), built(name)
    assert model.count_params() == FAMILIES[name][1] + math.prod(model.get_layer("logits").kernel.shape) + 3
    assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]
    assert model.input.dtype == "uint8" and [layer.name for layer in model.layers[1:2]] == ["rescaling"]


@pytest.mark.parametrize("name", FAMILIES)
def test_its_file_is_loaded_as_a_strangers_and_by_keras_alone(name, images, tmp_path):
    model = built(name)
    model.save(tmp_path / "model.keras")
    write_sidecars(tmp_path, ["a", "b", "c"], {}, HOW)
    expected = model.predict(images, verbose=0)
    for read in (load_checkpoint(tmp_path).model, keras.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(read.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_it_can_be_counted_and_explained(name, images):
    model = built(name)
    assert flops(model) > 1e6
    heat = grad_cam(model, images, np.array([0, 1, 2]))
    assert heat.shape == (3, 32, 32) and np.isfinite(heat).all()
    maps = feature_maps(model, images[0])
    assert 2 <= len(maps) <= 6 and max(next(iter(maps.values())).shape[:2]) == 16
    assert len(first_and_last_kernels(model)) == 2
