"""Exports that take raw images: they preprocess as `predict` does, in every format."""

import io
import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from checkpoints_to_export import EACH, NAMES, WITHOUT, random_checkpoint
from PIL import Image

from kerasexp.data.image_decoding import decode_image
from kerasexp.data.image_formats import supported_format
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.value_range import ValueRange
from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.export import FORMATS
from kerasexp.export.comparison_images import MOST_BYTES, comparison, spread
from kerasexp.export.export_plan import ExportRequest, plan_export
from kerasexp.models.label_mapping_layer import LabelMapping
from kerasexp.saving.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow  # converters take seconds for each model

# Together: every framing, both numbers of channels, every inversion and contrast.
PREPROCESSINGS = [
    {"framing": "stretch", "channels": 3, "invert": True},
    {"framing": "fit", "invert": "auto", "contrast": "stretch"},
    {"framing": "center", "invert": "auto"},
    {"framing": "window", "window": [0.1, 0.2, 0.9, 0.8], "channels": 3, "contrast": "stretch"},
]


def make_checkpoint(size: tuple[int, int] | None = (50, 40), value_range=None, **keys) -> Path:
    """Make a checkpoint `mine` with random weights, whose training images had this size."""
    return random_checkpoint("mine", NAMES, size, value_range, **keys)


def strokes(height: int, width: int, seed: int) -> np.ndarray:
    """An image in colour with uneven strokes on bright paper."""
    generator = np.random.default_rng(seed)
    image = (250 - generator.integers(0, 9, (height, width, 3))).astype(np.uint8)
    for _ in range(3):
        x, y, u, v = (int(value) for value in generator.integers(5, min(height, width) - 5, 4))
        cv2.line(image, (x, y), (u, v), [int(value) for value in generator.integers(0, 99, 3)], 3)
    return image


def expected(folder: Path, images: list[np.ndarray]) -> np.ndarray:
    """Return the probabilities of the checkpoint; they differ between images."""
    checkpoint = load_checkpoint(folder)
    small = np.stack([preprocess(image, checkpoint.preprocessing) for image in images])
    given = checkpoint.model.predict_on_batch(small)
    assert given.std(axis=0).max() > 1e-3
    return given


@pytest.mark.parametrize("format", EACH)
@pytest.mark.parametrize("keys", PREPROCESSINGS, ids=lambda keys: keys["framing"])
def test_each_format_takes_raw_images_of_the_size_of_training(cli, format, keys):
    folder = make_checkpoint(**keys)
    answer = cli("export", folder, "--format", format)
    assert answer.code == 0, answer.err
    assert "(tolerance 0.001)" in answer.out and "input: raw uint8 images [n, " in answer.out
    images = [strokes(50, 40, seed) for seed in range(4)]
    predict = FORMATS[format].load(Path(answer.last_line))
    for count in (4, 1):
        np.testing.assert_allclose(predict(np.stack(images[:count])), expected(folder, images)[:count], atol=1e-3)


@pytest.mark.parametrize("format", ["litert", pytest.param("onnx", marks=WITHOUT)])
def test_the_size_of_raw_images_can_be_named(cli, format):
    folder = make_checkpoint(None)
    answer = cli("export", folder, "--format", format)
    assert answer.code == 2 and "such as --input 900x1200, or use --input model" in answer.err
    answer = cli("export", folder, "--format", format, "--input", "33x47")
    assert answer.code == 0 and "input: raw uint8 images [n, 33, 47, 3]" in answer.out
    images = [strokes(33, 47, seed) for seed in range(3)]
    np.testing.assert_allclose(
        FORMATS[format].load(Path(answer.last_line))(np.stack(images)), expected(folder, images), atol=1e-3
    )


def as_file(image: np.ndarray, format: str, mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, format, **options)
    return file.getvalue()


def with_orientation(orientation: int, endian: str) -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x0112] = orientation
    return as_file(strokes(70, 50, 8), "jpeg", exif=exif.tobytes())


def test_a_saved_model_takes_images_of_any_size_and_files(cli):
    folder = make_checkpoint(None, framing="fit", invert="auto", channels=3)
    answer = cli("export", folder, "--format", "tf_saved_model")
    assert answer.code == 0 and "of any size, or files by the signature `encoded`" in answer.out, answer.err
    path = Path(answer.last_line)
    predict, predict_files = FORMATS["tf_saved_model"].load(path), FORMATS["tf_saved_model"].load_encoded(path)
    for height, width in ((12, 10), (20, 300), (200, 30)):
        image = strokes(height, max(width, 12), 1) if height > 12 else strokes(12, 12, 1)[:, :10]
        np.testing.assert_allclose(predict(image[None]), expected(folder, [image, strokes(90, 90, 2)])[:1], atol=1e-3)
    clear = np.dstack([strokes(60, 40, 3), strokes(60, 40, 4)[..., 0]])
    files = [
        as_file(strokes(60, 40, 1), "png"),
        as_file(strokes(60, 40, 2), "png", "L"),
        as_file(clear, "png", "RGBA"),
        as_file(strokes(60, 40, 5), "bmp"),
        as_file(strokes(60, 40, 5), "webp", lossless=True),
        as_file(clear, "webp", "RGBA", lossless=True),
        as_file(strokes(60, 90, 6), "jpeg"),
        as_file(strokes(60, 90, 7), "jpeg", "L"),
        *(with_orientation(orientation, endian) for orientation in range(1, 9) for endian in "<>"),
    ]
    images = [decode_image(file) for file in files]
    np.testing.assert_allclose(predict_files(files), expected(folder, images), atol=1e-3)


