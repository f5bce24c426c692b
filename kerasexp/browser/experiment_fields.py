"""The keys of an experiment as fields of a form, from the JSON Schema and the values that a file gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from kerasexp.browser.field_hints import allowed_text, domain_text, section_kinds, words_of
from kerasexp.config.schema import experiment_schema
from kerasexp.config.section_base import KIND_KEYS
from kerasexp.config.space_section import is_domain
from kerasexp.config.yaml_merging import SHORT_FORMS
from kerasexp.config.yaml_text import yaml_line

ABSENT = object()
# The keys of the section that a nullable one becomes when it is switched on: its defaults.
ON, OFF = "{}", "null"
# A longer value has a field of several lines.
LONGEST_LINE = 60
DOMAINS = "a domain: {float: [0.0001, 0.01], sampling: log}, {int: [1, 8]}, {choice: [a, b]} or {bool: null}"
# Kinds of a section in the domain that is offered: a search over many networks takes long.
MOST_KINDS = 4
# Upstream experiments have files of their own; bases are read before any key is set.
PLAIN, LEFT_OUT = ("init.experiment",), ("base",)


@dataclass(frozen=True)
class ExperimentField:
    """A key of an experiment.

    Attributes:
        key: dotted.
        description: what the key is for.
        control: choice, text, long (a text of several lines), group (a section) or items (a list of sections).
        value: what it has now, as YAML on one line.
        in_file: what the chosen file gives it; both are the default where nothing is given.
        default: as YAML on one line; None if the key is required.
        allowed: what may be written, for readers.
        words: the values of a choice, or suggestions for a text.
        domain: a domain that may stand in place of the value; empty if none may.
        is_domain: whether one stands there now.
        whole: of a section, the field of the section as a whole, such as null; None if there is no such value.
        fields: of a section or a list, its keys or items.
        more: of a list, what it is with one item more, and with one less; the latter is empty for an empty list.
    """

    key: str
    description: str = ""
    control: str = "text"
    value: str = ""
    in_file: str = ""
    default: str | None = None
    allowed: str = ""
    words: tuple[str, ...] = ()
    domain: str = ""
    is_domain: bool = False
    whole: ExperimentField | None = None
    fields: tuple[ExperimentField, ...] = ()
    more: tuple[str, str] = field(default=("", ""))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    def all(self) -> Iterator[ExperimentField]:
        """Yield this field and all below it."""
        yield self
        for each in (*((self.whole,) if self.whole else ()), *self.fields):
            yield from each.all()


def experiment_fields(values: Mapping[str, Any], in_file: Mapping[str, Any]) -> list[ExperimentField]:
    """Return the keys of an experiment, in the order of the reference.

    Args:
        values: what the keys have now: those of a file, bases merged in, and the changes.
        in_file: what they have in the file alone.
    """
    schema = _schema()
    properties = _resolved(schema, schema)["properties"]
    return [_field(key, key, node, values, in_file) for key, node in properties.items() if key not in LEFT_OUT]


def shape_of(fields: list[ExperimentField]) -> str:
    """Return a digest of which fields there are; a page whose form has it needs no other form."""
    parts = (f"{each.key} {each.control} {each.is_domain} {len(each.fields)}" for top in fields for each in top.all())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _schema() -> dict[str, Any]:
    return experiment_schema()


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of the schema refers to."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _alternatives(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a key may be, references resolved, unions within unions too."""
    for option in node.get("anyOf") or node.get("oneOf") or [node]:
        resolved = _resolved(option, _schema())
        if "anyOf" in resolved and "properties" not in resolved:
            yield from _alternatives(resolved)
        else:
            yield resolved


def _field(key: str, name: str, node: dict[str, Any], values: Any, in_file: Any) -> ExperimentField:
    """Return the field of a key.

    Args:
        key: dotted.
        name: its last part, or the position of an item.
        node: its part of the schema.
        values, in_file: the mapping or the list that it is in, now and in the file.
    """
    options = list(_alternatives(node))
    default = next((part["default"] for part in (node, *options) if "default" in part), ABSENT)
    has_domain = any(option.get("title") == "DomainKeys" for option in options)
    options = [option for option in options if option.get("title") != "DomainKeys"]
    has_sections = key not in PLAIN and any("properties" in option for option in options)
    now, before = (_held(mapping, name, default, key if has_sections else None) for mapping in (values, in_file))
    value = _text(now)
    made = ExperimentField(
        key,
        node.get("description") or next((option.get("description", "") for option in options), ""),
        value=value,
        in_file=value if before is now else _text(before),
        default=None if default is ABSENT else value if default is now else _text(default),
        allowed=allowed_text(options),
        is_domain=is_domain(now),
    )
    if made.is_domain:
        return replace(made, control="long", domain=made.value, allowed=DOMAINS)
    sections = [] if key in PLAIN else [option for option in options if "properties" in option]
    if own := [each for each in sections if each.get("additionalProperties") is not True]:
        others = [option for option in options if "properties" not in option]
        if isinstance(now, dict) or not _is_scalar(now):
            return _group(made, own, sections, others, now, before)
    items = next((option["items"] for option in options if option.get("type") == "array" and "items" in option), None)
    if items is not None and isinstance(now, list) and section_kinds(_alternatives(items)):
        return _items(made, items, now, before)
    return _leaf(made, options, now if has_domain else ABSENT)


