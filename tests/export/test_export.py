"""Export formats: probabilities and metadata of each, and that a failed export leaves no file."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from checkpoints_to_export import EACH
from keras import layers

from kerasexp.commands.doctor import findings
from kerasexp.config.data_section import DataSource, Preprocessing
from kerasexp.config.model_section import Cnn, ConvBlock, Head, InvertedResidualBlock, Mlp, ResNet18
from kerasexp.data.sources.digits import load_digits
from kerasexp.environment import missing_of
from kerasexp.export import FORMATS
from kerasexp.export.comparison_images import largest_difference
from kerasexp.models import ARGMAX, Decoding, build_model
from kerasexp.saving.checkpoint import write_sidecars
from kerasexp.saving.fitted_values import write_calibration
from kerasexp.saving.float32_model import float32_copy

# Converters take seconds for each model.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "checkpoints" / "part2_pretrained"

# The last name is invalid UTF-8, as that of a folder may be.
NAMES = ["a", "ß ' \"", "b\udcff"]
CNN = Cnn(
    blocks=[ConvBlock(filters=4, batch_norm=True, pool=2), InvertedResidualBlock(filters=4)],
    head=Head(units=[8], activation="gelu", batch_norm=True, dropout=0.5),
)
ENLARGED = ResNet18(width=4, resize=[20, 30])
# As `decode: logit_adjusted` makes them for imbalanced classes.
ADJUSTED = Decoding(offset=[0.5, 1.0, 2.0])


def make_checkpoint(family=CNN, decoding: Decoding = ARGMAX, precision: str = "float32") -> Path:
    """Make a checkpoint `mine` of a model with weights that are all unlike those of a new one."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        how = Preprocessing(size=[12, 10], channels=3)
        model = build_model(family, how, len(NAMES), "mine", decoding)
    finally:
        keras.config.set_dtype_policy("float32")
    generator, folder = np.random.default_rng(0), Path("mine")
    model.set_weights([w + generator.uniform(-0.1, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()])
    folder.mkdir()
    model.save(folder / "model.keras")
    write_sidecars(folder, NAMES, {name: name for name in NAMES}, how)
    write_calibration(folder, 1.5)
    return folder


def noise(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *shape), np.uint8)


def probabilities(folder: Path, images: np.ndarray) -> np.ndarray:
    """Return the probabilities by stock Keras; they differ between images, so that another model would be noticed."""
    given = keras.models.load_model(folder / "model.keras", compile=False).predict_on_batch(images)
    assert given.std(axis=0).max() > 1e-3
    return given


def metadata(path: Path, format: str) -> dict:
    if format == "onnx":
        import onnx

        return {prop.key: json.loads(prop.value) for prop in onnx.load(path).metadata_props}
    if format == "litert":
        return json.loads(zipfile.ZipFile(path).read("kerasexp.json"))
    return json.loads((path / "assets.extra" / "kerasexp.json").read_text())


def here() -> set[str]:
    return {path.name for path in Path().iterdir()}


@pytest.mark.parametrize("format", EACH)
@pytest.mark.parametrize(
    ("family", "decoding"), [(CNN, ADJUSTED), (Mlp(units=[6], activation="gelu"), ARGMAX), (ENLARGED, ARGMAX)]
)
def test_each_format_has_the_probabilities_and_the_metadata_of_the_checkpoint(cli, format, family, decoding):
    folder = make_checkpoint(family, decoding)
    before = here()
    answer = cli("export", folder, "--format", format, "--input", "model")
    assert answer.code == 0, answer.err
    path = Path(answer.last_line)
    assert path.name == f"mine{FORMATS[format].ending}" and here() == before | {path.name}
    assert "on 16 of scikit-learn's digits, plain and with increasing noise, in batches of 1 and 5" in answer.out
    assert "(tolerance 0.0001)" in answer.out and "input: uint8 images [n, 12, 10, 3]" in answer.out
    predict, images = FORMATS[format].load(path), noise(7, 12, 10, 3)
    expected = probabilities(folder, images)
    for count in (7, 1, 2):
        np.testing.assert_allclose(predict(images[:count]), expected[:count], atol=5e-6)
    found = metadata(path, format)
    assert found["class_names"] == NAMES and found["temperature"] == 1.5
    assert found["preprocessing"] == json.loads((folder / "preprocessing.json").read_text())
    assert found["input"] == "model"
    assert found["images"] == {"dtype": "uint8", "shape": [None, 12, 10, 3], "values": "0 to 255"}


