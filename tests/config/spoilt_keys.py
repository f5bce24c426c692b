"""Experiments spoilt in one key or value: what is wrong is drawn too, and each knows what must be said of it."""

from __future__ import annotations

import datetime
import math
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from drawn_experiments import EXPERIMENTS, WORDS, dotted, members, part_of, sections_in
from hypothesis import assume
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, create_model

from kerasexp.config.section_base import Section
from kerasexp.config.yaml_text import dump_yaml


class Bad(NamedTuple):
    """A wrong experiment and what the message has to name.

    `files` lie in the working folder, None being a folder; `exp.yaml` is shown. `file` is the one in which the mistake
    is, and `key` where; `message` matches the rest of it. `grown` is written a million times after `exp.yaml`.
    """

    files: dict[str, bytes | None]
    key: str | None
    overrides: tuple[str, ...] = ()
    file: str = "exp.yaml"
    message: str = ""
    misspelt: str | None = None
    grown: str = ""


def of(raw: Any, key: str | None, **more: Any) -> Bad:
    return Bad({"exp.yaml": dump_yaml(raw).encode()}, key, **more)


def at_line(text: str | bytes, line: int | None = None, message: str = "") -> Bad:
    """A text that is not YAML is reported with its line, or with any line where the parser may notice late."""
    content = text if isinstance(text, bytes) else text.encode()
    return Bad({"exp.yaml": content}, None, message=rf"line {line or '[0-9]+'}\b.*{message}")


@cache
def _alone(section: type[BaseModel], key: str) -> type[BaseModel]:
    field = section.model_fields[key]
    return create_model("Alone", __base__=Section, **{key: (field.annotation, field)})


def takes(section: type[BaseModel], key: str, value: Any) -> bool:
    try:
        _alone(section, key).model_validate({key: value})
    except ValidationError:
        return False
    return True


@cache
def typos(word: str) -> list[str]:
    """All that one slip of the finger makes of a word."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = "abcdefghijklmnopqrstuvwxyz_"
    swapped = [a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1]
    changed = [a + c + b[1:] for a, b in cuts if b for c in letters]
    added = [a + c + b for a, b in cuts for c in letters]
    return sorted({*(a + b[1:] for a, b in cuts if b), *swapped, *changed, *added} - {word})


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 10**30, -(10**400), "", [], {}, [[]], {"": 1}, datetime.date(2001, 1, 1), b"\xff"]),
    st.floats(),
    WORDS,
    st.lists(st.integers() | WORDS | st.none(), max_size=5),
    st.dictionaries(WORDS, st.integers(), max_size=3),
)


def beyond(annotation: Any, metadata: list | tuple = ()) -> list[Any]:
    """What lies just outside a field's limits."""
    found = []
    for kind, limits in members(annotation, metadata):
        step = (lambda x, way: x + way) if kind is int else (lambda x, way: math.nextafter(x, x + way))
        found += [step(limits["ge"], -1)] if "ge" in limits else []
        found += [step(limits["le"], 1)] if "le" in limits else []
        found += [limits[end] for end in ("gt", "lt") if end in limits]
        if get_origin(kind) is list:
            found += [[wrong] for wrong in beyond(get_args(kind)[0])]
            found += [[1] * (limits["min_length"] - 1)] if "min_length" in limits else []
            found += [[1] * (limits["max_length"] + 1)] if "max_length" in limits else []
        if get_origin(kind) is dict and "min_length" in limits:
            found.append({})
    return found


def fields_of(raw: dict) -> list[tuple]:
    return [(at, section, here, key) for at, section, here in sections_in(raw) for key in section.model_fields]


@st.composite
def misspelt_key(draw):
    raw = draw(EXPERIMENTS)
    _, section, here, right = draw(st.sampled_from(fields_of(raw)).filter(lambda field: len(field[3]) > 3))
    wrong = draw(st.sampled_from(typos(right)).filter(lambda word: word not in {*section.model_fields, "base"}))
    at = next(at for at, _, there in sections_in(raw) if there is here)
    here[wrong] = here.get(right, 1)
    return of(raw, dotted(*at, wrong), misspelt=wrong)


