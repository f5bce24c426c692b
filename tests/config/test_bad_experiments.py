"""Wrong experiments, made by breaking one thing in a sound one: each is refused with exit code 2 and the place.

Sound experiments are drawn from the typed schema itself, so that a new key is tried without a word here; what ties several
keys together is put right afterwards. An ordinary test run makes some 150 wrong ones, always the same; 2,000 new ones by

    KERASEXP_FULL=1 python -m pytest tests/config/test_bad_experiments.py
"""

from __future__ import annotations

import datetime
import math
import os
import re
import shutil
import types
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, create_model

from kerasexp.config import Experiment, Init, load_experiment
from kerasexp.config.base import Section
from kerasexp.config.data import FILE_SOURCES
from kerasexp.config.merging import KIND_KEYS, SHORT_FORMS
from kerasexp.config.model import Application
from kerasexp.config.rules import broken_rules
from kerasexp.config.yaml_text import dump_yaml

FULL = bool(os.environ.get("KERASEXP_FULL"))


def drawn(short: int, full: int) -> settings:
    return settings(
        max_examples=full if FULL else short,
        derandomize=not FULL,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


# Sound experiments

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
CLASS_NAMES = st.lists(WORDS, min_size=2, max_size=5, unique=True).map(lambda words: {w: w[::-1] for w in words})
APPLICATIONS = {kind.model_fields["name"].default for kind in Application.__subclasses__()}
# What the type alone does not tell.
KNOWN = {
    "name": NAMES,
    "class_names": st.lists(WORDS, min_size=2, max_size=5, unique=True).map(lambda words: {w: w[::-1] for w in words}),
    "groups": st.sampled_from([None, r"-(\d+)\.", "(.)"]),
    "fold": st.integers(0, 1),
    "validate_at": st.sets(st.integers(0, 10**6), max_size=4).map(sorted),
}


def limits_of(metadata: list) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    return {name: getattr(m, name) for m in metadata for name in names if getattr(m, name, None) is not None}


def members(annotation: Any, metadata: list | tuple = ()) -> list[tuple[Any, dict[str, Any]]]:
    """The types that a field may have, each with its limits."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        return members(inner, [limit for note in notes for limit in getattr(note, "metadata", ())])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for arg in get_args(annotation) for member in members(arg, metadata)]
    return [(annotation, limits_of(metadata))]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def values(annotation: Any, metadata: list | tuple = ()) -> st.SearchStrategy:
    return st.one_of([_of_one_type(kind, limits) for kind, limits in members(annotation, metadata)])


def _of_one_type(kind: Any, limits: dict[str, Any]) -> st.SearchStrategy:
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is list:
        fewest = limits.get("min_length", 0)
        return st.lists(values(get_args(kind)[0]), min_size=fewest, max_size=limits.get("max_length", fewest + 2))
    if get_origin(kind) is dict:
        return st.dictionaries(WORDS, values(get_args(kind)[1]), max_size=3)
    if kind is float:
        open_ends = {"exclude_min": "gt" in limits, "exclude_max": "lt" in limits}
        return st.floats(low, high, allow_nan=False, allow_infinity=False, **open_ends)
    if kind is int:
        return st.integers(low, high - 1 if "lt" in limits else high)
    if _is_section(kind):
        return sections(kind)
    return {bool: st.booleans(), str: WORDS, types.NoneType: st.none()}[kind]


@cache
def sections(section: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {key: _field(section, key) for key in section.model_fields}
    if section is Init:
        fields["experiment"] = st.just("up.yaml") | st.deferred(lambda: sections(Experiment)).filter(_starts_anew)
    needed = {key: fields.pop(key) for key, f in section.model_fields.items() if f.is_required() or key in KIND_KEYS}
    return st.fixed_dictionaries(needed, optional=fields).map(partial(_consistent, section))


def _field(section: type[BaseModel], key: str) -> st.SearchStrategy:
    field = section.model_fields[key]
    if key in KNOWN and get_origin(field.annotation) is not Literal:
        return KNOWN[key]
    full = values(field.annotation, field.metadata) if section is not Init or key != "experiment" else st.none()
    if key not in SHORT_FORMS:
        return full
    kind = next(kind for kind, _ in members(field.annotation) if _is_section(kind))
    kinds = [k for k, _ in members(kind.model_fields[SHORT_FORMS[key]].annotation)]
    words = [word for k in kinds if get_origin(k) is Literal for word in get_args(k) if word not in FILE_SOURCES]
    return full | (st.sampled_from(words) if words else WORDS)


def _starts_anew(raw: dict) -> bool:
    return raw.get("init") is None


def _consistent(section: type[BaseModel], raw: dict[str, Any]) -> dict[str, Any]:
    if "source" in section.model_fields:
        raw.pop("path", None)
        if raw["source"] in FILE_SOURCES:
            raw["path"] = "pictures.zip"
    if "framing" in section.model_fields and raw.pop("window", None) is not None:
        raw |= {"framing": "window", "window": [0.14, 0, 0.95, 1]}
    if section is Experiment and raw.get("model", {}).get("name") in APPLICATIONS:
        preprocessing = raw.setdefault("data", {"source": "mnist"}).setdefault("preprocessing", {})
        preprocessing |= {"size": [40, 32], "channels": 3}
    return raw


def sound(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out what breaks a rule that ties several keys together; what is wrong by itself must not have been drawn."""
    while True:
        try:
            broken = [tuple(key.split(".")) for key, _ in broken_rules(Experiment.model_validate(raw))]
        except ValidationError as error:
            broken = [detail["loc"] for detail in error.errors() if detail["type"] == "value_error"]
            assert broken, error
        if not broken:
            return raw
        # Where nothing of the key is there, its default does not suit the network.
        here, key, part = raw, "model", raw
        for name in broken[0]:
            if isinstance(part, dict) and name in part:
                here, key, part = part, name, part[name]
        del here[key]


@st.composite
def experiments(draw) -> dict[str, Any]:
    return sound(draw(sections(Experiment)))


EXPERIMENTS = experiments()


@pytest.fixture
def load(tmp_path):
    """Loads an experiment from its text, beside an empty `up.yaml`."""
    (tmp_path / "up.yaml").touch()

    def load_text(text: str, *overrides: str) -> Experiment:
        (tmp_path / "exp.yaml").write_text(text, encoding="utf-8", newline="")
        return load_experiment(tmp_path / "exp.yaml", overrides)

    return load_text


@drawn(40, 500)
@given(raw=EXPERIMENTS)
def test_a_sound_experiment_loads_and_what_show_prints_loads_to_the_same(cli, load, tmp_path, raw):
    experiment = load(dump_yaml(raw))
    if not raw.get("init"):  # whose upstream was resolved, and so is no longer as it stands in `raw`
        assert experiment == Experiment.model_validate(raw)
    shown = cli("show", tmp_path / "exp.yaml")
    assert (shown.code, shown.err) == (0, "")
    assert load(shown.out) == experiment


@drawn(30, 300)
@given(raw=EXPERIMENTS, data=st.data())
def test_a_value_given_by_set_is_as_good_as_one_in_the_file(load, raw, data):
    whole = load(dump_yaml(raw))
    keys = [
        (at, key) for at, _, here in sections_in(raw) for key in here if key not in ("name", "source", "experiment")
    ]
    assume(keys)
    at, key = data.draw(st.sampled_from(sorted(keys, key=str)))
    assume(at[:2] != ("init", "experiment"))
    value = part_of(raw, at).pop(key)
    assert load(dump_yaml(raw), f"{dotted(*at, key)}={dump_yaml(value)}") == whole


# What is broken in them


class Bad(NamedTuple):
    """A wrong experiment and what the message has to name.

    `files` lie in the working folder, None being a folder; `exp.yaml` is shown. `file` is the one in which the mistake
    is, and `key` where; `told` matches what else must be said. `grown` is written a million times after `exp.yaml`.
    """

    files: dict[str, bytes | None]
    key: str | None
    overrides: tuple[str, ...] = ()
    file: str = "exp.yaml"
    told: str = ""
    misspelt: str | None = None
    grown: str = ""


def of(raw: Any, key: str | None, **more: Any) -> Bad:
    return Bad({"exp.yaml": dump_yaml(raw).encode()}, key, **more)


def at_line(text: str | bytes, line: int | None = None, told: str = "") -> Bad:
    """What is no YAML is told with its line; any line where the parser may notice late."""
    content = text if isinstance(text, bytes) else text.encode()
    return Bad({"exp.yaml": content}, None, told=rf"line {line or '[0-9]+'}\b.*{told}")


def dotted(*path: Any) -> str:
    return ".".join(map(str, path))


def part_of(raw: Any, at: tuple) -> Any:
    for key in at:
        raw = raw[key]
    return raw


def sections_in(raw: dict, section: type[BaseModel] = Experiment, at: tuple = ()):
    """Yield where each section of an experiment is, its class, and what it holds."""
    yield at, section, raw
    for key, value in raw.items():
        classes = [kind for kind, _ in members(section.model_fields[key].annotation)]
        classes = [get_args(kind)[0] if get_origin(kind) is list else kind for kind in classes]
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            for kind in classes:
                if isinstance(item, dict) and _is_section(kind):
                    if key == "model" and kind.model_fields["name"].default != item["name"]:
                        continue
                    yield from sections_in(item, kind, (*at, key, *([index] if isinstance(value, list) else [])))


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


def spoken(at: tuple, section: type[BaseModel], key: str) -> str:
    # A network of no such name is told under `model`, as it is the whole section that then means nothing.
    return dotted(*at) if at[-1:] == ("model",) and key == "name" else dotted(*at, key)


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


def _fields(raw: dict) -> list[tuple]:
    return [(at, section, here, key) for at, section, here in sections_in(raw) for key in section.model_fields]


@st.composite
def misspelt_key(draw):
    raw = draw(EXPERIMENTS)
    _, section, here, right = draw(st.sampled_from(_fields(raw)).filter(lambda field: len(field[3]) > 3))
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
    # A key that is no word, or holds a line break, is written otherwise in the message; its section is always there.
    plain = isinstance(wrong, str) and wrong.isprintable() and wrong
    return of(raw, dotted(*at, wrong) if plain else dotted(*at), told="key")


@st.composite
def wrong_value(draw):
    raw = draw(EXPERIMENTS)
    at, section, here, key = draw(st.sampled_from(_fields(raw)))
    here[key] = draw(ODD.filter(lambda value: not takes(section, key, value)))
    return of(raw, spoken(at, section, key))


@st.composite
def out_of_range(draw):
    raw = draw(EXPERIMENTS)
    choices = []
    for at, section, here, key in _fields(raw):
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
        for at, section, here, key in _fields(raw)
        for kind, _ in members(section.model_fields[key].annotation)
        if get_origin(kind) is Literal
        for word in get_args(kind)
        if len(str(word)) > 3
    ]
    assume(choices)
    at, section, here, key, right = draw(st.sampled_from(choices))
    here[key] = draw(st.sampled_from(typos(right)).filter(lambda word: not takes(section, key, word)))
    return of(raw, spoken(at, section, key), misspelt=here[key] if key != "invert" else None)


