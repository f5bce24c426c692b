"""YAML as kerasexp reads and writes it: safe, with `1e-3` a number and a key given once."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from kerasexp.errors import Problem, UserError

MAX_BYTES = 1_000_000
# The deepest files that make sense are upstream experiments within each other, at some four levels each.
MAX_DEPTH = 100
# Python refuses to print numbers of more than 4,300 digits, which have some 14,000 bits.
MAX_BITS = 10_000
# Mappings whose keys are names, and lists of names: `010`, `1.10` and `no` are these characters there, not 8, 1.1 and false.
NAMES = (
    ("variants",), ("labels", "keep"), ("labels", "select"), ("class_names",), ("zero_shot", "outputs"), ("loss", "class_weights"),
)  # fmt: skip
NAME_LISTS, NAME_MAPS = (("labels", "select"),), (("class_names",),)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader (YAML 1.1) with the numbers of YAML 1.2, and without aliases and duplicate keys.

    Everything that it refuses raises MarkedYAMLError, which has the line.
    """

    depth = 0

    def compose_node(self, parent, index):
        # Aliases of aliases can fill the memory, and no experiment needs them: `base:` shares common keys.
        if self.check_event(yaml.events.AliasEvent):
            raise _refusal("aliases (*) are not allowed; use base:", self.peek_event())
        if self.depth >= MAX_DEPTH:
            raise _refusal(f"cannot be read as YAML: nested deeper than {MAX_DEPTH} levels", self.peek_event())
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node, deep=False):
        try:
            value = super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            # PyYAML raises these for `!!bool x`, `!!int ''`, `2001-99-99` and the like.
            kind = node.tag.rpartition(":")[2]
            reason = f" ({error})" if isinstance(error, ValueError) else ""
            raise _refusal(
                f"cannot be read as YAML: {str(node.value)[:40]!r} is not a valid {kind}{reason}", node
            ) from None
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise _refusal("cannot be read as YAML: the number is too long", node)
        if isinstance(value, str) and not is_text(value):
            raise _refusal("cannot be read as YAML: half a character (a lone surrogate)", node)
        return value

    def construct_mapping(self, node, deep=False):
        if not isinstance(node, yaml.MappingNode):
            raise _refusal(f"a mapping of keys is needed here, not a {node.id}", node)
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise _refusal("a key must be a word or a number", key_node)
            if key in seen:
                raise _refusal(f"the key '{key}' is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _refusal(problem: str, at: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, at.start_mark)


# PyYAML follows YAML 1.1, for which 010 is 8, 1:30 is 90, and 1e-3 (no dot) is a string.
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _NUMBERS.get(tag, pattern)) for tag, pattern in found]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*)(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(*_FLOAT)
_TEXT = "tag:yaml.org,2002:str"
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null", "timestamp", "merge", "value")}


def is_text(word: str) -> bool:
    """Return whether a string is valid Unicode; one from the command line may hold surrogates for invalid bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def _keep_names(node: yaml.Node, path: tuple[str, ...]) -> None:
    """Turn plain scalars that are names into strings, so that they keep the characters that were written.

    Args:
        node: is changed, and everything in it.
        path: the keys that lead to it, without positions in lists and the `choice` of a domain.
    """
    names = _ends(path, NAMES)
    if isinstance(node, yaml.SequenceNode):
        nested = any(isinstance(item, yaml.SequenceNode) for item in node.value)
        for item in node.value:
            if _ends(path, NAME_LISTS) and isinstance(item, yaml.ScalarNode) and not nested:
                _as_text(item)
            _keep_names(item, path)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "choice" and isinstance(value, yaml.SequenceNode):
                _keep_names(value, path)
                continue
            if names and isinstance(key, yaml.ScalarNode):
                _as_text(key)
            if _ends(path, NAME_MAPS) and isinstance(value, yaml.ScalarNode):
                _as_text(value)
            elif isinstance(key, yaml.ScalarNode) and (not names or path == ("variants",)):
                _keep_names(value, (*path, *key.value.split(".")))


def _as_text(node: yaml.ScalarNode) -> None:
    # An explicit tag, such as !own, is refused as everywhere.
    if node.tag in _PLAIN:
        node.tag = _TEXT


def _ends(path: tuple[str, ...], keys: tuple[tuple[str, ...], ...]) -> bool:
    return any(path[-len(end) :] == end and (end != ("variants",) or path == end) for end in keys)


def parse_yaml(text: str, name: str | None = None, at: tuple[str, ...] = ()) -> Any:
    """Parse YAML text.

    Args:
        text: the text.
        name: of the file, for messages.
        at: the keys that lead to the value, of an override.

    Raises:
        UserError: the text is not YAML, or has an alias or a duplicate key; with line and column.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode) and _ends(at[:-1], NAME_LISTS + NAME_MAPS):
            _as_text(node)
        _keep_names(node, at)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UserError(Problem(f"{place}{error.problem or error.context}", name)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"the character {error.character:#06x} is not allowed in it"
        raise UserError(Problem(f"line {line}: cannot be read as YAML: {character}", name)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UserError: the file is missing, unreadable, too large, not UTF-8 text, not YAML, empty, or not a mapping.
    """
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(Problem(f"is larger than {MAX_BYTES} bytes, too large for an experiment", name))
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(Problem(f"line {line}: is not UTF-8 text, so it is not a YAML file", name)) from None
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", name)) from None
    content = parse_yaml(text, name)
    if content is None:
        raise UserError(
            Problem("is empty; write a key, such as 'data: digits', or {} for the default experiment", name)
        )
    if not isinstance(content, dict):
        raise UserError(
            Problem(f"holds a {type(content).__name__}, and an experiment is a mapping such as 'seed: 0'", name)
        )
    return content


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def _short_list(dumper: yaml.SafeDumper, items: list) -> yaml.Node:
    flat = all(isinstance(item, str | int | float | bool | None) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # In single quotes PyYAML writes any kind of line break unchanged, and reads it as another kind.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(list, _short_list)
_Dumper.add_representer(str, _string)
# A string that the loader would read as a number is written in quotes.
_Dumper.add_implicit_resolver(*_FLOAT)


def dump_yaml(content: Any) -> str:
    """Return `content` as YAML text, keys in the given order, lists of plain values on one line."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _LineDumper(_Dumper):
    pass


_LineDumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


def yaml_line(value: Any) -> str:
    """Return a value as YAML on one line, as `--set` takes it."""
    if value is None or isinstance(value, str | int | float):
        return _scalar_line(type(value), value)
    return _line(value)


@lru_cache(maxsize=4096)
def _scalar_line(kind: type, value: Any) -> str:
    # `kind` distinguishes 1 from 1.0 and true, which are equal.
    return _line(value)


def _line(value: Any) -> str:
    text = yaml.dump(
        value, Dumper=_LineDumper, sort_keys=False, allow_unicode=True, width=math.inf, default_flow_style=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
