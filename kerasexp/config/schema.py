"""The JSON Schema of an experiment, which editors use for completion and hints."""

from __future__ import annotations

from typing import Any

from kerasexp.config.execution import ExecutionKeys
from kerasexp.config.experiment import Experiment
from kerasexp.config.head import RANGE
from kerasexp.config.search import SearchKeys
from kerasexp.config.space import KINDS, SEARCH, DomainKeys
from kerasexp.config.study import StudyKeys

# Sections in which no value is searched for.
PLAIN_SECTIONS = ("Experiment", "Ray", "Report")


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an experiment file.

    It differs from the typed experiment where a file may say less: `name` comes from the file's name, `base` is allowed,
    and short forms such as `optimizer: adam` stand for mappings such as `{name: adam}`; and where it may say more: what
    makes a study or a search of it, domains in place of values among that.
    """
    schema = Experiment.model_json_schema()
    # An experiment refers to itself through `init`, so pydantic puts it among the definitions.
    definitions = schema["$defs"]
    experiment = definitions["Experiment"]
    experiment["required"] = []
    experiment["properties"]["base"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "A YAML file, or several, whose keys this one inherits.",
    }
    for keys in (StudyKeys, ExecutionKeys):
        added = keys.model_json_schema()
        experiment["properties"] |= added["properties"]
        definitions |= added.get("$defs", {})
    experiment["properties"][SEARCH] = SearchKeys.model_json_schema()
    for section, key, short in (
        ("Training", "optimizer", "string"),
        ("Training", "loss", "string"),
        ("Training", "schedule", "string"),
        ("Training", "decode", "string"),
        ("Training", "checkpoint", "string"),
        ("Training", "fine_tune", "string"),
        ("Data", "offline", "string"),
        ("Svm", "C", "number"),
        ("LogisticRegression", "C", "number"),
        ("NearestNeighbours", "k", "integer"),
    ):
        full = definitions[section]["properties"][key]
        definitions[section]["properties"][key] = {
            "description": full.pop("description", ""),
            "anyOf": [full, {"type": short}],
        }
    outputs = definitions["ZeroShot"]["properties"]["outputs"]["additionalProperties"]
    outputs["items"] = {"anyOf": [outputs["items"], {"type": "string", "pattern": RANGE.pattern}]}
    blocks, kind = definitions["Cnn"]["properties"]["blocks"], definitions["Block"]["properties"]["kind"]
    blocks["items"] = {"anyOf": [blocks["items"], {"type": "string", "enum": kind["enum"]}]}
    _allow_domains(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kerasexp experiment",
        "$ref": "#/$defs/Experiment",
        "$defs": definitions,
    }


def _allow_domains(definitions: dict[str, Any]) -> None:
    """Let a domain stand for each value in the sections of an experiment, and a condition beside each part of a list."""
    domain = {"$ref": "#/$defs/Domain"}
    for name, definition in definitions.items():
        if name not in PLAIN_SECTIONS:
            for key, full in definition["properties"].items():
                if "anyOf" in full:
                    full["anyOf"].append(domain)
                elif "const" not in full:
                    description = full.pop("description", "")
                    definition["properties"][key] = {"description": description, "anyOf": [full, domain]}
    definitions["Domain"] = DomainKeys.model_json_schema(by_alias=True) | {
        "anyOf": [{"required": [kind]} for kind in KINDS]
    }
    definitions["Block"]["properties"]["when"] = definitions["Domain"]["properties"]["when"]
