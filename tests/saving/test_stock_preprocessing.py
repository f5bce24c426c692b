"""The preprocessing as layers of Keras alone gives the images of NumPy's."""

import itertools

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.preprocess_layer import Preprocess
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.value_range import ValueRange
from kerasexp.saving.allowed_layers import LAYERS
from kerasexp.saving.model_file import load_model
from kerasexp.saving.raw_model import placed_aside
from kerasexp.saving.stock_preprocessing import stock_preprocessing, why_not_stock

FRAMINGS = [{"framing": "stretch"}, {"framing": "fit"}, {"framing": "window", "window": [0.14, 0.18, 0.95, 0.78]}]


def scan(shape: tuple[int, ...], seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    image = 250 - generator.integers(0, 5, shape)
    height, width = shape[:2]
    image[height // 4 : height // 2 + 1, width // 5 : width // 3 + 1] //= 4
    return image.astype(np.uint8)


def stock_model(config: Preprocessing, shape: tuple[int, ...], value_range=None) -> keras.Model:
    images = keras.Input(shape, dtype="uint8")
    return keras.Model(images, stock_preprocessing(images, config, value_range, "stored"))


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda keys: keys["framing"])
@pytest.mark.parametrize("channels", [1, 3])
def test_layers_of_keras_give_the_images_of_numpy(framing, channels):
    for invert, contrast in itertools.product((False, True, "auto"), ("none", "stretch")):
        config = Preprocessing(size=[28, 24], channels=channels, invert=invert, contrast=contrast, **framing)
        for shape in ((90, 71, 3), (20, 90, 3)):
            noise = np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)
            images = [
                scan(shape, 1),
                255 - scan(shape, 1),
                noise,
                np.full(shape, 77, np.uint8),
                np.zeros(shape, np.uint8),
            ]
            got = np.asarray(stock_model(config, shape).predict_on_batch(np.stack(images)))
            difference = np.abs(got - np.stack([preprocess(image, config) for image in images]))
            assert np.array_equal(got, np.rint(got)) and difference.max() <= 1 and (difference > 0).mean() <= 0.01


@pytest.mark.parametrize("framing", ["stretch", "fit", "center"])
def test_images_of_the_target_size_are_not_framed_again(framing):
    config, shape = Preprocessing(framing=framing, invert="auto"), (28, 28, 3)
    image = np.repeat(scan((28, 28, 1), 3), 3, axis=2)
    got = np.asarray(stock_model(config, shape).predict_on_batch(image[None]))[0]
    assert np.array_equal(got, preprocess(image, config))


def test_halves_are_rounded_to_the_even_number():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :, :] = (np.arange(64).reshape(8, 8, 1) // 2) % 2 + np.arange(8)[:, None, None] // 2 * 2
    config = Preprocessing(size=[8, 4], channels=3)
    image[:, 1::2] += 1  # each pair has the mean of a half
    got = np.asarray(stock_model(config, (8, 8, 3)).predict_on_batch(image[None]))[0]
    assert (image.reshape(8, 4, 2, 3).mean(axis=2) % 1 == 0.5).any()
    assert np.array_equal(got, preprocess(image, config))


def test_a_range_of_stored_values_is_applied_first():
    image, found = scan((40, 30, 3), 4) // 16, ValueRange(0, 15, "given", "files")
    config = Preprocessing(size=[10, 10])
    got = np.asarray(stock_model(config, image.shape, found).predict_on_batch(image[None]))[0]
    assert np.abs(got - preprocess(found.to_uint8(image), config)).max() <= 1


def test_what_keras_has_no_layers_for_is_named():
    config = Preprocessing(framing="center")
    assert why_not_stock(config, (28, 28)) is None
    assert "framing: center places each image by its content" in why_not_stock(config, (28, 29))
    assert why_not_stock(Preprocessing(), None) == "the stored images have several sizes"


def test_symmetric_ink_may_be_placed_one_pixel_aside():
    config, aside = Preprocessing(framing="center"), 0
    for side in range(3, 40):
        image = np.zeros((60, 60, 1), np.uint8)
        image[10 : 10 + side, 10 : 10 + side // 2] = 200
        aside += placed_aside(config, image)
        if not placed_aside(config, image):
            got = np.asarray(Preprocess.of(config)(image)).astype(int)
            assert np.abs(got - preprocess(image, config)).max() <= 1
    assert aside < 19
    assert not placed_aside(Preprocessing(), image)


def test_the_safe_loader_accepts_the_layers(tmp_path):
    model = stock_model(Preprocessing(invert="auto", contrast="stretch", framing="fit"), (40, 30, 3))
    assert {type(layer).__name__ for layer in model.layers} <= LAYERS | {"InputLayer"}
    assert not model.trainable_weights
    model.save(tmp_path / "model.keras")
    image = scan((1, 40, 30, 3), 5)
    np.testing.assert_array_equal(
        load_model(tmp_path / "model.keras").predict_on_batch(image), model.predict_on_batch(image)
    )