@st.composite
def missing_key(draw):
    raw = draw(EXPERIMENTS)
    raw["init"] = raw.get("init") or {"experiment": "up.yaml"}
    required = {"Init": "experiment", "Mlp": "name", "Cnn": "name", "Data": "path"}
    required |= {"DataSource": "path", "Preprocessing": "window", "Experiment": "name"}
    places = [(at, s.__name__, here) for at, s, here in sections_in(raw) if here.get(required.get(s.__name__)) and at]
    at, name, here = draw(st.sampled_from(places))
    del here[required[name]]
    # A rule of several keys is told under their section.
    whole = name in ("Data", "DataSource", "Preprocessing", "Mlp", "Cnn")
    return of(raw, dotted(*at) if whole else dotted(*at, required[name]))


@st.composite
def nested_too_deep(draw):
    raw = draw(EXPERIMENTS)
    _, _, here, key = draw(st.sampled_from(_fields(raw)))
    here[key] = "@deep"
    depth = draw(st.sampled_from([3, 10, 50, 200, 500, 1000, 5000]))
    left, right = draw(st.sampled_from([("[", "]"), ("{a: ", "}"), ("[{a: ", "}]"), ("{experiment: {init: ", "}}")]))
    text = dump_yaml(raw).replace("'@deep'", left * depth + right * depth)
    return Bad({"exp.yaml": text.encode()}, None, told=rf"(line 1?[0-9]+\b|: ([a-z_]+\.)*[a-z_]*{key})")