def test_a_run_is_exported_by_its_directory_and_compared_on_given_images(cli, tiny_yaml, images):
    run = cli("run", tiny_yaml, "--set", "training.epochs=1").last_line
    (images / "disc" / "broken.png").write_bytes(b"no image")
    answer = cli("export", run, "--format", "litert", "--input", "model", "--images", "images/disc")
    assert answer.code == 0 and answer.last_line == "tiny_1.tflite"
    assert "on 20 of the 21 images of images/disc" in answer.out
    assert "left out: images/disc/broken.png" in answer.err


def test_the_shipped_checkpoint_is_exported_and_nothing_else_is_printed():
    command = ["export", str(SHIPPED), "--format", "litert", "--input", "model", "--output", "digits.tflite"]
    done = subprocess.run([sys.executable, "-m", "kerasexp", *command], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    compared, signature, path = done.stdout.splitlines()
    assert (
        compared.startswith("compared with the checkpoint on")
        and signature.startswith("input: uint8")
        and path == "digits.tflite"
    )
    images = load_digits(DataSource(source="digits")).splits["test"].array[:7]
    given = FORMATS["litert"].load(Path(path))(images)
    np.testing.assert_allclose(given, probabilities(SHIPPED, images), atol=1e-5)
    assert metadata(Path(path), "litert")["class_names"] == [str(digit) for digit in range(10)]


def test_a_model_in_half_precision_is_exported_in_float32_with_a_note(cli):
    folder = make_checkpoint(Mlp(units=[6]), precision="mixed_bfloat16")
    answer = cli("export", folder, "--format", "litert", "--input", "model")
    assert answer.code == 0, answer.err
    assert "(tolerance 0.01; the checkpoint computes in half precision, the export in float32)" in answer.out


def test_the_exported_model_is_in_float32_and_without_unsupported_normalizations():
    x = inner_images = keras.Input((8, 8, 3))
    for layer in (
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3]), layers.Normalization(axis=[1, 3]),
        layers.Conv2D(4, 3, activation="gelu"), layers.BatchNormalization(),
    ):  # fmt: skip
        x = layer(x)
    inner = keras.Model(inner_images, x, name="backbone")
    images = keras.Input((8, 8, 3), dtype="uint8")
    features = inner(layers.Rescaling(1 / 255, dtype="float64")(images), training=False)
    features = layers.Flatten()(layers.Add()([features, layers.Multiply()([features, features])]))
    model = keras.Model(images, layers.Dense(3, activation="softmax", dtype="float64")(features))
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.5, 1, w.shape) for w in model.get_weights()])
    copy = float32_copy(model)
    flat = [*copy.layers, *next(layer for layer in copy.layers if layer.name == "backbone").layers]
    assert not any(isinstance(layer, layers.Normalization) for layer in flat)
    assert {weight.dtype for weight in copy.weights} == {"float32"}
    images = noise(4, 8, 8, 3)
    given = copy.predict_on_batch(images)["probabilities"]
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, model.predict_on_batch(images), atol=1e-6)


def mistakes() -> dict[str, tuple[list[str], str]]:
    there = ["export", "mine", "--format"]
    raw = [*there, "litert", "--output", "new.tflite", "--input"]
    return {
        "unknown format": ([*there, "tf_lite"], "--format: got 'tf_lite'; did you mean 'litert'?"),
        "near miss": ([*there, "onxx"], "did you mean 'onnx'?; allowed: tf_saved_model, litert, onnx"),
        "no checkpoint": (["export", "gone", "--format", "litert"], "gone: no such file or folder"),
        "no model": (["export", "hollow", "--format", "litert"], "hollow: is not a checkpoint"),
        "there already": ([*there, "litert", "--output", "old.tflite"], "old.tflite: --output: exists already"),
        "a folder there": ([*there, "tf_saved_model", "--output", "hollow"], "hollow: --output: exists already"),
        "wrong ending": ([*there, "litert", "--output", "new.onnx"], "must end in .tflite"),
        "no folder": ([*there, "litert", "--output", "gone/new.tflite"], "gone: --output: no such folder"),
        "unknown input": (
            [*raw, "modle"],
            "--input: got 'modle'; did you mean 'model'?; allowed: raw, model, or the height",
        ),
        "half a size": (
            [*raw, "900"],
            "--input: got '900'; allowed: raw, model, or the height and width of raw images, such as",
        ),
        "an empty size": ([*raw, "0x12"], "--input: got '0x12'"),
        "a huge size": ([*raw, "99999x12"], "such as 900x1200, up to 65,536"),
        "any size": (
            [*there, "tf_saved_model", "--input", "9x9"],
            "tf_saved_model takes raw images of any size; write --input",
        ),
        "no images": ([*there, "litert", "--images", "gone"], "gone: no such file or folder"),
    }


