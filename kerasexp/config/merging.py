"""Keys put over keys: a file over its base, `--set` over a file. What belongs to another kind of thing is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasexp.config.model import in_full
from kerasexp.config.space import is_domain
from kerasexp.config.validation import shown
from kerasexp.config.yaml_text import is_text, parse_yaml
from kerasexp.errors import Problem, UserError

# Where a section's kind changes, what belongs to the old kind goes: the keys of an mlp mean nothing to a cnn (all of
# them), nor the path of one source to another (these only; how images are split and preprocessed stays).
KIND_KEYS = ("name", "source")
SOURCE_KEYS = ("path", "class_names", "first_classes", "fold")
# The key that a plain word stands for where a mapping may be written: `optimizer: adam` is `optimizer: {name: adam}`.
SHORT_FORMS = {
    "optimizer": "name",
    "loss": "name",
    "schedule": "name",
    "decode": "name",
    "checkpoint": "keep",
    "fine_tune": "unfreeze",
    "runtime": "devices",
    "offline": "source",
    "test": "source",
}


def merge(base: Any, own: Any, file: str | None, files: dict[tuple, str], at: tuple = ()) -> Any:
    """Return `base` changed by what `own` says, whose keys are from `file`; neither is changed."""
    if isinstance(own, dict) and isinstance(base, str) and at and at[-1] in SHORT_FORMS:
        base = {SHORT_FORMS[at[-1]]: base}
    # A domain is one value.
    if is_domain(own) or is_domain(base) or not (isinstance(base, dict) and isinstance(own, dict)):
        _note_file(own, file, files, at)
        return own
    result = dict(base)
    for key in KIND_KEYS:
        if at and key in own:
            _change_kind(result, key, own[key])
    for key, value in own.items():
        if key in result:
            result[key] = merge(result[key], value, file, files, (*at, key))
        else:
            result[key] = value
            _note_file(value, file, files, (*at, key))
    return result


def _note_file(value: Any, file: str | None, files: dict[tuple, str], at: tuple) -> None:
    if file is None:  # noted when it was read
        return
    files[at] = file
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        _note_file(item, file, files, (*at, key))


def _change_kind(section: dict[str, Any], key: str, kind: Any) -> None:
    """Drop from a section what belongs to its old kind, where `kind` is another."""
    if section.get(key, kind) != kind:
        for name in SOURCE_KEYS if key == "source" else list(section):
            section.pop(name, None)


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str], files: dict[tuple, str]) -> None:
    """Set keys as `--set` asks for them, in `raw`.

    Kinds first: what is set together with a kind is meant for it, whichever was written first.

    Raises:
        UserError: one of them cannot be read, or there is no such place.
    """
    for override in sorted(overrides, key=lambda text: text.partition("=")[0].rpartition(".")[2] not in KIND_KEYS):
        _apply_override(raw, override, files)


def _apply_override(raw: dict[str, Any], override: str, files: dict[tuple, str]) -> None:
    """Set one key as `--set` asks for it.

    Raises:
        UserError: it cannot be read, or there is no such place.
    """
    dotted, equals, text = override.partition("=")
    if not equals or not all(dotted.strip().split(".")) or not is_text(dotted):
        raise UserError(Problem(f"got {shown(override)}; write dotted.key=value, such as training.epochs=3", "--set"))
    if dotted.strip() == "base":
        raise UserError(Problem("is read before anything is set; write it into the file", "--set", "base"))
    set_key(raw, dotted, parse_yaml(text, f"--set {dotted}"), "--set", files)


def set_key(raw: dict[str, Any], dotted: str, value: Any, file: str, files: dict[tuple, str]) -> None:
    """Set `dotted` to `value`, or merge it in where both are mappings; the sections above it are made.

    Raises:
        UserError: there is no such place.
    """
    *parents, last = dotted.strip().split(".")
    here: Any = raw
    at: tuple = ()
    for part in parents:
        at = (*at, _key_in(here, part, dotted, file))
        here = _opened(here, at, file, files, dotted)
    key = _key_in(here, last, dotted, file)
    at = (*at, key)
    if isinstance(here, dict) and isinstance(here.get(key), dict) and isinstance(value, dict):
        here[key] = merge(here[key], value, file, files, at)
        return
    if parents and key in KIND_KEYS:
        _change_kind(here, key, value)
    here[key] = value
    _note_file(value, file, files, at)


def _key_in(here: dict | list, part: str, dotted: str, file: str) -> str | int:
    if isinstance(here, dict):
        return part
    positions = {str(position): position for position in range(len(here))}
    if part not in positions:
        raise UserError(Problem(f"{shown(part)} is no position in a list of {len(here)}, counted from 0", file, dotted))
    return positions[part]


def _opened(here: dict | list, at: tuple, file: str, files: dict[tuple, str], dotted: str) -> dict | list:
    """Return what is under the last key of `at`, as a mapping where it is a short form or nothing yet."""
    key = at[-1]
    found = here.get(key) if isinstance(here, dict) else here[key]
    if isinstance(found, dict | list):
        return found
    if at == ("init", "experiment"):
        raise UserError(Problem("the keys of an upstream experiment are set in its own file", file, dotted))
    if found is None:
        here[key] = {}
        files[at] = file
    elif key in SHORT_FORMS and isinstance(found, str):
        here[key] = {SHORT_FORMS[key]: found}
    elif at[:-1] == ("model", "blocks") and isinstance(found, str):
        here[key] = in_full(found)
    else:
        raise UserError(Problem(f"'{key}' is {shown(found)}, which has no keys; set it as a whole", file, dotted))
    return here[key]
