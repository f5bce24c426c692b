"""Experiments spoilt as text, in a base, in an upstream or by `--set`; see `spoilt_keys`."""

from __future__ import annotations

import re
from typing import Any

import yaml
from drawn_experiments import EXPERIMENTS, WORDS, dotted
from hypothesis import assume
from hypothesis import strategies as st
from spoilt_keys import ODD, Bad, at_line, fields_of, of, takes, typos

from kerasexp.config.yaml_text import dump_yaml


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
    return at_line(text[: mark.index] + again + text[mark.index :], message="given twice")


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
    # As the name of a class, these are the characters that were written.
    assume(
        wrong.startswith("!own") or wrong.startswith("!!python") or "class_names" not in text and "select" not in text
    )
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
    return of(draw(EXPERIMENTS), None, grown=more, message="is larger than 1000000 bytes")


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
            ("spare.yml", {"spare.yaml": b"{}"}, {"message": "did you mean 'spare.yaml'"}),
            (["spare.yaml", "nowhere.yaml"], {"spare.yaml": b"{}"}, {"message": "nowhere.yaml"}),
            (["spare.yaml", 3], {"spare.yaml": b"{}"}, {}),
            ("exp.yaml", {}, {"message": "circle"}),
            ("spare.yaml", {"spare.yaml": b"base: exp.yaml"}, {"message": "circle"}),
            ("folder", {"folder": None}, {"message": "is a folder"}),
            ("a\0b", {}, {}), ("x" * 300, {}, {}), ("~nobody-of-this-name/x", {}, {}), ("", {}, {}),
            (3, {}, {}), ({"a": 1}, {}, {}), (True, {}, {}), ([[]], {}, {}),
            ("spare.yaml", {"spare.yaml": b"training: {epochs: 0}"}, {"file": "spare.yaml", "key": "training.epochs"}),
            ("spare.yaml", {"spare.yaml": b"- 1"}, {"file": "spare.yaml", "key": None, "message": "a list"}),
            ("spare.yaml", {"spare.yaml": b"\n\t"}, {"file": "spare.yaml", "key": None, "message": "line 2"}),
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
            ("spare.yml", {"spare.yaml": b"{}"}, {"message": "did you mean 'spare.yaml'"}),
            ("exp.yaml", {}, {"message": "form a circle"}),
            ("spare.yaml", {"spare.yaml": b"init: {experiment: exp.yaml}"}, {"file": "exp.yaml", "message": "circle"}),
            ("folder", {"folder": None}, {"message": "is a folder"}),
            ("a\0b", {}, {}), ("x" * 300, {}, {}), ("~nobody-of-this-name/x", {}, {}), ("", {}, {}),
            (3, {}, {}), ([], {}, {}), (None, {}, {}), (True, {}, {}), ({}, {}, {}), ({"seed": 3}, {}, {}),
            ({"name": "up", "seed": -1}, {}, {}),
            ({"name": "up", "init": {"experiment": "nowhere.yaml"}}, {}, {}),
            ({"name": "up", "init": {"experiment": "exp.yaml"}}, {}, {}),
            ({"name": "up", "training": {"optimizer": {"name": "adam", "nesterov": True}}}, {}, {}),
            ("spare.yaml", {"spare.yaml": b"seed: -1"}, {"file": "spare.yaml", "key": "seed"}),
            ("spare.yaml", {"spare.yaml": b"seed: *x"}, {"file": "spare.yaml", "key": None, "message": "line 1"}),
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
    return by_set(draw(EXPERIMENTS), wrong, "", message="write dotted.key=value")


@st.composite
def set_unknown_key(draw):
    raw = draw(EXPERIMENTS)
    at, section, here, right = draw(st.sampled_from(fields_of(raw)).filter(lambda field: len(field[3]) > 3))
    assume(at[:2] != ("init", "experiment"))
    wrong = draw(st.sampled_from(typos(right)).filter(lambda word: word not in section.model_fields))
    return by_set(raw, f"{dotted(*at, wrong)}=1", dotted(*at, wrong), misspelt=wrong)


@st.composite
def set_wrong_value(draw):
    raw = draw(EXPERIMENTS)
    at, section, _, key = draw(st.sampled_from(fields_of(raw)))
    assume(at[:2] != ("init", "experiment"))
    value = draw(ODD.filter(lambda value: not isinstance(value, dict) and not takes(section, key, value)))
    return by_set(raw, f"{dotted(*at, key)}={dump_yaml(value)}", dotted(*at, key))


@st.composite
def set_no_yaml(draw):
    raw = draw(EXPERIMENTS)
    at, _, _, key = draw(st.sampled_from(fields_of(raw)))
    assume(at[:2] != ("init", "experiment"))
    wrong = draw(
        st.sampled_from([*TAGS, "[", "{", "'", "a: b: c", "*x", "\x01", "\udcff", "@", "[" * 3000, "{a: 1, a: 2}"])
    )
    name = re.escape(dotted(*at, key))
    return by_set(raw, f"{dotted(*at, key)}={wrong}", None, message=rf"--set {name}: line 1\b")


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
    return by_set(raw, f"{wrong}=1", None, message=re.escape(wrong[:20]))


TEXTS = (
    double_key, alias, tag, tab, control_character, not_utf8, garbage, huge_file, cut_short, wrong_base, wrong_upstream,
    set_without_a_key, set_unknown_key, set_wrong_value, set_no_yaml, set_below_a_value,
)  # fmt: skip
