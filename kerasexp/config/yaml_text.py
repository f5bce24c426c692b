"""YAML as kerasexp reads and writes it: safe, with `1e-3` a number and a key given once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from kerasexp.errors import Problem, UserError

MAX_BYTES = 1_000_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader (YAML 1.1) with YAML 1.2's numbers, and without aliases and double keys."""

    def compose_node(self, parent, index):
        # An alias of an alias of an alias fills the memory, and no experiment needs one: `base:` shares what is common.
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*) are not allowed; use base:", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word or a number", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# PyYAML follows YAML 1.1, for which 1e-3 (no dot) is a string.
_FLOAT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*)(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(*_FLOAT)


def parse_yaml(text: str, name: str | None = None) -> Any:
    """Parse YAML text.

    Raises:
        UserError: the text is no YAML, or uses an alias or a key twice; with the line and column.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UserError(Problem(f"{place}{error.problem or error.context}", name)) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(
            Problem(f"cannot be read as YAML: {str(error).splitlines()[0] if str(error) else 'nested too deep'}", name)
        ) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UserError: the file is missing, unreadable, too large, no UTF-8 text, no YAML, or not a mapping.
    """
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(Problem(f"is larger than {MAX_BYTES} bytes, which no experiment is", name))
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(Problem("is not UTF-8 text, so it is no YAML file", name)) from None
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", name)) from None
    content = parse_yaml(text, name)
    if content is None:
        return {}
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


_Dumper.add_representer(list, _short_list)
# A string that the loader would take for a number is written in quotes.
_Dumper.add_implicit_resolver(*_FLOAT)


def dump_yaml(content: Any) -> str:
    """Return `content` as YAML text, keys in the given order, lists of plain values on one line."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
