"""What all sections of an experiment have in common, and the plain words that stand for sections."""

from __future__ import annotations

import re
import types
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import core_schema

Seed = Annotated[int, Field(ge=0, lt=2**31)]
# Keys that name the kind of a section.
KIND_KEYS = ("name", "source", "kind")
# Terminals interpret control characters, and tables and CSV files break at the end of a line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), in which names are compared: macOS stores them decomposed."""
    return unicodedata.normalize("NFC", name)


def one_line(text: str) -> str:
    """Return a text with its control characters and line ends escaped, for a line on a terminal."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def name_fault(name: str) -> str | None:
    """Return why a class cannot have this name; None if it can."""
    if not name.strip():
        return "is empty"
    return "has control characters or line ends" if CONTROL.search(name) else None


def _class_name(name: str) -> str:
    if fault := name_fault(name):
        raise ValueError(f"the name of a class {fault}")
    return composed(name)


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# Annotation of a text that may be written as a whole number.
NumberAsText = BeforeValidator(_number_as_text, json_schema_input_type=str | float)
# The name of a class. In a file, plain scalars under the keys of `yaml_text.NAMES` keep the characters that were written.
ClassName = Annotated[str, AfterValidator(_class_name), NumberAsText]


def _each_once(value: Any) -> Any:
    names = [composed(str(name)) for name in value] if isinstance(value, dict) else []
    if len(set(names)) < len(names):
        raise ValueError(f"the class {max(names, key=names.count)!r} is given twice, in two spellings that look alike")
    return value


# Annotation of a mapping whose keys are names of classes.
EachClassOnce = BeforeValidator(_each_once)


class Section(BaseModel):
    """A strict part of an experiment: no unknown key, no silent conversion of types, never changed once built."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def changed(self) -> dict[str, Any]:
        """Return, as plain values, the keys that are not the default, and the word that names the kind of the section."""
        fields = type(self).model_fields.items()
        kept = [name for name, field in fields if name in KIND_KEYS or getattr(self, name) != field.get_default()]
        return {name: _changed(getattr(self, name)) for name in kept}


def _changed(value: Any) -> Any:
    if isinstance(value, list):
        return [_changed(item) for item in value]
    return value.changed() if isinstance(value, Section) else value


@dataclass(frozen=True)
class ShortForm:
    """Annotation of a section that a plain word may stand for: `adam` for `{name: adam}`.

    Attributes:
        key: the key that the word is the value of.
        default: its value in a mapping without that key; None if a mapping needs it or its field has a default.
        more: by word, the other keys that the word sets.
    """

    key: str = "name"
    default: str | None = None
    more: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def in_full(self, value: Any) -> Any:
        """Return the mapping that a word stands for; a mapping gets the default; anything else stays as it is."""
        if isinstance(value, str):
            return {self.key: value, **self.more.get(value, {})}
        if isinstance(value, dict) and self.default is not None:
            return {self.key: self.default, **value}
        return value

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.no_info_before_validator_function(self.in_full, handler(source))

    def __get_pydantic_json_schema__(self, core, handler):
        full = handler(core)
        options = full.get("anyOf") or [full]  # beside null, a union is one of several
        forms = [form for option in options for form in option.get("oneOf", [option])]
        # A union tells its words itself. The schema of a member that has several may not be there yet.
        known: dict[str, list[str]] = {}
        for option in options:
            for word, reference in option.get("discriminator", {}).get("mapping", {}).items():
                known.setdefault(reference, []).append(word)
        sections = []
        for form in forms:
            if (reference := form.get("$ref")) in known:
                sections.append((form, {"enum": known[reference]}))
            elif "$ref" in form or "properties" in form:
                schema = handler.resolve_ref_schema(form) if "$ref" in form else form
                sections.append((form, schema["properties"][self.key]))
        words = [word for _, key in sections for word in _words(key)]
        if known:  # a union, whose members are distinguished by the key
            for form, key in sections:
                form |= {} if self.default in _words(key) else {"required": [self.key]}
        patterns = [{"type": "string", "pattern": pattern} for _, key in sections for pattern in _words(key, "pattern")]
        plain = {"type": "string", **({"enum": words} if words else {})}
        return {"anyOf": [*forms, *([plain] if words or not patterns else []), *patterns]}


def _words(key: dict[str, Any], what: str = "words") -> list[str]:
    """Return the words that the JSON Schema of a key allows, or the patterns of others."""
    if "anyOf" in key:
        return [word for option in key["anyOf"] for word in _words(option, what)]
    if what == "pattern":
        return [key["pattern"]] if "pattern" in key else []
    return key.get("enum", [key["const"]] if "const" in key else [])


def members(annotation: Any) -> list[Any]:
    """Return the members of a union, looking through Annotated; any other annotation is its own only member."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for arg in get_args(annotation) for member in members(arg)]
    return [annotation]


def is_section(annotation: Any) -> bool:
    """Return whether an annotation is a class of sections."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def tags(annotation: Any) -> list[str]:
    """Return the words that name a section, or the members of a union: the values of its `name` or `kind`."""
    sections = [member for member in members(annotation) if is_section(member)]
    keys = [s.model_fields[key].annotation for s in sections for key in ("name", "kind") if key in s.model_fields]
    return [word for key in keys if get_origin(key) is Literal for word in get_args(key)]


def short_forms(section: type[BaseModel]) -> dict[str, ShortForm]:
    """Return, by the name of the key, the short forms in a section and in all sections within it."""
    found, sections = {}, [section]
    for owner in sections:
        for key, info in owner.model_fields.items():
            for part in (*info.metadata, *_parts(info.annotation)):
                if isinstance(part, ShortForm):
                    found[key] = part
                elif is_section(part) and part not in sections:
                    sections.append(part)
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
