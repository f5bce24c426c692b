"""Valid experiments for tests, drawn from the typed sections themselves, so that a new key is tested without a change here.

Rules that tie several keys together are met afterwards.
"""

from __future__ import annotations

import os
import types
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from kerasexp.config import Experiment, Init
from kerasexp.config.application_facts import APPLICATIONS
from kerasexp.config.custom_code import CustomCode
from kerasexp.config.data_section import FILE_SOURCES
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.config.section_base import ClassName, ShortForm, composed, tags
from kerasexp.config.space_section import KINDS
from kerasexp.config.track_section import Track, TrackerWords
from kerasexp.config.yaml_merging import KIND_KEYS

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


# A mapping with one of the keys of a domain is one.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda word: word not in KINDS)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
CLASS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
CLASS = CLASS.filter(lambda name: name.strip() and name not in KINDS).map(composed)
CLASS_NAMES = st.lists(CLASS, min_size=2, max_size=5, unique=True).map(lambda words: {w: w[::-1] for w in words})
# Kind of code of a user -> a function of `code_of_a_user.py`. Its keys are no keys of ours; test_custom_code.py spoils them.
CODE = {"augmentation": "brighten", "metric": "kappa", "callback": "Watch"}
# Values that the type alone does not give.
KNOWN = {
    "name": NAMES,
    "class_names": CLASS_NAMES,
    "groups": st.sampled_from([None, r"-(\d+)\.", "(.)"]),
    "fold": st.integers(0, 1),
    "range": st.sampled_from([None, [0.0, 4095.0], [-1.0, 1.0]]),
    "license": st.sampled_from([None, "mit", "CC-BY-4.0"]),
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


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def values(annotation: Any, metadata: list | tuple = ()) -> st.SearchStrategy:
    if annotation == ClassName:
        return CLASS
    kinds = members(annotation, metadata)
    notes = (*metadata, *(get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()))
    words = [words_for(kinds, form) for form in notes if isinstance(form, ShortForm)]
    return st.one_of([_of_one_type(kind, limits) for kind, limits in kinds] + words)


def code(kind: type[CustomCode]) -> str:
    """A reference to code of a user of this kind."""
    return f"{Path(__file__).with_name('code_of_a_user.py')}:{CODE[kind.code_kind.name]}"


def words_for(kinds: list[tuple[Any, dict]], form: ShortForm) -> st.SearchStrategy:
    """The plain words that may stand for a section; those of a source that needs a path are none."""
    if any(is_section(kind) and issubclass(kind, CustomCode) for kind, _ in kinds):
        return st.just(code(kinds[0][0]))
    if isinstance(form, TrackerWords):
        name = st.sampled_from(list(Track.model_fields))
        return name | st.lists(name, min_size=1, max_size=3)
    fields = [kind.model_fields[form.key].annotation for kind, _ in kinds if is_section(kind)]
    literals = [k for field in fields for k, _ in members(field) if get_origin(k) is Literal]
    words = [word for literal in literals for word in get_args(literal) if word not in FILE_SOURCES]
    return st.sampled_from(words) if words else WORDS.filter(bool)


def _of_one_type(kind: Any, limits: dict[str, Any]) -> st.SearchStrategy:
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    fewest = limits.get("min_length", 0)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is list:
        return st.lists(values(get_args(kind)[0]), min_size=fewest, max_size=limits.get("max_length", fewest + 2))
    if get_origin(kind) is dict:
        names = CLASS if get_args(kind)[0] == ClassName else WORDS
        return st.dictionaries(names, values(get_args(kind)[1]), min_size=fewest, max_size=3)
    if kind is float:
        open_ends = {"exclude_min": "gt" in limits, "exclude_max": "lt" in limits}
        return st.floats(low, high, allow_nan=False, allow_infinity=False, **open_ends)
    if kind is int:
        return st.integers(low, high - 1 if "lt" in limits else high)
    if is_section(kind) and issubclass(kind, CustomCode):
        return st.fixed_dictionaries({"name": st.just(code(kind))})
    if is_section(kind):
        return sections(kind)
    words = WORDS.filter(lambda text: len(text) >= fewest)
    return {bool: st.booleans(), str: words, types.NoneType: st.none()}[kind]


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
    return values(field.annotation, field.metadata) if section is not Init or key != "experiment" else st.none()


def _starts_anew(raw: dict) -> bool:
    return raw.get("init") is None


def _consistent(section: type[BaseModel], raw: dict[str, Any]) -> dict[str, Any]:
    if "source" in section.model_fields:
        raw.pop("path", None)
        if raw["source"] in FILE_SOURCES:
            raw["path"] = "images.zip"
    if "framing" in section.model_fields and raw.pop("window", None) is not None:
        raw |= {"framing": "window", "window": [0.14, 0, 0.95, 1]}
    if section is Init and raw["experiment"] == "up.yaml":
        raw.pop("pseudo_labels", None)  # it learns from ordinary labels
    model = raw.get("model")
    if section is Experiment and (model["name"] if isinstance(model, dict) else model) in APPLICATIONS:
        data = raw.get("data", "mnist")
        raw["data"] = {"source": data} if isinstance(data, str) else data
        raw["data"]["preprocessing"] = {**raw["data"].get("preprocessing", {}), "size": [40, 32], "channels": 3}
    return raw


def sound(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out what breaks a rule that ties several keys together; a value that is wrong by itself must not be drawn."""
    while True:
        try:
            broken = [tuple(key.split(".")) for key, _ in broken_rules(Experiment.model_validate(raw))]
        except ValidationError as error:
            broken = [detail["loc"] for detail in error.errors() if detail["type"] == "value_error"]
            assert broken, error
        if not broken:
            return raw
        # Where nothing of the key is there, its default does not suit the network of this experiment.
        here, key, part = raw, "model", raw
        for name in broken[0]:
            if isinstance(part, dict) and name in part:
                here, key, part = part, name, part[name]
                if name == "experiment":
                    here, key = part, "model"
        del here[key]


@st.composite
def experiments(draw) -> dict[str, Any]:
    return sound(draw(sections(Experiment)))


EXPERIMENTS = experiments()


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
        items = [member for kind in classes if get_origin(kind) is list for member, _ in members(get_args(kind)[0])]
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            for kind in (*classes, *items):
                is_this = is_section(kind) and isinstance(item, dict)
                if is_this and (not tags(kind) or {item.get("name"), item.get("kind")} & {*tags(kind)}):
                    yield from sections_in(item, kind, (*at, key, *([index] if isinstance(value, list) else [])))
