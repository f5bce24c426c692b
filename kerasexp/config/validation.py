"""From a raw mapping to a typed section, with every problem told at once in the words of the file."""

from __future__ import annotations

import types
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from kerasexp.errors import Problem, UserError, closest, listing

S = TypeVar("S", bound=BaseModel)

# More than a person reads; a file that another program garbled may have one on each line.
MOST_TOLD = 30


def validated(section: type[S], raw: dict[str, Any], file: str | None, files: dict[tuple, str]) -> S:
    """Build `section` from `raw`.

    Args:
        section: the class to build.
        raw: what was read from YAML, bases and overrides merged.
        file: the file to name where `files` does not know better.
        files: which file a key path such as ("training", "epochs") was read from.

    Raises:
        UserError: with one problem per wrong key, the first `MOST_TOLD` of them.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        problems = {}
        details = [(_path_in(raw, detail), detail) for detail in error.errors()]
        told_within = {path[:n] for path, d in details if not _wants_plain(d) for n in range(len(path) + 1)}
        wrong = [(path, d) for path, d in details if not (_wants_plain(d) and path in told_within)]
        for path, detail in wrong[:MOST_TOLD]:
            # A value that fits none of several types gives one error per type; the first names the key well enough.
            tag = ("name",) if detail["type"] == "union_tag_invalid" else ()
            told_of = file_of((*path, *tag), files, file)
            problems.setdefault(path, Problem(_message(section, detail, path), told_of, _dotted((*path, *tag))))
        rest = len(wrong) - MOST_TOLD
        raise UserError(
            *problems.values(), *([Problem(f"{rest} more things are wrong", file)] if rest > 0 else [])
        ) from None


def _wants_plain(detail: dict) -> bool:
    """Whether this says that a mapping is no plain value, which hides what is wrong in a mapping that may stand there."""
    return isinstance(detail["input"], dict) and detail["type"].endswith("_type") and detail["type"] != "model_type"


def _path_in(raw: Any, detail: dict) -> tuple:
    """Drop from pydantic's location what is not in the file: names of union members."""
    path, here, location = [], raw, detail["loc"]
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict) and part in here:
            path.append(part)
            here = here[part]
        elif isinstance(here, list) and isinstance(part, int):
            path.append(part)
            here = here[part] if part < len(here) else None
        elif last and detail["type"] == "missing":
            path.append(part)
    return tuple(path)


def _dotted(path: tuple) -> str | None:
    return ".".join(_word(part) for part in path) or None


def _word(key: object) -> str:
    """Return a key as it may stand in a line of text: an odd one in quotes, a long one cut."""
    text = str(key)
    return text if 0 < len(text) <= 60 and text.isprintable() else shown(text)


def file_of(path: tuple, files: dict[tuple, str], default: str | None) -> str | None:
    """Return the file that a key, or the nearest section around it, was read from."""
    for length in range(len(path), 0, -1):
        if path[:length] in files:
            return files[path[:length]]
    return default


def _message(section: type[BaseModel], detail: dict, path: tuple) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = list(_section_at(section, detail["loc"][:-1]).model_fields)
        if len(path) == 1:  # read by the loader, and so no field
            allowed.append("base")
        key = str(path[-1])
        return f"unknown key {shown(key)}{closest(key, allowed)}; allowed: {listing(sorted(allowed), 30)}"
    if kind == "invalid_key" or detail["loc"][-1:] == ("[key]",):
        return f"the key {given!r} is no word; put it in quotes"
    if kind == "missing":
        return "is required and not given"
    if kind in ("literal_error", "union_tag_invalid"):
        text = context.get("expected") or context.get("expected_tags")
        allowed = [word.strip().strip("'") for word in text.replace(" or ", ", ").split(", ")]
        tag = given.get("name") if kind == "union_tag_invalid" and isinstance(given, dict) else given
        return f"got {shown(tag)}{closest(tag, allowed)}; allowed: {listing(allowed, 30)}"
    if kind == "union_tag_not_found":
        allowed = [m.model_fields["name"].default for m in _members(_annotation_at(section, detail["loc"]))]
        return f"name is required here; allowed: {listing(allowed, 30)}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"got {shown(given)}; a mapping of keys is needed here"
    return f"got {shown(given)}; {detail['msg'][0].lower()}{detail['msg'][1:]}"


def shown(value: object) -> str:
    """Return a value as Python writes it, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _section_at(section: type[BaseModel], location: tuple) -> type[BaseModel]:
    """Return the section class that a pydantic location leads to."""
    return next(
        m for m in _members(_annotation_at(section, location)) if isinstance(m, type) and issubclass(m, BaseModel)
    )


def _annotation_at(section: type[BaseModel], location: tuple) -> Any:
    here: Any = section
    for part in location:
        owner = next((m for m in _members(here) if part in getattr(m, "model_fields", {})), None)
        if owner is not None:
            here = owner.model_fields[part].annotation
        elif isinstance(part, int):
            here = next((arg for arg in _members(here) if get_origin(arg) is list), here)
            here = get_args(here)[0]
        else:
            # The name of a union's member: a class, or the value that tells the members apart.
            here = next((m for m in _members(here) if part in _names_of(m)), here)
    return here


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, looking through Annotated; any other annotation is its own only member."""
    if hasattr(annotation, "__metadata__"):
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for arg in get_args(annotation) for member in _members(arg)]
    return [annotation]


def _names_of(member: Any) -> set[str]:
    if isinstance(member, type) and issubclass(member, BaseModel):
        name = member.model_fields.get("name")
        return {member.__name__, name.default if name is not None else member.__name__}
    return set()
