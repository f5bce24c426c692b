"""A checkpoint without its run: opened by path or by name, and predicted with."""

import json
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import kerasexp

DIGIT = np.pad(np.full((16, 4), 255, np.uint8), ((6, 6), (12, 12)))


@pytest.fixture
def checkpoint(finished_runs, tmp_path) -> Path:
    shutil.copytree(finished_runs / "images", tmp_path / "images")
    return Path(shutil.copytree(finished_runs / "runs" / "tiny" / "1" / "checkpoint", tmp_path / "somebodys"))


@pytest.mark.parametrize("place", ["somebodys", "somebodys/model.keras", Path("somebodys")])
def test_a_folder_of_somebody_is_predicted_with(checkpoint, place):
    opened = kerasexp.open_checkpoint(place)
    assert opened.class_names == ["across", "disc", "upright"] and opened.checkpoint == checkpoint
    assert opened.model().output_shape == (None, 3) and isinstance(opened.model(), keras.Model)
    found = opened.predict("images/disc")
    assert len(found) == 20 and found.class_names.tolist() == opened.class_names
    assert repr(opened) == "<Classifier of 3 classes, somebodys>"


def test_it_predicts_as_the_run_does(finished_runs, checkpoint):
    run = kerasexp.open_run(finished_runs / "runs" / "tiny" / "1")
    assert run.class_names == kerasexp.open_checkpoint(checkpoint).class_names
    ours, theirs = (model.predict("images/across").probabilities for model in (run, kerasexp.open_checkpoint(run.path)))
    np.testing.assert_array_equal(ours, theirs)


def test_a_shipped_checkpoint_is_opened_by_its_name():
    digits = kerasexp.open_checkpoint("part2_pretrained")
    assert digits.class_names == [str(digit) for digit in range(10)]
    assert digits.predict(DIGIT).classes.tolist() == ["1"]


@pytest.mark.parametrize(
    ("place", "text"),
    [("part1_scan", "did you mean 'part1_scans'"), ("images", "images: is not a checkpoint; accepted: a folder with")],
)
def test_what_is_no_checkpoint_is_refused_when_it_is_opened(checkpoint, place, text):
    with pytest.raises(kerasexp.UserError, match=text):
        kerasexp.open_checkpoint(place)


def test_a_model_with_code_in_it_is_not_run(checkpoint):
    layers = [keras.Input((16, 16, 1), dtype="uint8"), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()]
    keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")]).save(checkpoint / "model.keras")
    opened = kerasexp.open_checkpoint(checkpoint)
    with pytest.raises(kerasexp.UserError, match="Lambda"):
        opened.predict("images/disc")


def test_class_names_that_are_none_are_reported_when_it_is_opened(checkpoint):
    (checkpoint / "classes.json").write_text(json.dumps({"class_names": "across"}))
    with pytest.raises(kerasexp.UserError, match="classes.json: class_names: is not a list of class names"):
        kerasexp.open_checkpoint(checkpoint)


def test_several_models_predict_together(finished_runs, checkpoint, cli):
    """Of two sizes of images; files, arrays and a generator of arrays."""
    runs = finished_runs / "runs"
    run, larger = kerasexp.open_run(runs / "tiny" / "1"), runs / "larger" / "1"
    together = kerasexp.ensemble([run, larger, kerasexp.open_checkpoint(runs / "tiny" / "2")])
    assert repr(together) == "<Ensemble of 3 checkpoints with 3 classes>" and together.class_names == run.class_names
    assert together.members[0] is run and [place.name for place in together.checkpoints] == ["checkpoint"] * 3
    found = together.predict("images/disc")
    printed = cli(
        "predict", run.path, "images/disc", "--with", larger, "--with", runs / "tiny" / "2", "--format", "json"
    )
    assert [row["class"] for row in json.loads(printed.out)] == found.classes.tolist()
    pages = [cv2.imread(f"images/disc/{number:02d}.png", cv2.IMREAD_GRAYSCALE) for number in range(20)]
    for images in (pages, np.stack(pages), (page for page in pages)):
        np.testing.assert_allclose(together.predict(images).probabilities, found.probabilities, atol=1e-6)
    views = together.predict("images/disc", tta=True).probabilities
    assert views.shape == (20, 3) and np.abs(views - found.probabilities).max() > 1e-4


def test_one_model_predicts_several_views(checkpoint):
    opened = kerasexp.open_checkpoint(checkpoint)
    one, several = (opened.predict("images/disc", tta=tta).probabilities for tta in (False, True))
    assert np.abs(one - several).max() > 1e-4 and several.sum(axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(opened.predict("images/disc").probabilities, one)


def test_models_that_cannot_predict_together_are_refused(checkpoint):
    for models in ([checkpoint], "part1_scans", kerasexp.open_checkpoint(checkpoint), []):
        with pytest.raises(kerasexp.UserError, match="models: give two or more"):
            kerasexp.ensemble(models)
    with pytest.raises(kerasexp.UserError, match="part2_pretrained: has other classes than somebodys"):
        kerasexp.ensemble([checkpoint, "part2_pretrained"])
    with pytest.raises(kerasexp.UserError, match="is given twice"):
        kerasexp.ensemble([checkpoint, kerasexp.open_checkpoint("somebodys")])
