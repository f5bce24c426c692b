"""The JSON Schema of an experiment, which editors use for completion and hints."""

from __future__ import annotations

from typing import Any

from kerasexp.config.experiment import Experiment
from kerasexp.config.study import StudyKeys


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an experiment file.

    It differs from the typed experiment where a file may say less: `name` comes from the file's name, `base` is allowed,
    and short forms such as `optimizer: adam` stand for mappings such as `{name: adam}`.
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
    experiment["properties"] |= StudyKeys.model_json_schema()["properties"]
    for section, key in (
        ("Training", "optimizer"),
        ("Training", "loss"),
        ("Training", "schedule"),
        ("Training", "decode"),
        ("Training", "checkpoint"),
        ("Data", "offline"),
    ):
        full = definitions[section]["properties"][key]
        definitions[section]["properties"][key] = {
            "description": full.pop("description", ""),
            "anyOf": [full, {"type": "string"}],
        }
    blocks, kind = definitions["Cnn"]["properties"]["blocks"], definitions["Block"]["properties"]["kind"]
    blocks["items"] = {"anyOf": [blocks["items"], {"type": "string", "enum": kind["enum"]}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kerasexp experiment",
        "$ref": "#/$defs/Experiment",
        "$defs": definitions,
    }
