"""The layer `Preprocess` gives the images of NumPy's and OpenCV's preprocessing, and is accepted in model files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.config.data_section import DataSource, Preprocessing
from kerasexp.data.preprocess_layer import Preprocess
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.sources import load_source
from kerasexp.errors import UserError
from kerasexp.saving.model_file import load_model

FRAMINGS = [
    {"framing": "stretch"},
    {"framing": "fit"},
    {"framing": "center"},
    {"framing": "window", "window": [0.14, 0.18, 0.95, 0.78]},
]
EACH_FRAMING = pytest.mark.parametrize("framing", FRAMINGS, ids=lambda keys: keys["framing"])
# Rows, columns, channels: of the target size, larger, smaller, larger one way only, and of a single pixel or line.
SHAPES = [
    (28, 24, 1), (28, 24, 3), (90, 71, 3), (97, 131, 1), (12, 14, 3), (500, 3, 1), (10, 300, 3), (1, 1, 1), (1, 60, 3),
]  # fmt: skip


def scan(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """An uneven stroke on bright, not quite even paper."""
    generator = np.random.default_rng(seed)
    image = 250 - generator.integers(0, 5, shape)
    height, width = shape[:2]
    image[height // 4 : height // 2 + 1, width // 5 : width // 3 + 1] //= 4
    image[height // 2 : height * 3 // 4 + 1, width // 3 : width // 2 + 1] //= 7
    return image.astype(np.uint8)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def assert_nearly_equal(got: np.ndarray, expected: np.ndarray) -> None:
    assert got.dtype == np.uint8 and got.shape == expected.shape
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() <= 0.01


@EACH_FRAMING
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("invert", [False, True, "auto"])
@pytest.mark.parametrize("contrast", ["none", "stretch"])
def test_the_layer_gives_the_images_of_numpy(framing, channels, invert, contrast):
    config = Preprocessing(size=[28, 24], channels=channels, invert=invert, contrast=contrast, **framing)
    images = [image for shape in SHAPES for image in (scan(shape), 255 - scan(shape), np.full(shape, 77, np.uint8))]
    if framing["framing"] != "center":  # the centre of noise lies between pixels, where the last digit decides
        images += [noise(*shape) for shape in SHAPES]
    layer = Preprocess.of(config)
    got = np.stack([layer(image) for image in images])
    # All together: a row that is repeated repeats its differences.
    assert_nearly_equal(got, np.stack([preprocess(image, config) for image in images]))


@EACH_FRAMING
def test_a_batch_is_preprocessed_image_by_image(framing):
    config = Preprocessing(size=[16, 20], invert="auto", contrast="stretch", **framing)
    images = np.stack([scan((60, 50, 3), 1), 255 - scan((60, 50, 3), 2), np.full((60, 50, 3), 9, np.uint8)])
    expected = np.stack([preprocess(image, config) for image in images])
    assert_nearly_equal(Preprocess.of(config)(images).numpy(), expected)


@EACH_FRAMING
def test_a_pipeline_preprocesses_images_of_any_size_in_one_graph(framing):
    config = Preprocessing(size=[28, 28], channels=3, invert="auto", **framing)
    images = [scan(shape) for shape in ((90, 70, 3), (28, 28, 3), (20, 300, 3))]
    files = tf.data.Dataset.from_generator(
        lambda: iter(images), output_signature=tf.TensorSpec([None, None, 3], tf.uint8)
    )
    got = list(files.map(Preprocess.of(config)).batch(3).as_numpy_iterator())[0]
    assert_nearly_equal(got, np.stack([preprocess(image, config) for image in images]))


def classifier(shape: tuple[int | None, ...], **keys) -> keras.Model:
    images = keras.Input(shape, dtype="uint8")
    small = Preprocess(size=[12, 10], **keys)(images)
    assert small.shape == (None, 12, 10, 1) and small.dtype == "uint8"
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(small))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(features))


@pytest.mark.parametrize("shape", [(40, 30, 3), (None, None, 3)], ids=str)
@EACH_FRAMING
def test_model_files_with_the_layer_are_accepted(framing, shape, tmp_path):
    model = classifier(shape, invert="auto", contrast="stretch", **framing)
    model.save(tmp_path / "model.keras")
    loaded, images = load_model(tmp_path / "model.keras"), np.stack([scan((40, 30, 3), seed) for seed in range(3)])
    assert loaded.layers[1].config == model.layers[1].config
    np.testing.assert_array_equal(loaded.predict_on_batch(images), model.predict_on_batch(images))
    stock = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(stock.predict_on_batch(images), model.predict_on_batch(images))


def test_a_convolution_on_images_of_any_size_is_refused(tmp_path):
    images = keras.Input((None, None, 3), dtype="uint8")
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(images))
    keras.Model(images, features).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"the output of 'conv2d.*' for one image is \(None, None, 4\)"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("framing", "zoom", "framing: 'zoom' is not accepted"),
        ("invert", "__import__", "invert: '__import__' is not accepted"),
        ("size", [28, 100_000], "Keras cannot build 'preprocess"),
        ("window", [0.5, 0.5, 0.1, 0.1], "Keras cannot build 'preprocess"),
        ("code", "x", "takes no 'code'"),
    ],
)
def test_other_arguments_in_a_model_file_are_refused(key, value, message, tmp_path, monkeypatch):
    model = classifier((40, 30, 3))
    config = model.layers[1].get_config() | {key: value}
    monkeypatch.setattr(Preprocess, "get_config", lambda self: config)
    model.save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=message):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("shape", [(40, 30, 2), (40, 70_000, 3)], ids=str)
def test_images_that_the_layer_does_not_take_are_refused(shape):
    with pytest.raises(ValueError, match="sides up to 65,536"):
        Preprocess(size=[28, 28])(np.zeros(shape, np.uint8))


@pytest.mark.real
@EACH_FRAMING
@pytest.mark.parametrize(
    ("source", "keys"),
    [
        (DataSource(source="image_folder", path="trainPart1.zip"), {"invert": "auto", "contrast": "stretch"}),
        (DataSource(source="dogs_vs_cats"), {"size": [64, 64], "channels": 3}),
        (DataSource(source="digits"), {"invert": "auto"}),
    ],
    ids=["scans", "dogs and cats", "digits"],
)
def test_real_images_are_nearly_equal_in_every_framing(source, keys, framing):
    """A sample; `benchmarks/preprocess_layer.py` compares all."""
    config = Preprocessing(**keys, **framing)
    images, layer = load_source(source)[0].splits["train"], Preprocess.of(config)
    for position in np.linspace(0, len(images) - 1, 24).astype(int):
        image = images.read(int(position))
        assert_nearly_equal(layer(image).numpy(), preprocess(image, config))


def test_an_ink_box_whose_width_is_a_half_gets_the_same_columns():
    """20/28 of 28 is 20, and 117 of 312 rows then are 7.5 columns."""
    image = np.zeros((320, 200, 1), np.uint8)
    image[4:316, 40:157] = 255
    how = Preprocessing(size=[28, 28], framing="center")
    found = np.asarray(Preprocess(size=[28, 28], framing="center")(image[np.newaxis]))[0]
    assert_nearly_equal(found, preprocess(image, how))
