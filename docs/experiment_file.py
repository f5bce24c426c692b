"""The reference of the experiment file: every key with its values, its default and its meaning, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from kerasexp.config.schema import experiment_schema

INTRODUCTION = """\
# The experiment file

An experiment is one YAML file. Every key has a default, so a file holds only what differs. `show FILE` prints it with every default
written out, `check FILE` lists every mistake in it, and `--set training.epochs=2` changes a key on the command line.

A link in a table leads to a section with keys of its own. The heading `model: mlp` is the section `model` with `name: mlp`; of a
block, `kind` is the name. `your own` is [code of yours](extending.md#your-own-code-without-a-fork), whose keyword arguments are
further keys. A section takes a plain word where its defaults will do: `optimizer: adam` is `optimizer: {name: adam}`.
In a [search](search-and-cluster.md), a [domain](#domain) may stand in place of a value.
[Writing an experiment](writing-experiments.md) shows the keys in use.

This page is generated: `python docs/experiment_file.py > docs/experiment-file.md`.
"""
DOMAIN = "#/$defs/Domain"
TYPES = {"boolean": "true, false", "integer": "whole number", "number": "number", "string": "text", "null": "null"}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "and below"}
MISSING = object()
# Sections that several names may have are headed by these names, or if they are more, by the first and their count.
MOST_IN_HEADING = 2
# The heading of sections that name a user's own code.
CUSTOM = "your own"


class _Section(NamedTuple):
    """A section of the file.

    Attributes:
        title: its dotted key, and the name where several kinds of section share the key.
        schema: its JSON Schema.
        position: of its key in the file, for the order of the page.
    """

    title: str
    schema: dict[str, Any]
    position: tuple[int, ...]

    @property
    def link(self) -> str:
        anchor = re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")
        return f"[{self.title.rpartition(': ')[2]}](#{anchor})"


def experiment_reference() -> str:
    """Return the reference of the experiment file as Markdown: one heading and one table for each section."""
    sections = _sections(experiment_schema())
    parts = [INTRODUCTION]
    for section in sorted(sections.values(), key=lambda section: section.position):
        parts.append(f"## {section.title}\n\n{_cell(section.schema['description'])}\n")
        if rows := "\n".join(_rows(section.schema, sections)):
            parts.append(f"| key | values | default | meaning |\n|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _sections(schema: dict[str, Any]) -> dict[str, _Section]:
    """Return every section by its reference; one that several keys may hold has the shortest of these keys."""
    definitions, found = schema["$defs"], {}
    waiting: list[tuple[tuple[int, ...], str, dict]] = [((), "", {"$ref": schema["$ref"]})]
    for position, key, value in waiting:
        for number, option in enumerate(_options(value)):
            reference, place = option.get("$ref", key), (*position, number)
            section = definitions[reference.rpartition("/")[2]] if "$ref" in option else option
            if "properties" in section and reference not in found:
                name = next((word for key, inner in section["properties"].items() if (word := _kind(key, inner))), None)
                name = name or next(filter(None, map(_kinds, section["properties"].items())), None)
                if section.get("additionalProperties") is True:
                    name = CUSTOM
                found[reference] = _Section(f"{key}: {name}" if name else key or "experiment", section, place)
                for index, (own, inner) in enumerate(section["properties"].items()):
                    waiting.append(((*place, index), f"{key}.{own}".lstrip("."), inner))
            inside = (section.get("items"), section.get("additionalProperties"))
            waiting += [(place, key, inner) for inner in inside if isinstance(inner, dict)]
    found[DOMAIN] = _Section("domain", definitions["Domain"], (len(waiting),))
    return found


def _kind(key: str, schema: dict[str, Any]) -> str | None:
    """Return the word that tells a section from others with the same key; None for a key that does not hold it."""
    words = (option.get("const") for option in _options(schema))
    return next(filter(None, words), None) if key in ("name", "kind") else None


def _kinds(key_and_schema: tuple[str, dict[str, Any]]) -> str | None:
    """Return the heading of a section that several names may have; its table lists them."""
    key, schema = key_and_schema
    words = [word for option in _options(schema) for word in option.get("enum", ())] if key == "name" else []
    return " or ".join(words) if len(words) <= MOST_IN_HEADING else f"{words[0]} and {len(words) - 1} others"


def _options(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas of which a value satisfies one; a domain, which may stand for any value, is left out."""
    alternatives = schema.get("anyOf", schema.get("oneOf"))
    if alternatives is None or "properties" in schema:
        if schema.get("$ref") != DOMAIN:
            yield schema
        return
    for alternative in alternatives:
        yield from _options(alternative)


def _rows(section: dict[str, Any], sections: dict[str, _Section]) -> Iterator[str]:
    """Yield a row for each key; the name that the heading holds already has none."""
    for key, value in section["properties"].items():
        if _kind(key, value) is None:
            values = sections[key].link if "properties" in value else _values(value, sections)
            default = "required" if key in section.get("required", ()) else _default(value, sections)
            yield f"| `{key}` | {_cell(values)} | {_cell(default)} | {_cell(value.get('description', ''))} |"


def _values(schema: dict[str, Any], sections: dict[str, _Section]) -> str:
    options = list(_options(schema))
    named = [option["$ref"] for option in options if "$ref" in option]
    # The plain words that stand for sections are the names of these; code has a section, and words beside it their own meaning.
    left_out = {"pattern"} if named else set()
    if any(sections[reference].schema.get("additionalProperties") is not True for reference in named):
        left_out.add("enum")
    options = [option for option in options if not left_out & option.keys()]
    return " or ".join(dict.fromkeys(_value(option, sections) for option in options))


def _value(option: dict[str, Any], sections: dict[str, _Section]) -> str:
    """Return in words what one option allows."""
    if "$ref" in option:
        return sections[option["$ref"]].link
    if "const" in option or "enum" in option:
        words = option.get("enum", [option.get("const")])
        return ", ".join(f"`{word if isinstance(word, str) else _yaml(word)}`" for word in words)
    kind, inner = option.get("type"), option.get("additionalProperties")
    if kind == "array":
        few, many = option.get("minItems"), option.get("maxItems")
        return f"list of {f'{few}: ' if few and few == many else ''}{_values(option['items'], sections)}"
    if kind == "object":
        return f"mapping from name to {_values(inner, sections)}" if isinstance(inner, dict) else "mapping"
    bounds = [f"{word} {option[bound]:,}" for bound, word in BOUNDS.items() if bound in option]
    return " ".join([TYPES.get(kind, "any value"), *bounds])


def _default(schema: dict[str, Any], sections: dict[str, _Section]) -> str:
    """Return the default as YAML; empty where it is a section with the defaults of its own table."""
    value = _default_value(schema)
    if isinstance(value, dict) and value:
        value = value.get("name", MISSING)
    if isinstance(value, list):
        # Of the sections in a list, only what differs from their own defaults.
        items = [item for array in _options(schema) for item in _options(array.get("items", {}))]
        for usual in (sections[item["$ref"]].schema["properties"] for item in items if "$ref" in item):
            value = [{k: v for k, v in part.items() if v != _default_value(usual[k])} for part in value]
    return "" if value is MISSING else f"`{_yaml(value)}`"


def _default_value(schema: dict[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    inner = map(_default_value, schema.get("anyOf", schema.get("oneOf", [])))
    return next((value for value in inner if value is not MISSING), MISSING)


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(experiment_reference(), end="")