@st.composite
def unknown_key(draw):
    raw = draw(EXPERIMENTS)
    at, section, here = draw(st.sampled_from(list(sections_in(raw))))
    wrong = draw(
        (WORDS | st.integers() | st.booleans()).filter(lambda word: word not in {*section.model_fields, "base"})
    )
    here[wrong] = draw(ODD)
    # The message writes a key that is not a word, or has a line break, otherwise; it always names the section.
    plain = isinstance(wrong, str) and wrong.isprintable() and wrong
    return of(raw, dotted(*at, wrong) if plain else dotted(*at), message="key")


@st.composite
def wrong_value(draw):
    raw = draw(EXPERIMENTS)
    at, section, here, key = draw(st.sampled_from(fields_of(raw)))
    here[key] = draw(ODD.filter(lambda value: not takes(section, key, value)))
    return of(raw, dotted(*at, key))


@st.composite
def out_of_range(draw):
    raw = draw(EXPERIMENTS)
    choices = []
    for at, section, here, key in fields_of(raw):
        field = section.model_fields[key]
        wrong = [v for v in beyond(field.annotation, field.metadata) if not takes(section, key, v)]
        choices += [(at, here, key, wrong)] if wrong else []
    at, here, key, wrong = draw(st.sampled_from(choices))
    here[key] = draw(st.sampled_from(wrong))
    return of(raw, dotted(*at, key))


@st.composite
def misspelt_word(draw):
    raw = draw(EXPERIMENTS)
    choices = [
        (at, section, here, key, word)
        for at, section, here, key in fields_of(raw)
        for kind, _ in members(section.model_fields[key].annotation)
        if get_origin(kind) is Literal
        for word in get_args(kind)
        if isinstance(word, str) and len(word) > 3
    ]
    assume(choices)
    at, section, here, key, right = draw(st.sampled_from(choices))
    # One slip leads from adam to adamw and back.
    wrong = st.sampled_from(typos(right)).filter(
        lambda word: not takes(section, key, word) and word not in ("adam", "adamw")
    )
    here[key] = draw(wrong)
    return of(raw, dotted(*at, key), misspelt=here[key] if key != "invert" else None)


@st.composite
def missing_key(draw):
    raw = draw(EXPERIMENTS)
    raw["init"] = raw.get("init") or {"experiment": "up.yaml"}
    required = {"Init": "experiment", "Mlp": "name", "Cnn": "name", "Data": "path"}
    required |= {"DataSource": "path", "Preprocessing": "window", "Experiment": "name"}
    places = [(at, s.__name__, here) for at, s, here in sections_in(raw) if here.get(required.get(s.__name__)) and at]
    at, name, here = draw(st.sampled_from(places))
    del here[required[name]]
    # A rule of several keys is reported under their section.
    whole = name in ("Data", "DataSource", "Preprocessing", "Mlp", "Cnn")
    return of(raw, dotted(*at) if whole else dotted(*at, required[name]))


@st.composite
def nested_too_deep(draw):
    raw = draw(EXPERIMENTS)
    _, _, here, key = draw(st.sampled_from(fields_of(raw)))
    here[key] = "@deep"
    depth = draw(st.sampled_from([3, 10, 50, 200, 500, 1000, 5000]))
    left, right = draw(st.sampled_from([("[", "]"), ("{a: ", "}"), ("[{a: ", "}]"), ("{experiment: {init: ", "}}")]))
    text = dump_yaml(raw).replace("'@deep'", left * depth + right * depth)
    return Bad({"exp.yaml": text.encode()}, None, message=rf"(line 1?[0-9]+\b|: ([a-z_]+\.)*[a-z_]*{key})")


@st.composite
def wrong_shape(draw):
    """A list where a mapping is, or a mapping where a list is."""
    raw = draw(EXPERIMENTS)
    places = [at for at, _, _ in sections_in(raw)]
    places += [(*at, key) for at, _, here in sections_in(raw) for key in here if isinstance(here[key], list)]
    at = draw(st.sampled_from(places))
    if not at:
        return of([raw], "", message="holds a list")
    old = part_of(raw, at)
    part_of(raw, at[:-1])[at[-1]] = [old] if isinstance(old, dict) else dict(enumerate(old))
    return of(raw, dotted(*at))


KEYS = (
    misspelt_key, unknown_key, wrong_value, out_of_range, misspelt_word, missing_key, nested_too_deep, wrong_shape,
)  # fmt: skip