@pytest.mark.parametrize(("arguments", "message"), mistakes().values(), ids=mistakes())
def test_a_mistake_is_reported_before_anything_is_loaded(cli, arguments, message):
    for folder in ("mine", "hollow"):
        Path(folder).mkdir()
    for name in ("model.keras", "classes.json", "preprocessing.json"):
        (Path("mine") / name).write_bytes(b"not looked into")
    Path("old.tflite").write_text("precious")
    before = here()
    answer = cli(*arguments)
    assert answer.code == 2 and message in answer.err and answer.err.count("\n") == 1
    assert here() == before and Path("old.tflite").read_text() == "precious"


def test_a_missing_extra_is_named_first_and_by_doctor(cli, monkeypatch):
    monkeypatch.setattr("kerasexp.environment.find_spec", lambda package: None)
    answer = cli("export", "gone", "--format", "onnx")
    assert answer.code == 2 and answer.err == (
        "error: --format: onnx needs onnx, tf2onnx, onnxruntime, which are not installed: pip install 'kerasexp[onnx]'\n"
    )
    assert "extra 'onnx': not installed (onnx, tf2onnx, onnxruntime); pip install 'kerasexp[onnx]'" in findings()


def test_a_folder_named_as_a_package_is_no_installed_one(monkeypatch, tmp_path):
    monkeypatch.setattr("kerasexp.environment.EXTRAS", {"some": ("exported_here", "json")})
    (tmp_path / "exported_here").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert missing_of("some") == ["exported_here"]


def fails(error: Exception):
    def write(model, metadata, path):
        path.write_bytes(b"half of it")
        raise error

    return {"write": write}


def gives(change):
    load = FORMATS["litert"].load
    return {"load": lambda path: (lambda predict: lambda images: change(predict(images)))(load(path))}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (gives(lambda scores: scores + 2e-4), "differ by at most 0.0002 (tolerance 0.0001)"),
        (gives(lambda scores: scores[:, ::-1]), "differ by at most 0.04"),
        (gives(lambda scores: scores * np.nan), "differ by at most nan"),
        (
            gives(lambda scores: scores[:, :1]),
            "mine: the format does not support this model: the output has shape [32, 1] instead of [32, 3]",
        ),
        (
            fails(ValueError("\nno such layer\nand much more")),
            "mine: the format does not support this model: no such layer\n",
        ),
        (fails(OSError(28, "No space left on device")), "mine.tflite: cannot be written: No space left on device"),
    ],
    ids=["other probabilities", "other order of classes", "nan", "one column", "refused by the converter", "full disk"],
)
def test_nothing_is_left_of_an_export_that_fails_or_differs(cli, monkeypatch, broken, message):
    folder = make_checkpoint(Mlp(units=[6]))
    monkeypatch.setitem(FORMATS, "litert", replace(FORMATS["litert"], **broken))
    before = here()
    answer = cli("export", folder, "--format", "litert", "--input", "model")
    assert answer.code == 1 and message in answer.err and "Traceback" not in answer.err
    assert here() == before


def test_a_difference_in_the_last_odd_batch_or_a_single_nan_is_seen():
    images, expected = noise(7, 2, 2, 1), np.full((7, 2), 0.5, np.float32)

    def predict(batch, wrong):
        return np.where((batch == images[6]).all(axis=(1, 2, 3))[:, None], [wrong, 0.5], 0.5).astype(np.float32)

    assert largest_difference(lambda batch: predict(batch, 0.75), images, expected, 5) == 0.25
    assert np.isnan(largest_difference(lambda batch: predict(batch, np.nan), images, expected, 1))


def test_images_that_are_all_broken_compare_nothing(cli):
    Path("broken.png").write_bytes(b"no image")
    answer = cli("export", SHIPPED, "--format", "litert", "--images", "broken.png")
    assert answer.code == 1 and "broken.png: none of the 1 images can be read" in answer.err
    assert here() == {"broken.png"}
