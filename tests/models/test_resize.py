"""Images that a network enlarges inside the model."""

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import MobileNet, ResNet18
from kerasexp.data.preprocessing import resize
from kerasexp.models import build_model
from kerasexp.models.flops import flops
from kerasexp.models.layers import enlarge
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars

SMALL = Preprocessing(size=[12, 10], channels=3)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3)).astype(np.uint8)


def small_resnet(**keys) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(ResNet18(width=4, **keys), SMALL, 3, "ours")


def test_images_are_enlarged_as_the_preprocessing_enlarges_them(images):
    inputs = keras.Input((12, 10, 3), dtype="uint8")
    model = keras.Model(inputs, enlarge(inputs, [40, 33]))
    expected = np.stack([resize(image, 40, 33) for image in images])
    for given in (model(images), model.predict(images, verbose=0)):  # Keras rounds integers in one of the two alone
        np.testing.assert_allclose(np.asarray(given), expected, atol=1e-3)


def test_the_network_sees_the_larger_images_and_the_model_takes_the_small_ones(images):
    model = small_resnet(resize=[48, 40])
    assert model.input_shape == (None, 12, 10, 3) and model.get_layer("rescaling").output.shape[1:3] == (48, 40)
    assert flops(model) > 4 * flops(small_resnet())
    larger = build_model(ResNet18(width=4), Preprocessing(size=[48, 40], channels=3), 3, "larger")
    larger.set_weights(model.get_weights())
    enlarged = np.stack([resize(image, 48, 40) for image in images])
    np.testing.assert_allclose(model.predict(images, verbose=0), np.asarray(larger(enlarged)), rtol=1e-4, atol=1e-5)


def test_nothing_is_added_for_images_that_have_the_size():
    names = [[layer.name for layer in model.layers] for model in (small_resnet(), small_resnet(resize=[12, 10]))]
    assert names[0] == names[1]


def test_the_file_is_loaded_as_a_strangers_and_by_keras_alone(images, tmp_path):
    model = small_resnet(resize=[48, 40])
    model.save(tmp_path / "model.keras")
    write_sidecars(tmp_path, ["a", "b", "c"], {}, SMALL)
    expected = model.predict(images, verbose=0)
    for read in (load_checkpoint(tmp_path).model, keras.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(read.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_a_network_of_keras_takes_images_below_its_smallest_side():
    model = build_model(MobileNet(name="mobilenet_v2", weights=None, resize=[32, 32]), SMALL, 3, "ours")
    assert model.get_layer("Conv1").output.shape == (None, 16, 16, 32)


def test_a_call_without_an_argument_is_that_of_a_prediction(images):
    """Keras's Resizing alone would make it one of a training: batch normalisation by the batch, which also changes weights."""
    model = small_resnet(resize=[48, 40])
    before = model.get_weights()
    one_by_one = np.concatenate([np.asarray(model(image[None])) for image in images])
    np.testing.assert_allclose(np.asarray(model(images)), one_by_one, atol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
