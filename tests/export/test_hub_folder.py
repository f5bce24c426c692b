"""`export --format hub_folder`: the folder that Keras loads by an address of the Hub, and the card in it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from checkpoints_to_export import random_checkpoint

from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.export.hub_folder import UNPACKED


def front_matter(card: Path) -> dict:
    return yaml.safe_load(card.read_text().split("---")[1])


@pytest.mark.slow
def test_keras_loads_the_folder_of_a_run(cli, tiny_yaml):
    import keras

    run = Path(cli("run", tiny_yaml, "--set", "report.license=mit").last_line)
    answer = cli("export", run, "--format", "hub_folder", "--output", "to_push")
    folder = Path(answer.last_line)
    assert answer.code == 0 and folder == Path("to_push") and "hf upload USER/NAME to_push" in answer.out
    loaded = keras.saving.load_model(folder)  # what it does with an address, once the folder is downloaded
    raw = keras.saving.load_model(run / "checkpoint" / "model_raw.keras")
    images = np.random.default_rng(0).integers(0, 256, (3, 60, 80, 3), np.uint8)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), raw.predict(images, verbose=0))
    found = front_matter(folder / "README.md")
    assert (found["license"], found["library_name"]) == ("mit", "keras")
    result = found["model-index"][0]["results"][0]
    assert result["task"]["type"] == "image-classification" and result["dataset"]["type"] == "image_folder"
    assert {metric["type"] for metric in result["metrics"]} == {"accuracy", "f1"}
    assert cli("predict", folder, "images").out == cli("predict", run, "images").out


@pytest.mark.slow
def test_what_keras_cannot_load_is_not_unpacked_where_it_can_load_another(cli, tiny_yaml):
    """Keras has no layer that looks for the ink, so that `model_raw.keras` has one of kerasexp; `model.keras` has none."""
    import keras

    run = Path(cli("run", tiny_yaml, "--set", "data.preprocessing.framing=center").last_line)
    answer = cli("export", run, "--format", "hub_folder", "--output", "to_push")
    assert answer.code == 0 and "model.keras is also there unpacked" in answer.out
    assert "anyone then loads it by keras.saving.load_model" in answer.out
    assert keras.saving.load_model("to_push").input_shape[1:] == (16, 16, 1)


def test_layers_that_keras_lacks_are_named(cli):
    import keras

    from kerasexp.models.label_mapping_layer import LabelMapping

    folder = random_checkpoint("mine", ["a", "b"])
    images = keras.Input((12, 10, 1))
    logits = LabelMapping([[0, 1], [2]], "max")(keras.layers.Dense(3)(keras.layers.Flatten()(images)))
    keras.Model(images, keras.layers.Softmax()(logits)).save(folder / "model.keras")
    answer = cli("export", folder, "--format", "hub_folder")
    assert answer.code == 0 and "model.keras has layers that Keras lacks: a download is for kerasexp" in answer.out
    assert "anyone" not in answer.out


def test_a_checkpoint_without_a_card_gets_one_to_fill_in(cli):
    answer = cli("export", "part2_pretrained", "--format", "hub_folder")
    folder = Path(answer.last_line)
    assert answer.code == 0 and folder == Path("part2_pretrained_hub")
    assert all((folder / name).is_file() for name in (*UNPACKED, "classes.json", "model.keras"))
    assert (folder / "README.md").is_file()


@pytest.fixture
def own() -> Path:
    """A checkpoint of the user."""
    return Path(shutil.copytree(shipped_checkpoints()["part2_pretrained"], "own"))


def test_only_files_of_a_checkpoint_and_its_licence_are_pushed(cli, own):
    (own / ".env").write_text("TOKEN=secret")
    (own / "patients.csv").write_text("name")
    (own / "LICENSE.txt").write_text("MIT")
    answer = cli("export", own, "--format", "hub_folder")
    folder = Path(answer.last_line)
    assert (folder / "model.keras").is_file() and (folder / "LICENSE.txt").is_file()
    assert not (folder / ".env").exists() and not (folder / "patients.csv").exists()
    assert "not copied, because they do not belong to a checkpoint: patients.csv" in answer.out


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_a_link_that_leads_out_of_the_checkpoint_is_refused(cli, own):
    Path("secret").write_text("key")
    (own / "notes.txt").symlink_to(Path("secret").resolve())
    answer = cli("export", own, "--format", "hub_folder", "--output", "to_push")
    assert answer.code == 2 and "leads out of the checkpoint" in answer.err and not Path("to_push").exists()


def test_a_damaged_raw_model_is_refused(cli, own):
    (own / "model_raw.keras").write_bytes(b"no archive")
    answer = cli("export", own, "--format", "hub_folder", "--output", "to_push")
    assert answer.code == 2 and "model_raw.keras" in answer.err and "not a zip archive" in answer.err
    assert not Path("to_push").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quantize", "int8"], "--quantize: is not for hub_folder"),
        (["--input", "model"], "--input: is not for hub_folder"),
        (["--output", "absent/x"], "no such folder"),
        (["--output", "images"], "exists already"),
    ],
)
def test_what_does_not_fit_is_refused(cli, tiny_yaml, options, message):
    answer = cli("export", "part2_pretrained", "--format", "hub_folder", *options)
    assert answer.code == 2 and message in answer.err


def test_a_near_name_is_suggested(cli):
    answer = cli("export", "part2_pretrained", "--format", "hubfolder")
    assert answer.code == 2 and "did you mean 'hub_folder'?" in answer.err
