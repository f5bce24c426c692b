"""The JSON Schema of an experiment, and that every name in it has something behind it."""

import json
from typing import get_args

import pytest

from kerasexp.config import data_section as data
from kerasexp.config import decode_section as decode
from kerasexp.config import loss_section as loss
from kerasexp.config import model_section as model
from kerasexp.config import optimizer_section as optimizer
from kerasexp.config import schedule_section as schedule
from kerasexp.config.code_reference import GROUPS
from kerasexp.config.experiment import Experiment
from kerasexp.config.schema import experiment_schema
from kerasexp.config.section_base import ShortForm, is_section, members, short_forms, tags


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


def test_the_schema_refuses_unknown_keys_everywhere_but_in_code_of_users_whose_keys_are_its_own():
    allowing = {name for name, d in experiment_schema()["$defs"].items() if d["additionalProperties"] is not False}
    assert allowing == {f"Custom{kind.title()}" for kind in GROUPS}


def test_a_file_need_not_give_its_name_and_may_have_a_base():
    experiment = experiment_schema()["$defs"]["Experiment"]
    assert experiment["required"] == []
    assert experiment["properties"].keys() == {
        *(*Experiment.model_fields, "base"),
        *("variants", "seeds", "search", "executor", "ray"),
    }


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ("Training", "optimizer", tags(optimizer.Optimizer)),
        ("Training", "loss", tags(loss.Loss)),
        ("Training", "schedule", tags(schedule.Schedule)),
        ("Training", "decode", tags(decode.Decode)),
        ("Training", "checkpoint", ["best", "last"]),
        ("Training", "fine_tune", None),
        ("Data", "offline", list(get_args(data.SourceName))),
        ("Data", "test", list(get_args(data.SourceName))),
    ],
)
def test_short_forms_are_in_the_schema(section, key, words):
    forms = experiment_schema()["$defs"][section]["properties"][key]["anyOf"]
    word = {"type": "string"} if words is None else {"type": "string", "enum": words}
    assert word in forms and {"$ref": "#/$defs/Domain"} in forms


def test_the_schema_has_every_short_form():
    properties = {key: value for d in experiment_schema()["$defs"].values() for key, value in d["properties"].items()}
    for key in short_forms(Experiment):
        forms = [part for part in objects(properties[key]) if part.get("type") == "string"]
        assert forms, key


def test_every_section_with_a_name_takes_a_plain_word():
    """The name of the experiment itself is none that a section is chosen by."""
    for section in sections(Experiment):
        for key, field in section.model_fields.items():
            named = [kind for kind in members(field.annotation) if is_section(kind) and tags(kind)]
            assert not named or any(isinstance(note, ShortForm) for note in field.metadata), f"{section.__name__}.{key}"


def sections(section: type) -> list[type]:
    """The classes of sections within one."""
    found = [section]
    for owner in found:
        kinds = [kind for field in owner.model_fields.values() for kind in members(field.annotation)]
        found += [kind for kind in kinds if is_section(kind) and kind not in found]
    return found


def test_the_schema_accepts_what_the_loader_accepts():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(experiment_schema())
    for experiment in (
        {},
        {"base": "b.yaml", "training": {"optimizer": "sgd", "epochs": 3}},
        {"data": {"offline": "digits", "validation": {"folds": 3}}},
        {"model": {"name": "cnn", "blocks": [{"filters": 4}]}},
        {"model": {"name": "cnn", "blocks": ["conv", {"kind": "mobile"}, "inverted_residual"]}},
        {"init": {"experiment": "up.yaml"}},
        {"model": "net.py:build", "metrics": ["m.py:kappa", {"name": "package.module:mean", "over": 3}]},
        {"model": {"name": "net.py:build", "width": {"int": [1, 9]}}, "training": {"loss": {"name": "l.py:f", "e": 1}}},
        {"data": {"source": {"name": "s.py:load", "rows": 9}, "augmentation": {"layers": ["a.py:f"]}}},
        {"data": "s.py:load", "training": {"callbacks": ["c.py:Watch"], "loss": "l.py:f"}},
        {"data": "mnist", "model": "mlp", "runtime": "all", "training": {"fine_tune": "head", "decode": "argmin"}},
        {
            "data": {"test": "mnist"},
            "training": {"optimizer": {"name": "sgd", "momentum": 0.9}, "loss": {"tau": 1.0, "name": "logit_adjusted"}},
        },
        {"training": {"optimizer": {"name": {"choice": ["adam", "sgd"]}}, "schedule": {}}},
        {"model": {"name": "cnn", "head": {"svm": {"C": 1}, "knn": {"k": [1, 5]}}}},
        {"model": {"name": "resnet50", "head": {"zero_shot": {"outputs": {"a": [1, "3-5"], "b": []}}}}},
        {"training": {"optimizer": {"learning_rate": {"float": [0.001, 0.1], "sampling": "log"}}}},
        {"model": {"name": "cnn", "blocks": [{"filters": {"int": [4, 8]}, "when": {"depth": [2, 3]}}]}},
        {
            "search": {"algorithm": "grid", "variables": {"depth": {"int": [1, 2]}}},
            "executor": "ray",
            "ray": {"cpus": 2},
        },
    ):
        validator.validate(experiment)
    for experiment in (
        {"training": {"epochs": 0}},
        {"trainning": {}},
        {"model": {"name": "mlp", "blocks": []}},
        {"model": {"name": "cnn", "blocks": ["convolution"]}},
        {"data": {"source": "mnits"}},
        {"data": "mnits"},
        {"model": "mpl"},
        {"training": {"optimizer": "adamm"}},
        {"training": {"optimizer": {"momentum": 0.9}}},
        {"training": {"optimizer": {"name": "adam", "momentum": 0.9}}},
        {"training": {"loss": {"name": "scl_nl", "triplet": {}}}},
        {"training": {"checkpoint": {"mode": "max"}}},
        {"model": {"name": "cnn", "blocks": [{"expansion": 6}]}},
        {"model": {"units": [3]}},
        {"training": {"epochs": {"integer": [1, 2]}}},
        {"search": {"algorithm": "best"}},
        {"executor": "slurm"},
    ):
        assert not validator.is_valid(experiment), experiment


def test_every_source_name_has_a_loader():
    from kerasexp.data.sources import SOURCES

    assert set(get_args(data.SourceName)) == SOURCES.keys()


def test_every_name_of_a_union_has_something_behind_it_and_nothing_else_is_registered():
    from kerasexp.losses import LOSSES, MULTI_LABEL_LOSSES
    from kerasexp.models import MODELS
    from kerasexp.models.decoding_layer import DECODINGS
    from kerasexp.training.optimizers import OPTIMIZERS
    from kerasexp.training.schedules import SCHEDULES

    for union, registry in (
        (model.Model, MODELS),
        (optimizer.Optimizer, OPTIMIZERS),
        (schedule.Schedule, SCHEDULES),
        (loss.Loss, LOSSES | MULTI_LABEL_LOSSES),
        (decode.Decode, DECODINGS),
    ):
        assert set(tags(union)) == registry.keys()


@pytest.mark.parametrize(
    "union", [model.Model, optimizer.Optimizer, schedule.Schedule, loss.Loss, decode.Decode, model.Block]
)
def test_every_member_of_a_union_has_a_name_of_its_own(union):
    words = [word for member in members(union) for word in tags(member)]
    assert len(set(words)) == len(words) and all(tags(member) for member in members(union))
