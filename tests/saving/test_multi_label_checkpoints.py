import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.errors import UserError
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars
from kerasexp.saving.fitted_values import write_calibration, write_thresholds

NAMES = ["cat", "dog", "horse"]


def saved(folder: Path, activation: str | None = "sigmoid", multi_label: bool = True) -> Path:
    images = keras.Input((8, 8, 1), dtype="uint8")
    features = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    folder.mkdir(exist_ok=True)
    keras.Model(images, layers.Dense(3, activation=activation)(features)).save(folder / "model.keras")
    names = {name: name for name in NAMES}
    write_sidecars(folder, NAMES, names, Preprocessing(size=[8, 8]), multi_label=multi_label)
    return folder


def test_thresholds_come_with_the_checkpoint_and_are_a_half_without_a_file(tmp_path):
    folder = saved(tmp_path / "c")
    assert load_checkpoint(folder).thresholds.tolist() == [0.5, 0.5, 0.5]
    write_thresholds(folder, {"horse": 0.1, "cat": 0.2, "dog": 0.3})
    loaded = load_checkpoint(folder)
    assert loaded.thresholds.tolist() == [0.2, 0.3, 0.1] and loaded.multi_label


def test_a_calibration_is_that_of_one_label_an_image(tmp_path):
    folder = saved(tmp_path / "c")
    write_calibration(folder, 2.0, 0.5)
    loaded = load_checkpoint(folder)
    assert loaded.temperature is None and loaded.reject_threshold is None


def test_one_label_an_image_has_no_thresholds(tmp_path):
    folder = saved(tmp_path / "c", "softmax", multi_label=False)
    assert "multi_label" not in json.loads((folder / "classes.json").read_text())
    assert load_checkpoint(folder).thresholds is None


def test_logits_get_a_sigmoid_and_other_outputs_are_refused(tmp_path, capsys):
    model = load_checkpoint(saved(tmp_path / "c", None)).model
    assert "the model gives logits; a sigmoid was added" in capsys.readouterr().err
    scores = model.predict_on_batch(np.zeros((2, 8, 8, 1), np.uint8))
    assert (scores == 0.5).all()
    with pytest.raises(
        UserError, match="its last activation is softmax, and classes.json says that images may have several"
    ):
        load_checkpoint(saved(tmp_path / "s", "softmax"))
    with pytest.raises(UserError, match="end it in a softmax, or write multi_label: true in classes.json"):
        load_checkpoint(saved(tmp_path / "o", "sigmoid", multi_label=False))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"thresholds": {"cat": 0.5}}, "does not have the classes of classes.json"),
        ({"thresholds": {"cat": 0.5, "dog": "x", "horse": 0.5}}, "'dog' has 'x'; it must be from 0 to 1"),
        ({"thresholds": {"cat": 0.5, "dog": 1.5, "horse": 0.5}}, "'dog' has 1.5; it must be from 0 to 1"),
        ({"thresholds": [0.5]}, "does not have the classes"),
        ([], "is not a JSON object"),
    ],
)
def test_damaged_thresholds_are_refused(tmp_path, content, message):
    folder = saved(tmp_path / "c")
    (folder / "thresholds.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        load_checkpoint(folder)


def test_a_flag_that_is_none_is_refused(tmp_path):
    folder = saved(tmp_path / "c")
    classes = json.loads((folder / "classes.json").read_text())
    (folder / "classes.json").write_text(json.dumps(classes | {"multi_label": "yes"}))
    with pytest.raises(UserError, match="multi_label: is 'yes'; it must be true or false"):
        load_checkpoint(folder)