@st.composite
def wrong_shape(draw):
    """A list where a mapping is, or a mapping where a list is."""
    raw = draw(EXPERIMENTS)
    places = [at for at, _, _ in sections_in(raw)]
    places += [(*at, key) for at, _, here in sections_in(raw) for key in here if isinstance(here[key], list)]
    at = draw(st.sampled_from(places))
    if not at:
        return of([raw], "", told="holds a list")
    old = part_of(raw, at)
    part_of(raw, at[:-1])[at[-1]] = [old] if isinstance(old, dict) else dict(enumerate(old))
    return of(raw, dotted(*at))


def _nodes(node: yaml.Node, at: tuple = ()):
    """Yield where each key of a text stands, and its value: (path, key's node, value's node)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, key.value), key, value
            yield from _nodes(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _nodes(value, (*at, index))


@st.composite
def texts(draw, what=lambda key, value: True):
    """An experiment as text, a place in it, and the nodes there."""
    text = dump_yaml(draw(EXPERIMENTS))
    places = [(key, value) for _, key, value in _nodes(yaml.compose(text)) if what(key, value)]
    assume(places)
    return text, *draw(st.sampled_from(places))


@st.composite
def double_key(draw):
    text, key, _ = draw(texts(lambda key, value: key.value.isidentifier()))
    mark, written = key.start_mark, text[key.start_mark.index : key.end_mark.index]
    again = f"{written}: 1\n{' ' * mark.column}"
    return at_line(text[: mark.index] + again + text[mark.index :], told="given twice")


def _is_scalar(key: yaml.Node, value: yaml.Node) -> bool:
    return isinstance(value, yaml.ScalarNode) and value.start_mark.line == value.end_mark.line


@st.composite
def alias(draw):
    text, _, value = draw(texts(_is_scalar))
    start, end = value.start_mark, value.end_mark
    wrong = draw(st.sampled_from(["*x", "[*x]", "{<<: *x}", "&x [*x]", "{a: &y 1, b: *y}"]))
    return at_line(text[: start.index] + wrong + text[end.index :], start.line + 1, "alias")


TAGS = (
    "!!python/object/apply:os.getpid []", "!!python/name:os.system ''", "!!python/object:kerasexp.cli.Format {}", "!own x",
    "!!timestamp x", "!!bool x", "!!int ''", "!!int x", "!!float ''", "!!float x", "!!binary x", "!!map [1]", "!!set [1]",
    "!!seq {a: 1}", "!!omap [1]", "!!pairs 3", "!!str [1]", "2001-99-99", "0x" + "F" * 5000, "9" * 5000, "1_" * 5000,
)  # fmt: skip


@st.composite
def tag(draw):
    text, _, value = draw(texts(_is_scalar))
    wrong = draw(st.sampled_from(TAGS))
    text = text[: value.start_mark.index] + wrong + text[value.end_mark.index :]
    return at_line(text, value.start_mark.line + 1)


@st.composite
def tab(draw):
    text, key, _ = draw(texts(lambda key, value: key.start_mark.column))
    mark = key.start_mark
    assume(text[mark.index - mark.column : mark.index].isspace())
    return at_line(text[: mark.index - mark.column] + "\t" * draw(st.integers(1, 3)) + text[mark.index :])


@st.composite
def control_character(draw):
    text = dump_yaml(draw(EXPERIMENTS))
    place = draw(st.integers(0, len(text)))
    character = draw(st.sampled_from("\x00\x01\x07\x08\x0b\x0c\x1b\x1f\x7f\ufffe\uffff"))
    return at_line(text[:place] + character + text[place:], text[:place].count("\n") + 1)


@st.composite
def not_utf8(draw):
    text = dump_yaml(draw(EXPERIMENTS))
    place = draw(st.integers(0, len(text)))
    garbage = draw(st.sampled_from([b"\xff", b"\x80", b"\xc3(", b"\xf5\x80", b"\xed\xa0\x80", b"\xff\xfe"]))
    content = text[:place].encode() + garbage + text[place:].encode()
    return at_line(content, text[:place].count("\n") + 1, "UTF-8")


@st.composite
def garbage(draw):
    """A file that was never meant to be YAML."""
    magic = draw(st.sampled_from([b"\x89PNG\r\n", b"PK\x03\x04", b"\x7fELF", b"\x1f\x8b", b"\xff\xd8\xff", b"\x00"]))
    return at_line(magic + draw(st.binary(max_size=200)))


@st.composite
def huge_file(draw):
    more = draw(st.sampled_from(["#", "\n", "é", "- a\n", "a: {"]))
    return of(draw(EXPERIMENTS), None, grown=more, told="is larger than 1000000 bytes")


@st.composite
def cut_short(draw):
    text = dump_yaml(draw(EXPERIMENTS))
    return at_line(
        text + draw(st.sampled_from(["x: [1", "x: {a: 1", "x: 'a", 'x: "a', "x: [1}", "x: 1\n y: 2", "{", "? [1]"]))
    )


@st.composite
def wrong_base(draw):
    raw = draw(EXPERIMENTS)
    raw["base"], others, more = draw(
        st.sampled_from([
            ("nowhere.yaml", {}, {}),
            ("spare.yml", {"spare.yaml": b""}, {"told": "did you mean 'spare.yaml'"}),
            (["spare.yaml", "nowhere.yaml"], {"spare.yaml": b""}, {"told": "nowhere.yaml"}),
            (["spare.yaml", 3], {"spare.yaml": b""}, {}),
            ("exp.yaml", {}, {"told": "circle"}),
            ("spare.yaml", {"spare.yaml": b"base: exp.yaml"}, {"told": "circle"}),
            ("folder", {"folder": None}, {"told": "is a folder"}),
            ("a\0b", {}, {}), ("x" * 300, {}, {}), ("~nobody-of-this-name/x", {}, {}), ("", {}, {}),
            (3, {}, {}), ({"a": 1}, {}, {}), (True, {}, {}), ([[]], {}, {}),
            ("spare.yaml", {"spare.yaml": b"training: {epochs: 0}"}, {"file": "spare.yaml", "key": "training.epochs"}),
            ("spare.yaml", {"spare.yaml": b"- 1"}, {"file": "spare.yaml", "key": None, "told": "a list"}),
            ("spare.yaml", {"spare.yaml": b"\n\t"}, {"file": "spare.yaml", "key": None, "told": "line 2"}),
        ])
    )  # fmt: skip
    if more.get("key"):
        raw.get("training", {}).pop("epochs", None)
    return Bad({"exp.yaml": dump_yaml(raw).encode(), **others}, **{"key": "base", **more})


@st.composite
def wrong_upstream(draw):
    raw = draw(EXPERIMENTS)
    upstream, others, more = draw(
        st.sampled_from([
            ("nowhere.yaml", {}, {}),
            ("spare.yml", {"spare.yaml": b""}, {"told": "did you mean 'spare.yaml'"}),
            ("exp.yaml", {}, {"told": "back to where they began"}),
            ("spare.yaml", {"spare.yaml": b"init: {experiment: exp.yaml}"}, {"file": "exp.yaml", "told": "back to"}),
            ("folder", {"folder": None}, {"told": "is a folder"}),
            ("a\0b", {}, {}), ("x" * 300, {}, {}), ("~nobody-of-this-name/x", {}, {}), ("", {}, {}),
            (3, {}, {}), ([], {}, {}), (None, {}, {}), (True, {}, {}), ({}, {}, {}), ({"seed": 3}, {}, {}),
            ({"name": "up", "seed": -1}, {}, {}),
            ({"name": "up", "init": {"experiment": "nowhere.yaml"}}, {}, {}),
            ({"name": "up", "init": {"experiment": "exp.yaml"}}, {}, {}),
            ({"name": "up", "training": {"optimizer": {"name": "adam", "nesterov": True}}}, {}, {}),
            ("spare.yaml", {"spare.yaml": b"seed: -1"}, {"file": "spare.yaml", "key": "seed"}),
            ("spare.yaml", {"spare.yaml": b"seed: *x"}, {"file": "spare.yaml", "key": None, "told": "line 1"}),
        ])
    )  # fmt: skip
    raw["init"] = {"experiment": upstream}
    return Bad({"exp.yaml": dump_yaml(raw).encode(), **others}, **{"key": "init.experiment", **more})


def by_set(raw: dict, override: str, key: str | None, **more: Any) -> Bad:
    return of(raw, key, overrides=(override,), file="--set", **more)


@st.composite
def set_without_a_key(draw):
    wrong = draw(
        st.sampled_from(
            ["=1", " =1", "", "seed", "seed: 3", "..=1", ".seed=1", "seed.=1", "training..epochs=3", "=", "é"]
        )
        | WORDS.filter(lambda word: "=" not in word and "\0" not in word)
        | WORDS.map(lambda word: f"={word}")
    )
    return by_set(draw(EXPERIMENTS), wrong, "", told="write dotted.key=value")


@st.composite
def set_unknown_key(draw):
    raw = draw(EXPERIMENTS)
    at, section, here, right = draw(st.sampled_from(_fields(raw)).filter(lambda field: len(field[3]) > 3))
    assume(at[:2] != ("init", "experiment"))
    wrong = draw(st.sampled_from(typos(right)).filter(lambda word: word not in section.model_fields))
    return by_set(raw, f"{dotted(*at, wrong)}=1", dotted(*at, wrong), misspelt=wrong)


@st.composite
def set_wrong_value(draw):
    raw = draw(EXPERIMENTS)
    at, section, _, key = draw(st.sampled_from(_fields(raw)))
    assume(at[:2] != ("init", "experiment"))
    value = draw(ODD.filter(lambda value: not isinstance(value, dict) and not takes(section, key, value)))
    return by_set(raw, f"{dotted(*at, key)}={dump_yaml(value)}", spoken(at, section, key))


@st.composite
def set_no_yaml(draw):
    raw = draw(EXPERIMENTS)
    at, _, _, key = draw(st.sampled_from(_fields(raw)))
    assume(at[:2] != ("init", "experiment"))
    wrong = draw(
        st.sampled_from([*TAGS, "[", "{", "'", "a: b: c", "*x", "\x01", "\udcff", "@", "[" * 3000, "{a: 1, a: 2}"])
    )
    name = re.escape(dotted(*at, key))
    return by_set(raw, f"{dotted(*at, key)}={wrong}", None, told=rf"--set {name}: line 1\b")


@st.composite
def set_below_a_value(draw):
    """Into a plain value, a short form's or an upstream's, or at a place that a list does not have."""
    raw = draw(EXPERIMENTS) | {
        "seed": 3,
        "model": {"name": "cnn", "blocks": [{"filters": 3}]},
        "training": {"optimizer": "sgd", "validate_at": [1, 2]},
        "init": {"experiment": "up.yaml"},
    }
    wrong = draw(
        st.sampled_from([
            "seed.x", "training.validate_at.0.x", "training.validate_at.2", "training.validate_at.-1", "model.blocks.x",
            "model.blocks.1.filters", "model.blocks.².filters", f"model.blocks.{'9' * 5000}", "model.blocks..filters",
            "training.optimizer.name.x", "training.optimizer.nam", "init.experiment.seed", "init.experiment.training.epochs",
            "training.эпохи", "training.epochs.", "base",
        ])
    )  # fmt: skip
    return by_set(raw, f"{wrong}=1", None, told=re.escape(wrong[:20]))


KINDS = {
    f.__name__: f
    for f in (
        misspelt_key, unknown_key, wrong_value, out_of_range, misspelt_word, missing_key, nested_too_deep, wrong_shape,
        double_key, alias, tag, tab, control_character, not_utf8, garbage, huge_file, cut_short, wrong_base, wrong_upstream,
        set_without_a_key, set_unknown_key, set_wrong_value, set_no_yaml, set_below_a_value,
    )
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@drawn(7, 84)
@given(data=st.data())
def test_a_wrong_experiment_is_refused_with_its_place(cli, tmp_path, kind, data):
    bad: Bad = data.draw(KINDS[kind]())
    for left in tmp_path.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for name, content in {"up.yaml": b"", **bad.files}.items():
        Path(name).mkdir() if content is None else Path(name).write_bytes(content)
    if bad.grown:
        Path("exp.yaml").write_bytes(bad.files["exp.yaml"] + bad.grown.encode() * 1_000_000)
    answer = cli("show", "exp.yaml", *(part for override in bad.overrides for part in ("--set", override)))
    assert (answer.code, answer.out) == (2, ""), answer
    assert answer.err.startswith("error: ") and "Traceback" not in answer.err
    assert len(answer.err) < 3000 + sum(map(len, bad.overrides)), "nobody reads so long a message"
    assert bad.file in answer.err
    if bad.key:
        assert re.search(rf"{re.escape(bad.file)}: {re.escape(bad.key)}[.:]", answer.err), answer.err
    assert re.search(bad.told, answer.err), answer.err
    if bad.misspelt:
        meant = re.search("did you mean '([^']+)'", answer.err)
        assert meant and bad.misspelt in typos(meant[1]), answer.err
