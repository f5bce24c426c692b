"""`model_raw.keras`: stored images in, the probabilities of the checkpoint out, with Keras alone where it can be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.evaluation.file_predictions import image_files, image_scores
from kerasexp.saving.checkpoint import load_checkpoint

ONE_EPOCH = ("--set", "training.epochs=1")
# In a process where kerasexp cannot be imported.
ALONE = """
import sys
sys.modules["kerasexp"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
images = [keras.utils.img_to_array(keras.utils.load_img(path)) for path in sys.argv[3:]]
np.save(sys.argv[2], np.concatenate([model.predict(image[None], verbose=0) for image in images]))
"""


def predict_alone(model: Path, files: list[str]) -> np.ndarray:
    """Return the probabilities by Keras in a process without kerasexp."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", ALONE, str(model.resolve()), "alone.npy", *files]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return np.load("alone.npy")


def expected(checkpoint: Path, files: list[str]) -> np.ndarray:
    paths = [Path(file) for file in files]
    return np.concatenate([scores for _, scores in image_scores(load_ensemble([checkpoint]), [image_files(paths)])])


def card(run: Path) -> str:
    return (run / "checkpoint" / "README.md").read_text()


@pytest.mark.slow
def test_keras_alone_predicts_on_stored_images_as_predict_does(cli, tiny_yaml, images):
    answer = cli("run", tiny_yaml, *ONE_EPOCH)
    assert answer.code == 0 and "model_raw.keras takes stored images of 60x80 pixels" in answer.out
    run, files = Path(answer.last_line), sorted(map(str, images.glob("*/0*.png")))
    got = predict_alone(run / "checkpoint" / "model_raw.keras", files)
    np.testing.assert_allclose(got, expected(run, files), atol=1e-3)
    assert json.loads((run / "checkpoint" / "preprocessing.json").read_text())["stored_size"] == [60, 80]
    assert "needs Keras alone" in card(run) and "import kerasexp" not in card(run)
    found = json.loads((run / "manifest.json").read_text())["raw_model"]
    assert found["written"] and not found["imports"] and found["size"] == [60, 80]
    assert found["largest_difference"] <= 1e-3 and found["compared_on"] == 16


def resize_one(images: Path) -> None:
    path = sorted(images.glob("*/*.png"))[0]
    cv2.imwrite(str(path), cv2.imread(str(path))[:50])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "keys", "reason"),
    [
        (resize_one, {}, "the stored images have several sizes"),
        (lambda images: None, {"framing": "center"}, "framing: center places each image by its content"),
    ],
    ids=["several sizes", "center"],
)
def test_what_keras_cannot_do_alone_is_said_and_done_with_kerasexp(cli, tiny_yaml, images, change, keys, reason):
    change(images)
    settings = [part for key, value in keys.items() for part in ("--set", f"data.preprocessing.{key}={value}")]
    answer = cli("run", tiny_yaml, *ONE_EPOCH, *settings)
    run = Path(answer.last_line)
    assert answer.code == 0 and f"needs kerasexp, as {reason}" in answer.out and reason in card(run)
    assert "import kerasexp.data.preprocess_layer" in card(run)
    files = sorted(map(str, images.glob("*/0*.png")))[:6]
    model = keras.models.load_model(run / "checkpoint" / "model_raw.keras")
    got = [model.predict_on_batch(cv2.imread(file)[None, ..., ::-1]) for file in files]
    if not keys:  # drawn ink is symmetric, and `center` may place it one pixel aside
        np.testing.assert_allclose(np.concatenate(got), expected(run, files), atol=1e-3)


@pytest.mark.slow
def test_a_network_with_layers_of_kerasexp_loads_as_its_card_says(cli):
    Path("near.yaml").write_text("data: digits\nmodel: {name: cnn, head: {units: [], knn: {k: 3}}}\n")
    answer = cli("run", "near.yaml")
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    lines = [line.strip() for line in card(run).splitlines() if line.startswith("    ")]
    needed = [line for line in lines if line.startswith(("import ", "model = "))]
    assert needed[0].startswith("import kerasexp.models.nearest_neighbours_layer"), needed
    subprocess.run(
        [sys.executable, "-c", "; ".join(line.split("  #")[0] for line in needed)], cwd=run / "checkpoint", check=True
    )


def test_a_raw_model_that_differs_is_not_written(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr("kerasexp.runs.raw_checkpoint.raw_tolerance", lambda model: -1.0)
    answer = cli("run", tiny_yaml, *ONE_EPOCH)
    run = Path(answer.last_line)
    assert answer.code == 0 and "There is no model_raw.keras: its probabilities would differ by" in answer.out
    assert {path.name for path in (run / "checkpoint").iterdir()} == {
        "README.md", "calibration.json", "classes.json", "model.keras", "preprocessing.json",
    }  # fmt: skip
    assert "There is no `model_raw.keras`" in card(run)


def test_without_its_images_a_run_has_no_raw_model(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr("kerasexp.runs.raw_checkpoint._read", lambda images, position: None)
    answer = cli("run", tiny_yaml, *ONE_EPOCH)
    assert answer.code == 0 and "none of the images can be read again" in answer.out


@pytest.mark.real
@pytest.mark.slow
def test_the_shipped_checkpoint_names_40_raw_scans_with_keras_alone(tmp_path):
    import zipfile

    from kerasexp.saving.calibrated_model import calibrated_model
    from kerasexp.saving.raw_model import raw_model

    part1 = Path(__file__).resolve().parents[2] / "checkpoints" / "part1_scans"
    with zipfile.ZipFile(Path(os.environ["KERASEXP_DATA"]) / "trainPart1.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith("-040.png"))[:40]
        archive.extractall(tmp_path, names)
    checkpoint = load_checkpoint(part1)
    classifier = calibrated_model(checkpoint.model, checkpoint.temperature)
    model = raw_model(classifier, checkpoint.preprocessing, None, checkpoint.stored_size, stock=True)
    model.save(tmp_path / "model_raw.keras")
    files = [str(tmp_path / name) for name in names]
    got, wanted = predict_alone(tmp_path / "model_raw.keras", files), expected(part1, files)
    assert len(got) == 40 and np.array_equal(got.argmax(axis=1), wanted.argmax(axis=1))
    np.testing.assert_allclose(got, wanted, atol=2e-3)
