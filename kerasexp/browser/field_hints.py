"""What may be written under a key, from its JSON Schema: words, ranges for readers, and a domain to begin a search with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from kerasexp.config.section_base import KIND_KEYS
from kerasexp.config.yaml_text import yaml_line
from kerasexp.errors import listing

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "string": "a text",
}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
# How far around its value a number is searched.
FACTOR = 10


def words_of(options: Iterable[dict[str, Any]]) -> tuple[tuple[str, ...], bool]:
    """Return the values that can be listed, as YAML, and whether there are no others."""
    words, is_closed = [], True
    for option in options:
        if "enum" in option or "const" in option:
            words += [yaml_line(word) for word in option.get("enum", [option.get("const")])]
        elif option.get("type") == "boolean":
            words += ["true", "false"]
        elif option.get("type") == "null":
            words.append("null")
        else:
            is_closed = False
    return tuple(dict.fromkeys(words)), is_closed


def section_kinds(sections: Iterable[dict[str, Any]]) -> list[str]:
    """Return the words that name these sections; those of a user's functions have none."""
    found = []
    for section in sections:
        for key in KIND_KEYS:
            named = section.get("properties", {}).get(key, {})
            found += [word for option in named.get("anyOf", [named]) for word in _named(option)]
    return list(dict.fromkeys(found))


def _named(option: dict[str, Any]) -> list[str]:
    return option.get("enum", [option["const"]] if "const" in option else [])


def allowed_text(options: Iterable[dict[str, Any]]) -> str:
    """Return what may be written, such as `a number above 0, at most 100; null`."""
    return "; ".join(dict.fromkeys(text for option in options for text in _allowed(option)))


def _allowed(option: dict[str, Any]) -> Iterator[str]:
    if "enum" in option or "const" in option:
        yield listing(map(yaml_line, option.get("enum", [option.get("const")])), 60)
    elif "anyOf" in option:
        for inner in option["anyOf"]:
            yield from _allowed(inner)
    elif "properties" in option and option.get("additionalProperties") is not True:
        yield f"keys: {listing(option['properties'], 40)}"
    elif option.get("type") == "array":
        inner = "; ".join(_allowed(option.get("items", {})))
        least, most = option.get("minItems"), option.get("maxItems")
        count = f" of {least}" if least == most and least else f" of at least {least}" if least else ""
        yield f"a list{count}" + (f": {inner}" if inner else "")
    elif option.get("pattern", "").startswith(":"):
        yield "a function of yours: my_file.py:function"
    elif option.get("type") == "object" and "properties" not in option:
        yield "a mapping"
    elif option.get("type") in KINDS:
        bounds = ", ".join(f"{word} {_number(option[key])}" for key, word in BOUNDS.items() if key in option)
        yield f"{KINDS[option['type']]} {bounds}".strip()


def domain_text(value: Any, options: list[dict[str, Any]], words: tuple[str, ...]) -> str:
    """Return a domain around a value, as YAML on one line, for users to change; empty where there is nothing to begin with.

    Args:
        value: what the key has now.
        options: what it may be.
        words: all its values, if they can be listed.
    """
    kinds = {option.get("type"): option for option in options}
    if words == ("true", "false"):
        return "{bool: null}"
    if words:
        return f"{{choice: [{', '.join(words)}]}}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    is_number = is_number or (value is None and "string" not in kinds)
    if "integer" in kinds and is_number:
        least, most = kinds["integer"].get("minimum", 0), kinds["integer"].get("maximum", 2**31)
        low, high = max(least, int(value or least) // 2), min(most, max(int(value or least) * 2, least + 1))
        return f"{{int: [{low}, {high}]}}"
    if "number" in kinds and is_number:
        return _number_domain(float(value or 0), kinds["number"])
    return yaml_line({"choice": [value]}) if value not in (None, [], {}) else ""


def _number_domain(value: float, option: dict[str, Any]) -> str:
    highest = option.get("maximum", option.get("exclusiveMaximum"))
    if value > 0:
        high = value * FACTOR if highest is None or value * FACTOR < highest else (value + highest) / 2
        # Without the digits of binary fractions: 0.001 * 10.
        low, high = (float(f"{end:.6g}") for end in (value / FACTOR, high))
        return f"{{float: [{yaml_line(low)}, {yaml_line(high)}], sampling: log}}"
    return f"{{float: [0, {yaml_line(0.5 if highest is not None and highest <= 1 else 1.0)}]}}"


def _number(bound: float) -> str:
    return f"{bound:,.0f}" if abs(bound) >= 1000 else f"{bound:g}"
