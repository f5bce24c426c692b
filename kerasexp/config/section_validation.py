"""From a raw mapping to a typed section; all problems are reported at once, with the file and key of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from kerasexp.config.code_keys import KINDS as CODE_KINDS
from kerasexp.config.code_reference import registered
from kerasexp.config.custom_code import ERROR as CUSTOM_ERROR
from kerasexp.config.experiment_keys import suggestion
from kerasexp.config.section_base import is_section, members, tags
from kerasexp.errors import Problem, UserError, closest, listing

S = TypeVar("S", bound=BaseModel)

# More than a person reads; a file that another program garbled may have a problem on each line.
MOST_PROBLEMS = 30


def validated(section: type[S], raw: dict[str, Any], file: str | None, files: dict[tuple, str]) -> S:
    """Build `section` from `raw`.

    Args:
        section: the class to build.
        raw: what was read from YAML, bases and overrides merged.
        file: the file to name for a key that `files` does not have.
        files: the file that each key path, such as ("training", "epochs"), was read from.

    Raises:
        UserError: with one problem per wrong key, the first `MOST_PROBLEMS` of them.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        problems = {}
        details = [(_path_in(raw, detail), detail) for detail in error.errors()]
        within = {path[:n] for path, d in details if not _wants_plain(d) for n in range(len(path) + 1)}
        wrong = [(path, d) for path, d in details if not (_wants_plain(d) and path in within)]
        for path, detail in wrong[:MOST_PROBLEMS]:
            # A value that fits none of several types has one error per type; the first is enough.
            problems.setdefault(path, _problem(section, detail, path, file, files))
        rest = len(wrong) - MOST_PROBLEMS
        raise UserError(
            *problems.values(), *([Problem(f"{rest} more things are wrong", file)] if rest > 0 else [])
        ) from None


def _wants_plain(detail: dict) -> bool:
    """Return whether the problem is that a mapping is not a plain value.

    Where a mapping is allowed too, the problem within the mapping is the better message.
    """
    return isinstance(detail["input"], dict) and detail["type"].endswith("_type") and detail["type"] != "model_type"


def _path_in(raw: Any, detail: dict) -> tuple:
    """Drop from pydantic's location what is not in the file: the names of union members."""
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
    if detail["type"] == "union_tag_invalid" and isinstance(here, dict):
        path.append(_discriminator(detail))
    return tuple(path)


def _discriminator(detail: dict) -> str:
    return detail["ctx"]["discriminator"].strip("'")


def _problem(section: type[BaseModel], detail: dict, path: tuple, file: str | None, files: dict[tuple, str]) -> Problem:
    key = ".".join(_word(part) for part in path) or None
    return Problem(_message(section, detail, path), file_of(path, files, file), key)


def _word(key: object) -> str:
    """Return a key for a line of text: quoted if it is empty, long or not printable, and cut if it is long."""
    text = str(key)
    return text if 0 < len(text) <= 60 and text.isprintable() else quoted(text)


def file_of(path: tuple, files: dict[tuple, str], default: str | None) -> str | None:
    """Return the file that a key, or the nearest section around it, was read from."""
    for length in range(len(path), 0, -1):
        if path[:length] in files:
            return files[path[:length]]
    return default


def _message(section: type[BaseModel], detail: dict, path: tuple) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(section, detail["loc"], path)
    if kind == CUSTOM_ERROR:
        return context["text"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "invalid_key" or detail["loc"][-1:] == ("[key]",):
        return f"the key {given!r} is not a string; put it in quotes"
    if kind == "missing":
        return "is required and not given"
    if kind in ("literal_error", "union_tag_invalid"):
        text = context.get("expected") or context.get("expected_tags")
        allowed = [word.strip().strip("'") for word in text.replace(" or ", ", ").split(", ")]
        word = given.get(_discriminator(detail)) if kind == "union_tag_invalid" and isinstance(given, dict) else given
        own = ""
        if (code := CODE_KINDS.get(detail["loc"][-1])) is not None:
            allowed, own = [*allowed, *registered(code)], ", or a function of yours: my_file.py:function"
        return f"got {quoted(word)}{closest(word, allowed)}; allowed: {listing(allowed, 30)}{own}"
    if kind == "union_tag_not_found":
        allowed = tags(_annotation_at(section, detail["loc"]))
        return f"{_discriminator(detail)} is required here; allowed: {listing(allowed, 30)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"got {quoted(given)}; a mapping of keys is needed here"
    is_scalar = kind in ("float_type", "int_type", "bool_type")
    domain = "; a domain of a search is {float: [0.0001, 0.01], sampling: log}, {int: [1, 8]}, {choice: [1, 2]} or {bool: null}"
    hint = domain if is_scalar and isinstance(given, dict) else ""
    return f"got {quoted(given)}; {detail['msg'][0].lower()}{detail['msg'][1:]}{hint}"


def _unknown_key(section: type[BaseModel], location: tuple, path: tuple) -> str:
    key, union = str(path[-1]), _annotation_at(section, location[:-2])
    relatives = members(union) if len(location) > 1 and location[-2] in tags(union) else []
    if owners := [word for member in relatives if key in member.model_fields for word in tags(member)]:
        return no_such_key(location[-2], key, owners)
    allowed = list(next(filter(is_section, members(_annotation_at(section, location[:-1])))).model_fields)
    if len(path) == 1:  # read by the loader, and so no field
        allowed.append("base")
    known = [*allowed, *(name for member in relatives for name in member.model_fields)]
    return f"unknown key {quoted(key)}{suggestion(key, known)}; allowed: {listing(sorted(allowed), 30)}"


def no_such_key(name: str, key: str, owners: Iterable[str]) -> str:
    """Return the message for a key that others of the same section have."""
    return f"{name} has no key '{key}'; those that have it: {', '.join(owners)}"


def quoted(value: object) -> str:
    """Return a value as Python writes it, on one line and at most 60 characters long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _annotation_at(section: type[BaseModel], location: tuple) -> Any:
    """Return the annotation that a pydantic location leads to."""
    here: Any = section
    for part in location:
        owner = next((m for m in members(here) if part in getattr(m, "model_fields", {})), None)
        if owner is not None:
            here = owner.model_fields[part].annotation
        elif isinstance(part, int):
            here = next((arg for arg in members(here) if get_origin(arg) is list), here)
            here = get_args(here)[0]
        else:
            # The name of a member of a union: its class, or the word that names it.
            here = next((m for m in members(here) if is_section(m) and part in (m.__name__, *tags(m))), here)
    return here
