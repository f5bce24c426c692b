"""Keys merged into keys: those of a file into its base's, those of `--set` into the file's.

Where the kind of a section changes, the keys that belong to the old kind are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasexp.config.data_section import DataSource
from kerasexp.config.experiment import Experiment
from kerasexp.config.model_section import BaseBlock
from kerasexp.config.section_base import KIND_KEYS, ShortForm, is_section, members, short_forms, tags
from kerasexp.config.section_validation import quoted
from kerasexp.config.space_section import is_domain
from kerasexp.config.yaml_text import is_text, parse_yaml
from kerasexp.errors import Problem, UserError

# By the name of a key, how a plain word stands for the mapping there.
# A source stays a plain word, unless it is a function of a user, which has keys.
SHORT_FORMS = short_forms(Experiment) | {"source": ShortForm()}


def merge(base: Any, own: Any, file: str | None, files: dict[tuple, str], at: tuple = ()) -> Any:
    """Return `base` changed by `own`, whose keys are from `file`; neither is changed."""
    form = _short_form(at)
    if isinstance(own, dict) and isinstance(base, str | list) and form is not None:
        base = form.in_full(base)
    own = _source_in_full(own, at)
    # A domain is one value.
    if is_domain(own) or is_domain(base) or not (isinstance(base, dict) and isinstance(own, dict)):
        _note_file(own, file, files, at)
        return own
    result = dict(base)
    if form is not None and form.key in own:
        _change_kind(result, form.key, own[form.key])
    for key, value in own.items():
        if key in result:
            result[key] = merge(result[key], value, file, files, (*at, key))
        else:
            result[key] = value
            _note_file(value, file, files, (*at, key))
    return result


def _short_form(at: tuple) -> ShortForm | None:
    """Return the short form of the section at a path; the items of a list share that of the key of the list."""
    return SHORT_FORMS.get(next((part for part in reversed(at) if isinstance(part, str)), None))


def _source_in_full(value: Any, at: tuple) -> Any:
    """Write `data: digits` in full: the word replaces the source only, not how images are split and preprocessed.

    In all other sections a word replaces everything.
    """
    is_data = at == ("data",) or at[-3:] == ("init", "experiment", "data")  # and no argument of a user's function
    return {"source": value} if is_data and isinstance(value, str) else value


def _note_file(value: Any, file: str | None, files: dict[tuple, str], at: tuple) -> None:
    if file is None:  # noted when it was read
        return
    files[at] = file
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        _note_file(item, file, files, (*at, key))


def _change_kind(section: dict[str, Any], key: str, kind: Any) -> None:
    """Drop from a section the keys that belong to its old kind, if `kind` is another.

    These are all keys of a network, a loss and so on; the path and the like of a source; what not all blocks have.
    """
    if key in KIND_KEYS and _word(section.get(key, kind)) != _word(kind):
        kept = {"name": (), "source": section.keys() - DataSource.model_fields, "kind": BaseBlock.model_fields}[key]
        for name in section.keys() - kept:
            del section[name]


def _word(kind: Any) -> Any:
    return kind.get("name") if isinstance(kind, dict) else kind


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str], files: dict[tuple, str]) -> None:
    """Set keys in `raw` as `--set` asks.

    Sections come before keys within them, and of a section its kind: keys that are set together with a kind are meant for it,
    whatever their order.

    Raises:
        UserError: an override cannot be read, or its key has no place.
    """
    for override in sorted(overrides, key=lambda text: outer_first(text.partition("=")[0])):
        _apply_override(raw, override, files)


def outer_first(dotted: str) -> tuple[int, bool]:
    """Return the sort key of a dotted key: how deep it is, and whether it is something else than a kind."""
    dotted = dotted.strip()
    return dotted.count("."), dotted.rpartition(".")[2] not in KIND_KEYS


def _apply_override(raw: dict[str, Any], override: str, files: dict[tuple, str]) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not all(dotted.strip().split(".")) or not is_text(dotted):
        raise UserError(Problem(f"got {quoted(override)}; write dotted.key=value, such as training.epochs=3", "--set"))
    if dotted.strip() == "base":
        raise UserError(Problem("is read before any key is set; write it into the file", "--set", "base"))
    set_key(raw, dotted, parse_yaml(text, f"--set {dotted}", tuple(dotted.strip().split("."))), "--set", files)


def set_key(raw: dict[str, Any], dotted: str, value: Any, file: str, files: dict[tuple, str]) -> None:
    """Set `dotted` to `value`, or merge `value` in where both are mappings; missing sections above it are made.

    Raises:
        UserError: there is no such place.
    """
    *parents, last = dotted.strip().split(".")
    here: Any = raw
    at: tuple = ()
    for part in parents:
        at = (*at, _key_in(here, part, dotted, file))
        here = _opened(raw, here, at, file, files, dotted)
    key = _key_in(here, last, dotted, file)
    at = (*at, key)
    value = _source_in_full(value, at)
    if isinstance(here, dict) and isinstance(here.get(key), dict | str) and isinstance(value, dict):
        here[key] = merge(here[key], value, file, files, at)
        return
    if (form := _short_form(at[:-1])) is not None and form.key == key:
        _change_kind(here, key, value)
    here[key] = value
    _note_file(value, file, files, at)


def _key_in(here: dict | list, part: str, dotted: str, file: str) -> str | int:
    if isinstance(here, dict):
        return part
    positions = {str(position): position for position in range(len(here))}
    if part not in positions:
        message = f"{quoted(part)} is not a position in a list of {len(here)}, counted from 0"
        raise UserError(Problem(message, file, dotted))
    return positions[part]


def _opened(
    raw: dict[str, Any], here: dict | list, at: tuple, file: str, files: dict[tuple, str], dotted: str
) -> dict | list:
    """Return the value under the last key of `at`; a short form is written in full, and a missing one is the default."""
    key = at[-1]
    found = here.get(key) if isinstance(here, dict) else here[key]
    form = _short_form(at)
    if isinstance(found, list) and form is not None:
        found = here[key] = form.in_full(found)
    if isinstance(found, dict | list):
        return found
    if at == ("init", "experiment"):
        raise UserError(Problem("the keys of an upstream experiment are set in its own file", file, dotted))
    if found is None:
        here[key] = _default(raw, at)
        files[at] = file
    elif form is not None and isinstance(found, str):
        here[key] = form.in_full(found)
    else:
        raise UserError(Problem(f"'{key}' is {quoted(found)}, which has no keys; set it as a whole", file, dotted))
    return here[key]


def _default(raw: dict[str, Any], at: tuple) -> dict | list:
    """Return the part of the default at a path that keys within it need.

    These are all items of a list, or the name of the default model; other sections begin empty.
    """
    section: Any = Experiment
    for key in at[:-1]:
        raw = raw[key]
        info = section.model_fields.get(key)
        kinds = [] if info is None else [member for member in members(info.annotation) if is_section(member)]
        words = {raw.get("name"), raw.get("kind")} if isinstance(raw, dict) else set()
        named = [kind for kind in kinds if words & {*tags(kind)}]
        section = next(iter(named or kinds), None)
        if section is None:
            return {}
    info = section.model_fields.get(at[-1])
    default = None if info is None else info.get_default(call_default_factory=True)
    if isinstance(default, list):
        return section.model_construct(**{at[-1]: default}).model_dump(mode="json", include={at[-1]})[at[-1]]
    return {"name": default.name} if at == ("model",) else {}
