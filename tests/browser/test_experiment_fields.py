"""The form of an experiment: each key with its description, default, allowed values and a domain; unions follow their word."""

from pathlib import Path

import pytest

from kerasexp.browser.experiment_fields import experiment_fields, shape_of
from kerasexp.config import load
from kerasexp.config.experiment_catalog import shipped_experiments
from kerasexp.config.experiment_keys import experiment_keys
from kerasexp.config.yaml_loading import with_base
from kerasexp.config.yaml_text import parse_yaml

RAW = {"name": "mine", "data": "digits", "model": {"name": "mlp", "units": [32]}, "training": {"optimizer": "sgd"}}


def fields_of(values, in_file=None):
    found = [each for top in experiment_fields(values, in_file or values) for each in top.all()]
    # The field of a section as a whole has the key of the section, and comes right after it.
    return {each.key: each for each in reversed(found)}


def test_every_key_of_an_experiment_is_in_the_form():
    assert {each.key for each in experiment_fields(RAW, RAW)} == experiment_keys() - {"base"}


def test_a_field_has_description_default_value_and_allowed_values():
    rate = fields_of(RAW)["training.optimizer.learning_rate"]
    assert rate.description.startswith("Learning rate") and rate.default == rate.value == rate.in_file == "0.001"
    assert rate.allowed == "a number above 0, at most 100" and rate.control == "text"
    shuffle = fields_of(RAW)["training.shuffle"]
    assert shuffle.control == "choice" and shuffle.words == ("true", "false") and shuffle.value == "true"
    assert fields_of(RAW)["seed"].allowed == "a whole number at least 0, below 2,147,483,648"


def test_the_keys_of_a_union_follow_its_word():
    names = {key for key in fields_of(RAW) if key.startswith("training.optimizer.")}
    assert "training.optimizer.momentum" in names and "training.optimizer.beta_1" not in names
    other = {**RAW, "training": {"optimizer": {"name": "adam"}}}
    assert "training.optimizer.beta_1" in fields_of(other)
    assert shape_of(experiment_fields(RAW, RAW)) != shape_of(experiment_fields(other, RAW))
    assert "model.units" in fields_of(RAW) and "model.blocks" not in fields_of(RAW)
    # Without a model it is the default one, with the items of its list.
    assert "model.blocks.1.filters" in fields_of({"name": "mine"})
    kind = fields_of(RAW)["training.optimizer.name"]
    assert (
        kind.words[:2] == ("adam", "adamw") and "sgd" in kind.words and kind.control == "choice" and kind.value == "sgd"
    )


def test_code_of_the_user_is_a_section_written_as_a_whole():
    fields = fields_of({**RAW, "model": {"name": "my_net.py:build", "width": 8}})
    assert fields["model.name"].value == "my_net.py:build" and fields["model.name"].control == "text"
    tops = experiment_fields({**RAW, "model": {"name": "my_net.py:build", "width": 8}}, RAW)
    model = next(each for each in tops if each.key == "model")
    assert model.whole.value == "{name: 'my_net.py:build', width: 8}"


@pytest.mark.parametrize(("values", "value"), [({}, "null"), ({"augmentation": {"rotation": 5}}, "{}")])
def test_a_section_may_be_nothing(values, value):
    tops = experiment_fields({**RAW, "data": {"source": "digits", **values}}, RAW)
    data = next(each for each in tops if each.key == "data")
    augmentation = next(each for each in data.fields if each.key == "data.augmentation")
    assert augmentation.whole.control == "choice" and augmentation.whole.value == value
    assert augmentation.whole.in_file == "null"
    rotation = next(each for each in augmentation.fields if each.name == "rotation")
    assert rotation.value == ("5" if values else "0") and rotation.in_file == "0"


def test_what_may_also_be_a_number_is_one():
    assert fields_of(RAW)["data.validation"].control == "text" and fields_of(RAW)["data.validation"].value == "0.1"
    folds = fields_of({**RAW, "data": {"source": "digits", "validation": {"folds": 4}}})
    assert folds["data.validation.folds"].value == "4"


def test_a_domain_begins_around_the_value():
    fields = fields_of({**RAW, "training": {"epochs": 6, "optimizer": {"learning_rate": 0.02}}})
    assert fields["training.optimizer.learning_rate"].domain == "{float: [0.002, 0.2], sampling: log}"
    assert fields["training.epochs"].domain == "{int: [3, 12]}"
    assert fields["training.shuffle"].domain == "{bool: null}"
    assert fields["training.precision"].domain.startswith("{choice: [auto, float32")
    # A seed is not searched, and of a text that is not there no values are known.
    assert fields["seed"].domain == "" and fields["data.path"].domain == ""
    searched = fields_of({**RAW, "training": {"epochs": {"int": [1, 4]}}})["training.epochs"]
    assert searched.is_domain and searched.value == "{int: [1, 4]}" and "{choice: [a, b]}" in searched.allowed


@pytest.mark.parametrize("key", ["training.optimizer.learning_rate", "training.batch_size", "training.optimizer.name",
                                 "model.units", "model.dropout", "training.fine_tune.unfreeze"])  # fmt: skip
def test_the_domains_that_are_offered_are_valid(key):
    Path("mine.yaml").write_text("data: digits\nmodel: mlp\n")
    domain = fields_of(with_base(Path("mine.yaml"), {}))[key].domain
    assert key in load("mine.yaml", [f"{key}={domain}"]).space.domains


def test_a_section_may_be_a_list_by_mistake_in_the_file():
    fields = fields_of({**RAW, "training": {"epochs": 3}}, {**RAW, "training": [1]})
    assert fields["training.epochs"].value == "3"


def test_a_list_has_one_item_more_or_less():
    blocks = [{"filters": 8}, {"kind": "mobile", "filters": 16}]
    field = fields_of({"name": "mine", "model": {"name": "cnn", "blocks": blocks}})["model.blocks"]
    assert field.control == "items" and [each.key for each in field.fields] == ["model.blocks.0", "model.blocks.1"]
    assert [len(parse_yaml(text)) for text in field.more] == [3, 1]


@pytest.mark.parametrize("name", shipped_experiments())
def test_every_shipped_experiment_has_a_form(name):
    raw = with_base(shipped_experiments()[name], {})
    fields = fields_of(raw)
    assert len(fields) > 100
    assert all(each.value in each.words for each in fields.values() if each.control == "choice")


@pytest.mark.parametrize("value", [None, [], {}, "x", 3, 0.5, float("nan"), True, [[1]], [None], [{}], {"name": 3}, {"kind": [1]},
                                   {"choice": [None]}, {"name": {"choice": ["a"]}}, {"name": "my.py:f"}])  # fmt: skip
def test_any_value_has_a_field(value):
    """Who writes a text may write anything on the way."""
    for section in ("data", "model", "training", "init", "search", "seed", "variants"):
        assert fields_of({**RAW, section: value}, RAW)[section]
    for key in ("optimizer", "loss", "schedule", "fine_tune", "epochs", "callbacks"):
        assert fields_of({**RAW, "training": {key: value}}, RAW)[f"training.{key}"]
    for key in ("blocks", "head", "name", "weights"):
        assert fields_of({**RAW, "model": {"name": "cnn", key: value}}, RAW)[f"model.{key}"]
