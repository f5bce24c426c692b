"""The JSON Schema of an experiment, which editors use for completion and hints."""

from __future__ import annotations

from typing import Any

from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.config.experiment import Experiment
from kerasexp.config.model_section import Block
from kerasexp.config.search_section import SearchKeys
from kerasexp.config.section_base import members
from kerasexp.config.space_section import KINDS, SEARCH, DomainKeys
from kerasexp.config.study_section import StudyKeys

# Sections in which no value is searched for.
PLAIN_SECTIONS = ("Experiment", "Mlflow", "Ray", "Report", "Track", "Wandb")


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an experiment file.

    It allows what a file may have and the typed experiment does not: no `name`, which is then that of the file; `base`;
    short forms such as `optimizer: adam` for `{name: adam}`; the keys of a study or a search; domains in place of values.
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
    for definition in list(definitions.values()):
        definition["properties"] = _define_custom(definition["properties"], definitions)
    _describe_names(definitions)
    _allow_domains(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kerasexp experiment",
        "$ref": "#/$defs/Experiment",
        "$defs": definitions,
    }


def _define_custom(node: Any, definitions: dict[str, Any]) -> Any:
    """Return a part of a schema with a reference in place of each section of users' code, which gets one definition."""
    if isinstance(node, list):
        return [_define_custom(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _define_custom(value, definitions) for key, value in node.items()}
    if node.get("additionalProperties") is True and "name" in node.get("properties", {}):
        definitions[node["title"]] = node | {"required": ["name"]}
        return {"$ref": f"#/$defs/{node['title']}"}
    return node


def _describe_names(definitions: dict[str, Any]) -> None:
    """Describe the name of each member of a union by what the member is."""
    for definition in definitions.values():
        for value in definition["properties"].values():
            if isinstance(value.get("const"), str):
                value["description"] = definition["description"]


def _allow_domains(definitions: dict[str, Any]) -> None:
    """Let a domain stand for each value in the sections of an experiment, and give each block of a list a condition."""
    domain = {"$ref": "#/$defs/Domain"}
    for name, definition in definitions.items():
        if name not in PLAIN_SECTIONS:
            for key, full in definition["properties"].items():
                if "anyOf" in full:
                    full["anyOf"].append(domain)
                else:
                    description = full.pop("description", "")
                    definition["properties"][key] = {"description": description, "anyOf": [full, domain]}
    definitions["Domain"] = DomainKeys.model_json_schema(by_alias=True) | {
        "anyOf": [{"required": [kind]} for kind in KINDS]
    }
    for block in members(Block):
        definitions[block.__name__]["properties"]["when"] = definitions["Domain"]["properties"]["when"]
