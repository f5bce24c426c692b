"""Hostile checkpoints: each is refused with a reason, at once and in little memory, and no code in it is run."""

import pickle
import re
from pathlib import Path

import attacks_on_archives  # noqa: F401 - registers its attacks
import attacks_on_graphs  # noqa: F401
import attacks_on_layers  # noqa: F401
import pytest
from attacks import ATTACKS, Payload
from bounds import at_once_and_in_little_memory
from model_files import ModelFile

from kerasexp.errors import UserError
from kerasexp.saving.checkpoint import load_checkpoint


@pytest.fixture
def hostile(tmp_path):
    """Return a function that creates the checkpoint folder of an attack by its name."""

    def make(name: str) -> Path:
        file = ModelFile()
        ATTACKS[name][0](file)
        return file.save(tmp_path / name)

    return make


def test_the_file_that_the_attacks_change_is_accepted(tmp_path):
    folder = ModelFile().save(tmp_path / "checkpoint")
    with at_once_and_in_little_memory():
        assert load_checkpoint(folder).class_names == ["a", "b", "c"]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_no_code_in_it_is_run(hostile, name):
    folder = hostile(name)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(ATTACKS[name][1])) as refusal:
        load_checkpoint(folder)
    assert str(folder / "model.keras") in str(refusal.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("name", ["a_lambda_layer", "a_huge_dense_layer", "weights_in_another_file", "two_configs"])
def test_the_commands_report_it_in_one_message(cli, hostile, images, name):
    folder = hostile(name)
    for command in (("predict", folder, "images"), ("evaluate", folder, "--data", "digits")):
        answer = cli(*command)
        assert answer.code == 2 and ATTACKS[name][1] in answer.err and "Traceback" not in answer.err
    assert not Path("executed").exists()


def test_no_variable_of_a_refused_model_is_created_later(tmp_path, hostile):
    """Keras creates deferred variables as soon as it can; those of a huge layer must never be created."""
    with pytest.raises(UserError):
        load_checkpoint(hostile("a_huge_dense_layer"))
    with at_once_and_in_little_memory():
        load_checkpoint(ModelFile().save(tmp_path / "checkpoint"))


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model.PKL", "model.pt", "saved", "other.keras"])
def test_a_model_in_another_format_is_refused(cli, images, name):
    if name == "saved":
        Path(name).mkdir()
        Path("saved/saved_model.pb").touch()
    else:
        Path(name).write_bytes(pickle.dumps(Payload()))
    answer = cli("predict", name, "images")
    assert answer.code == 2 and "a folder with model.keras, classes.json and preprocessing.json" in answer.err
    assert ("can run code" in answer.err) == (name != "other.keras")
    assert not Path("executed").exists()