def _held(mapping: Any, name: str, default: Any, section: str | None) -> Any:
    """Return what a mapping or a list has, or the default; a word that stands for a `section` becomes the section."""
    if isinstance(mapping, list):
        found = mapping[int(name)] if name.isdecimal() and int(name) < len(mapping) else default
    else:
        found = mapping.get(name, default) if isinstance(mapping, Mapping) else default
    if section is None or name == "source":
        return found
    form = SHORT_FORMS.get(next(part for part in reversed(section.split(".")) if not part.isdecimal()))
    return found if form is None else form.in_full(found)


def _text(value: Any) -> str:
    return "" if value is ABSENT else yaml_line(value)


def _is_scalar(value: Any) -> bool:
    """Return whether a value is written in place of a section: neither null nor nothing."""
    return value is not ABSENT and value is not None and not isinstance(value, dict)


def _leaf(made: ExperimentField, options: list[dict[str, Any]], now: Any) -> ExperimentField:
    words, is_closed = words_of(options)
    is_mapping = any(option.get("type") == "object" and "properties" not in option for option in options)
    long = is_mapping or len(made.value) > LONGEST_LINE
    control = "choice" if is_closed and made.value in words else "long" if long else "text"
    domain = "" if now is ABSENT else domain_text(now, options, words if is_closed else ())
    return replace(made, control=control, words=words, domain=domain)


def _group(
    made: ExperimentField,
    own: list[dict[str, Any]],
    sections: list[dict[str, Any]],
    others: list[dict[str, Any]],
    now: Any,
    before: Any,
) -> ExperimentField:
    """Return the field of a section: of several, the one that its word names."""
    kind_key, chosen = _chosen(made, own, sections, now)
    fields = []
    for key, node in chosen["properties"].items():
        child = _field(f"{made.key}.{key}", key, node, now if isinstance(now, dict) else {}, before)
        fields.append(_kind(child, section_kinds(own), len(sections) == len(own)) if key == kind_key else child)
    whole = None
    if chosen.get("additionalProperties") is True:
        whole = replace(made, control="long", description="All keys together, those of your own function too.")
    elif any(option.get("type") == "null" for option in others) and len(others) == 1:
        whole = replace(made, control="choice", words=(OFF, ON), value=OFF if now is None or now is ABSENT else ON)
        whole = replace(whole, in_file=OFF if before is None or before is ABSENT else ON, default=None)
    elif [option for option in others if "const" not in option and "enum" not in option and "pattern" not in option]:
        whole = replace(made, control="text", words=words_of(others)[0], description="The section as a whole.")
    return replace(made, control="group", whole=whole, fields=tuple(fields))


def _chosen(
    made: ExperimentField, own: list[dict[str, Any]], sections: list[dict[str, Any]], now: Any
) -> tuple[str | None, dict[str, Any]]:
    """Return the key whose word distinguishes several sections, None for one, and the section that it names."""
    if len(sections) == 1:
        return None, sections[0]
    key = next((key for key in KIND_KEYS if all(key in each["properties"] for each in own)), None)
    word = now.get(key) if isinstance(now, dict) else None
    if word is None:
        word = next((word for word in section_kinds(own) if made.default and word in made.default), None)
    named = next((each for each in own if word in section_kinds([each])), None)
    # A reference to code names a function of the user.
    others = [each for each in sections if each not in own] if isinstance(word, str) and ":" in word else []
    return key, named or next(iter(others), own[0])


def _kind(made: ExperimentField, kinds: list[str], is_closed: bool) -> ExperimentField:
    """Return the field of the word that decides which keys a section has; if not closed, users' functions are allowed too."""
    control = made.control if made.is_domain else "choice" if is_closed and made.value in kinds else "text"
    domain = made.domain if made.is_domain or not made.domain else yaml_line({"choice": kinds[:MOST_KINDS]})
    about = "Which one; its keys follow."
    allowed = ", ".join(kinds) + ("" if is_closed else "; a function of yours: my_file.py:function")
    return replace(made, control=control, words=tuple(kinds), domain=domain, description=about, allowed=allowed)


def _items(made: ExperimentField, items: dict[str, Any], now: list[Any], before: Any) -> ExperimentField:
    fields = tuple(_field(f"{made.key}.{place}", str(place), items, now, before) for place in range(len(now)))
    more = (yaml_line([*now, now[-1] if now else {}]), yaml_line(now[:-1]) if now else "")
    return replace(made, control="items", fields=fields, more=more)
