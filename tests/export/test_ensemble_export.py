"""Several checkpoints as one exported model: it says what they say together."""

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoints_to_export import EACH, NAMES, random_checkpoint

from kerasexp.data.preprocessing import preprocess
from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.export import FORMATS
from kerasexp.saving.fitted_values import write_calibration

SIZE = (30, 26)


def make_member(name: str, seed: int, names=NAMES, temperature=1.0, framing="fit") -> Path:
    folder = random_checkpoint(name, names, SIZE, seed=seed, framing=framing)
    write_calibration(folder, temperature)
    return folder


def make_members() -> list[Path]:
    """Make members that differ in weights, temperature and the order of their classes."""
    return [
        make_member("first", 1, temperature=0.7),
        make_member("second", 2, ["c", "a", "b"], temperature=1.6),
        make_member("third", 3),
    ]


@pytest.mark.slow  # converters take seconds for each model
@pytest.mark.parametrize("input", ["raw", "model"])
@pytest.mark.parametrize("format", EACH)
def test_several_checkpoints_are_exported_as_one(cli, format, input):
    members = make_members()
    answer = cli("export", *members, "--format", format, "--input", input)
    assert answer.code == 0, answer.err
    assert Path(answer.last_line).name == f"first_ensemble_of_3{FORMATS[format].ending}"
    ensemble = load_ensemble(members)
    images = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)
    small = np.stack([preprocess(image, ensemble.members[0].preprocessing) for image in images])
    scores = [member.model.predict_on_batch(small) for member in ensemble.members]
    expected = ensemble.mean(scores)
    assert np.abs(expected - scores[0]).max() > 0.02  # it is not the first one alone
    predict = FORMATS[format].load(Path(answer.last_line))
    np.testing.assert_allclose(predict(images if input == "raw" else small), expected, atol=1e-3)


def test_members_with_another_preprocessing_are_refused(cli):
    answer = cli("export", make_member("one", 1), make_member("other", 2, framing="center"), "--format", "litert")
    assert answer.code == 2
    assert "other: preprocesses images differently than one, so that they cannot be one model" in answer.err
    assert not Path("one_ensemble_of_2.tflite").exists()


def test_members_with_other_classes_are_refused(cli):
    answer = cli("export", make_member("one", 1), make_member("other", 2, ["a", "b", "d"]), "--format", "litert")
    assert answer.code == 2 and "other: has other classes than one" in answer.err


def test_a_folder_for_the_hub_holds_one_checkpoint(cli):
    answer = cli("export", make_member("one", 1), make_member("other", 2), "--format", "hub_folder")
    assert answer.code == 2 and "--format: hub_folder: takes one checkpoint, got 2" in answer.err


@pytest.mark.slow
def test_the_metadata_are_those_of_the_ensemble(cli):
    answer = cli("export", *make_members(), "--format", "tf_saved_model")
    metadata = json.loads(Path(answer.last_line, "assets.extra", "kerasexp.json").read_text())
    assert metadata["class_names"] == NAMES
    assert metadata["temperature"] is None and metadata["reject_threshold"] is None
