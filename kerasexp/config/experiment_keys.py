"""Every key of an experiment file with its dotted path, for suggestions."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import get_args, get_origin

from pydantic import BaseModel

from kerasexp.config.section_base import is_section, members
from kerasexp.errors import closest

# How similar a word must be to a key of the same section to be a misspelling of it, and to a key of another section.
ALIKE, ALIKE_ELSEWHERE = 0.8, 0.75
MOST_SUGGESTED = 3


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'training.epochs'?` for an unknown key; an empty string if no key is near.

    A misspelt key of the same section comes first, then the same key in another section, then whatever is nearest.

    Args:
        word: the unknown key, without the section that it is in.
        allowed: the keys of that section.
    """
    allowed, elsewhere = list(allowed), _paths_by_key()
    here = max((_likeness(word, key) for key in allowed), default=0.0)
    if here < ALIKE and word in elsewhere:
        shortest = min(path.count(".") for path in elsewhere[word])
        paths = [path for path in elsewhere[word] if path.count(".") == shortest][:MOST_SUGGESTED]
        return f"; did you mean {' or '.join(repr(path) for path in paths)}?"
    if here < ALIKE:
        nearest = max(elsewhere, key=lambda key: _likeness(word, key))
        if _likeness(word, nearest) >= max(ALIKE_ELSEWHERE, here):
            return f"; did you mean '{min(elsewhere[nearest], key=len)}'?"
    return closest(word, allowed)


def _likeness(word: str, key: str) -> float:
    return SequenceMatcher(None, word.lower(), key.lower()).ratio()


@functools.cache
def _paths_by_key() -> dict[str, list[str]]:
    """Return, by the last part of a key, the dotted paths that end in it, those of the experiment first."""
    from kerasexp.config.experiment import Experiment
    from kerasexp.config.search_section import SearchKeys
    from kerasexp.config.study_section import StudyKeys

    found: dict[str, dict[str, None]] = defaultdict(dict)
    for path in (*_paths(Experiment, ""), *_paths(SearchKeys, "search."), *_paths(StudyKeys, "")):
        found[path.rpartition(".")[2]][path] = None
    return {key: list(paths) for key, paths in found.items()}


def _paths(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for key, field in section.model_fields.items():
        path = f"{prefix}{key}"
        yield path
        for member in members(field.annotation):
            is_list = get_origin(member) is list
            for inner in members(get_args(member)[0]) if is_list else (member,):
                # An upstream experiment has its own file.
                if is_section(inner) and path != "init.experiment":
                    yield from _paths(inner, f"{path}.0." if is_list else f"{path}.")


@functools.cache
def experiment_keys() -> frozenset[str]:
    """Return the keys that the file of an experiment, a study or a search may have, without those within sections."""
    from kerasexp.config.execution_section import ExecutionKeys
    from kerasexp.config.experiment import Experiment
    from kerasexp.config.study_section import StudyKeys

    sections = (Experiment, StudyKeys, ExecutionKeys)
    return frozenset({"base", "search", *(key for section in sections for key in section.model_fields)})
