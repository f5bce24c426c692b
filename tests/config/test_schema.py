"""The JSON Schema of an experiment, and that every name in it has something behind it."""

import json
from typing import get_args

import pytest

from kerasexp.config import data, model, training
from kerasexp.config.experiment import Experiment
from kerasexp.config.schema import experiment_schema


def objects(schema: object):
    """Every mapping within a schema."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_the_schema_is_json_and_its_references_lead_somewhere():
    schema = json.loads(json.dumps(experiment_schema(), allow_nan=False))
    references = [part["$ref"] for part in objects(schema) if isinstance(part.get("$ref"), str)]
    assert "#/$defs/Data" in references
    assert {reference.removeprefix("#/$defs/") for reference in references} <= schema["$defs"].keys()


def test_every_key_has_a_description():
    undescribed = [
        f"{name}.{key}"
        for name, definition in experiment_schema()["$defs"].items()
        for key, value in definition["properties"].items()
        if not value.get("description", "").strip()
    ]
    assert undescribed == []


def test_the_schema_refuses_unknown_keys_everywhere():
    assert all(d["additionalProperties"] is False for d in experiment_schema()["$defs"].values())


def test_a_file_need_not_give_its_name_and_may_have_a_base():
    experiment = experiment_schema()["$defs"]["Experiment"]
    assert experiment["required"] == []
    assert experiment["properties"].keys() == {
        *(*Experiment.model_fields, "base"),
        *("variants", "seeds", "search", "executor", "ray"),
    }


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("Training", "optimizer"),
        ("Training", "loss"),
        ("Training", "schedule"),
        ("Training", "checkpoint"),
        ("Data", "offline"),
    ],
)
def test_short_forms_are_in_the_schema(section, key):
    forms = experiment_schema()["$defs"][section]["properties"][key]["anyOf"]
    assert {"type": "string"} in forms and {"$ref": "#/$defs/Domain"} in forms and len(forms) == 3


def test_the_schema_judges_as_the_loader_does():
    jsonschema = pytest.importorskip("jsonschema")
    judge = jsonschema.Draft202012Validator(experiment_schema())
    for experiment in (
        {},
        {"base": "b.yaml", "training": {"optimizer": "sgd", "epochs": 3}},
        {"data": {"offline": "digits", "validation": {"folds": 3}}},
        {"model": {"name": "cnn", "blocks": [{"filters": 4}]}},
        {"model": {"name": "cnn", "blocks": ["conv", {"kind": "mobile"}, "inverted_residual"]}},
        {"init": {"experiment": "up.yaml"}},
        {"training": {"optimizer": {"learning_rate": {"float": [0.001, 0.1], "sampling": "log"}}}},
        {"model": {"name": "cnn", "blocks": [{"filters": {"int": [4, 8]}, "when": {"depth": [2, 3]}}]}},
        {
            "search": {"algorithm": "grid", "variables": {"depth": {"int": [1, 2]}}},
            "executor": "ray",
            "ray": {"cpus": 2},
        },
    ):
        judge.validate(experiment)
    for experiment in (
        {"training": {"epochs": 0}},
        {"trainning": {}},
        {"model": {"name": "mlp", "blocks": []}},
        {"model": {"name": "cnn", "blocks": ["convolution"]}},
        {"data": {"source": "mnits"}},
        {"training": {"epochs": {"integer": [1, 2]}}},
        {"search": {"algorithm": "best"}},
        {"executor": "slurm"},
    ):
        assert not judge.is_valid(experiment), experiment


def test_every_source_name_has_a_loader():
    from kerasexp.data.sources import SOURCES

    assert set(get_args(data.SourceName)) == SOURCES.keys()


def test_every_model_name_has_a_builder():
    from kerasexp.models import MODELS

    members = get_args(get_args(model.Model)[0])
    assert {member.model_fields["name"].default for member in members} == MODELS.keys()


def test_every_optimizer_name_has_an_optimizer():
    from kerasexp.training.optimizers import OPTIMIZERS

    assert set(get_args(training.Optimizer.model_fields["name"].annotation)) == OPTIMIZERS.keys()


def test_every_loss_name_has_a_loss():
    from kerasexp.losses import LOSSES

    assert set(get_args(training.Loss.model_fields["name"].annotation)) == LOSSES.keys()
