"""kerasexp.load: files, dictionaries, changes, and the text of errors."""

from pathlib import Path

import numpy as np
import pytest
from tiny import TINY

import kerasexp
from kerasexp.config import experiment_from, load_experiment
from kerasexp.config.yaml_text import parse_yaml

TINY_KEYS = parse_yaml(TINY)


def test_a_dictionary_is_what_its_file_is(tiny_yaml):
    from_file, from_keys = kerasexp.load(tiny_yaml), kerasexp.load({"name": "tiny", **TINY_KEYS})
    assert from_file == from_keys == load_experiment(tiny_yaml)
    assert from_keys.data.path == str(Path("images").resolve())
    assert kerasexp.load(str(tiny_yaml)) == from_file
    assert kerasexp.load(TINY_KEYS).name == "experiment"


def test_a_dictionary_has_bases_variants_and_domains(tiny_yaml):
    study = kerasexp.load({"base": "tiny.yaml", "seeds": (1, 2), "variants": {"a": {}, "b": {"training.epochs": 1}}})
    assert isinstance(study, kerasexp.Study) and study.name == "experiment"
    assert repr(study) == "<Study experiment: variants a, b; seeds 1, 2>"
    assert study.variants["b"].training.epochs == 1 and study.variants["a"].data.path == str(Path("images").resolve())
    search = kerasexp.load({"base": "tiny.yaml", "training": {"epochs": {"int": [1, 3]}}, "search": {"max_trials": 2}})
    assert isinstance(search, kerasexp.Search) and search.settings.max_trials == 2
    assert repr(search) == "<Search experiment: training.epochs: int from 1 to 3>"


def test_a_dictionary_is_not_changed_and_holds_numbers_of_numpy_and_paths(images):
    given = {"data": {"source": "image_folder", "path": images, "preprocessing": {"size": (np.int64(8), 8)}}}
    loaded = kerasexp.load(given, set={"seed": np.int64(3)})
    assert loaded.data.preprocessing.size == [8, 8] and loaded.seed == 3 and loaded.data.path == str(images)
    assert given["data"]["path"] is images


@pytest.mark.parametrize(
    "changes",
    [
        {
            "training.epochs": 5,
            "training.optimizer": {"name": "sgd", "learning_rate": 1e-5},
            "data.labels.select": ["disc", "no"],
        },
        [
            "training.epochs=5",
            "training.optimizer={name: sgd, learning_rate: 0.00001}",
            "data.labels.select=[disc, no]",
        ],
    ],
)
def test_keys_are_set_by_a_mapping_or_by_strings(changes):
    loaded = kerasexp.load(TINY_KEYS, set=changes)
    assert (loaded.training.epochs, loaded.training.optimizer.learning_rate) == (5, 1e-5)
    assert loaded.data.labels.select == ["disc", "no"]


def test_an_experiment_is_changed_into_another(tiny_yaml):
    first = kerasexp.load(tiny_yaml)
    other = kerasexp.load(first, set={"training.epochs": 9, "name": "other"})
    assert (first.training.epochs, other.training.epochs, other.name) == (3, 9, "other")
    assert other.model == first.model and kerasexp.load(first) is first
    with pytest.raises(kerasexp.UserError, match="set: is for a study that is being read"):
        kerasexp.load(kerasexp.load({**TINY_KEYS, "seeds": [1]}), set={"training.epochs": 1})


def test_errors_have_the_text_of_the_command_line(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.epoch=3")
    with pytest.raises(kerasexp.UserError) as error:
        kerasexp.load(tiny_yaml, set={"training.epoch": 3})
    assert f"error: {error.value}\n" == answer.err and "did you mean 'epochs'?" in answer.err


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"modl": "cnn"}, "<dict>: modl: unknown key 'modl'; did you mean 'model'?"),
        ({"base": "nix.yaml"}, "<dict>: base: no such file: 'nix.yaml'"),
        ({3: 4}, "<dict>: 3: the key 3 is not a string"),
        ({"training": {"epochs": {1}}}, "<dict>: training.epochs: got {1}"),
        ("nix.yaml", "nix.yaml: no such file"),
        (3, "experiment: got int; a YAML file, a dictionary or an experiment is needed here"),
    ],
)
def test_bad_experiments_are_refused(given, text):
    with pytest.raises(kerasexp.UserError) as error:
        kerasexp.load(given)
    assert str(error.value).startswith(text)


@pytest.mark.parametrize("changes", ["training.epochs=1", [3], 3, {"training.epochs": object()}])
def test_bad_changes_are_refused(changes):
    with pytest.raises(kerasexp.UserError, match="^set: "):
        kerasexp.load({}, set=changes)


def test_a_notebook_shows_the_keys_that_are_not_the_default():
    loaded = kerasexp.load({"data": "digits", "training": {"epochs": 2, "optimizer": {"name": "sgd"}}})
    assert parse_yaml(loaded._repr_html_().removeprefix("<pre>").removesuffix("</pre>")) == {
        "name": "experiment",
        "data": {"source": "digits"},
        "training": {"epochs": 2, "optimizer": {"name": "sgd"}},
    }
    assert experiment_from(loaded.changed()) == loaded


def test_a_notebook_shows_the_message_of_an_error_alone():
    assert kerasexp.UserError("file: key: wrong")._render_traceback_() == ["UserError: file: key: wrong"]
