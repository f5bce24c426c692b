"""The keys of an experiment that name code of users: found, and their files with other paths, in raw and in typed experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from kerasexp.config.code_reference import code_files, digest_of, find_code, is_code, is_reference, located
from kerasexp.config.custom_code import CustomCode, signature_of
from kerasexp.config.loss_section import Loss
from kerasexp.config.model_section import Model
from kerasexp.config.section_base import tags

# Keys under which a string may be code.
KEYS = {"data", "source", "test", "offline", "model", "loss", "name", "layers", "metrics", "callbacks", "choice"}
# Key of a section, or of a list of them -> kind of code.
KINDS = {
    "model": "model",
    "loss": "loss",
    "source": "source",
    "layers": "augmentation",
    "metrics": "metric",
    "callbacks": "callback",
}
# Names of networks and losses of kerasexp.
OURS = {*tags(Model), *tags(Loss)}


def custom_parts(part: Any, at: str = "") -> Iterator[tuple[str, CustomCode]]:
    """Yield the dotted key and the section of all code of users that an experiment, or a part of one, asks for."""
    if isinstance(part, CustomCode):
        yield at, part
    elif isinstance(part, BaseModel):
        for key in type(part).model_fields:
            yield from custom_parts(getattr(part, key), f"{at}.{key}".lstrip("."))
    elif isinstance(part, list):
        for position, item in enumerate(part):
            yield from custom_parts(item, f"{at}.{position}")


def locate_code(node: Any, folders: tuple[Path, ...], key: str = "") -> Any:
    """Return keys of an experiment with the absolute path of each file of code, which is relative to one of the folders."""
    if isinstance(node, dict):
        return {k: locate_code(value, folders, str(k).rpartition(".")[2]) for k, value in node.items()}
    if isinstance(node, list):
        return [locate_code(item, folders, key) for item in node]
    return located(node, *folders) if isinstance(node, str) and key in KEYS else node


def moved_code(node: Any, moved: Mapping[str, str], key: str = "") -> Any:
    """Return keys of an experiment with other references to code in place of some."""
    if isinstance(node, dict):
        return {k: moved_code(value, moved, k) for k, value in node.items()}
    if isinstance(node, list):
        return [moved_code(item, moved) for item in node]
    return moved.get(node, node) if key == "name" and isinstance(node, str) else node


def code_digests(raw: Any) -> dict[str, str]:
    """Return, by reference, the digests of the code that keys of an experiment name; what cannot be read is left out."""
    found = {}
    for name in sorted(set(code_names(raw))):
        with suppress(ValueError):
            found[name] = digest_of(code_files(find_code(name, "model")))
    return found


def code_names(node: Any) -> Iterator[str]:
    """Yield each reference among the keys of an experiment, domains included."""
    if isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from code_names(item)
    elif is_reference(node):
        yield node


def locate_paths(node: Any, locate: Callable[[str], str], key: str = "") -> None:
    """Make the files absolute that functions of users take: the values of parameters with the annotation `Path`."""
    if isinstance(node, list):
        for item in node:
            locate_paths(item, locate, key)
    elif isinstance(node, dict):
        for inner, value in node.items():
            locate_paths(value, locate, inner)
        if key in KINDS and isinstance(name := node.get("name"), str):
            for path in _path_keys(name, KINDS[key]) & node.keys():
                if isinstance(node[path], str):
                    node[path] = locate(node[path])


def _path_keys(name: str, kind: str) -> set[str]:
    # Looking for what installed packages register takes time.
    if name in OURS or not is_code(name, kind):
        return set()
    try:
        parameters = signature_of(find_code(name, kind)).parameters
    except ValueError:  # the problem is found when the section is validated
        return set()
    return {key for key, parameter in parameters.items() if parameter.is_path}