def test_given_images_are_compared_as_they_are_stored(cli, images):
    folder = make_checkpoint((60, 80), framing="fit")
    (images / "disc" / "broken.png").write_bytes(b"no image")
    answer = cli("export", folder, "--format", "tf_saved_model", "--images", "images/disc")
    assert answer.code == 0 and "on 20 of the 21 images of images/disc" in answer.out
    assert "left out: images/disc/broken.png: " in answer.err
    metadata = json.loads((Path(answer.last_line) / "assets.extra" / "kerasexp.json").read_text())
    assert metadata["input"] == "raw" and metadata["images"]["shape"] == [None, None, None, 3]
    assert metadata["preprocessing"]["stored_size"] == [60, 80]


def test_files_that_the_second_signature_cannot_decode_are_compared_as_pixels(cli, images):
    for path in sorted((images / "disc").iterdir()):
        Image.open(path).save(path.with_suffix(".tiff"))
        path.unlink()
    answer = cli(
        "export", make_checkpoint((60, 80), framing="fit"), "--format", "tf_saved_model", "--images", "images/disc"
    )
    assert answer.code == 0 and "on 20 of the 20 images of images/disc" in answer.out, answer.err


def test_an_orientation_that_the_second_signature_does_not_know_is_compared_as_pixels(cli, images):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in sorted((images / "disc").iterdir())[:2]:
        turned = as_file(strokes(70, 50, 8), path.suffix[1:], exif=exif.tobytes())
        path.write_bytes(turned)
    assert "PNG" in {supported_format(path.read_bytes()) for path in (images / "disc").iterdir()}
    (images / "disc" / "turned.webp").write_bytes(
        as_file(strokes(70, 50, 9), "webp", lossless=True, exif=exif.tobytes())
    )
    answer = cli(
        "export", make_checkpoint((60, 80), framing="fit"), "--format", "tf_saved_model", "--images", "images/disc"
    )
    assert answer.code == 0 and "on 21 of the 21 images of images/disc" in answer.out, answer.err


def test_few_large_raw_images_are_compared_and_evenly_spaced_ones(cli):
    assert spread(list(range(63)), 32)[-1] == 62 and spread([1, 2], 32) == [1, 2]
    folder = make_checkpoint()
    plan = plan_export(ExportRequest([folder], "litert", input="2400x3000"))
    compared = comparison(plan, load_ensemble([folder]))
    assert 2 <= len(compared.images) <= MOST_BYTES / compared.images[0].nbytes and set(compared.files) == {None}


def test_files_of_8_bits_with_a_range_of_their_own_are_scaled(cli):
    folder = make_checkpoint(value_range=ValueRange(0, 15, "given", "files"), channels=3)
    answer = cli("export", folder, "--format", "litert")
    assert answer.code == 0, answer.err
    dark = [strokes(50, 40, seed) // 17 for seed in range(3)]
    bright = [image * 17 for image in dark]
    predict = FORMATS["litert"].load(Path(answer.last_line))
    np.testing.assert_allclose(predict(np.stack(dark)), expected(folder, bright), atol=1e-3)


def test_a_checkpoint_of_files_of_16_bits_takes_no_raw_images(cli):
    folder = make_checkpoint(value_range=ValueRange(0, 4095, "detected", "files"))
    answer = cli("export", folder, "--format", "litert")
    assert answer.code == 2
    assert (
        "mine: --input: it was trained on values 0..4095 of more than 8 bits, and raw images have 8; use --input model"
        in (answer.err)
    )


@pytest.mark.parametrize("kind", ["several labels", "a zero-shot head"])
def test_other_heads_take_raw_images(cli, kind):
    folder = make_checkpoint(framing="fit")
    images = keras.Input((12, 10, 1), dtype="uint8")
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    if kind == "several labels":
        outputs = keras.layers.Dense(3, activation="sigmoid")(features)
    else:
        outputs = keras.layers.Softmax()(LabelMapping([[0, 1], [2], [3]], "max")(keras.layers.Dense(4)(features)))
    keras.Model(images, outputs).save(folder / "model.keras")
    if kind == "several labels":
        classes = json.loads((folder / "classes.json").read_text()) | {"multi_label": True}
        (folder / "classes.json").write_text(json.dumps(classes))
    answer = cli("export", folder, "--format", "litert")
    assert answer.code == 0, answer.err
    given = [strokes(50, 40, seed) for seed in range(3)]
    predict = FORMATS["litert"].load(Path(answer.last_line))
    np.testing.assert_allclose(predict(np.stack(given)), expected(folder, given), atol=1e-3)
