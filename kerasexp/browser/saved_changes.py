"""A new YAML file with a base and the keys that differ from it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from kerasexp.browser.experiment_draft import Draft
from kerasexp.config import load, resolved_yaml
from kerasexp.config.experiment_catalog import ENDINGS, shipped_experiments
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.errors import Problem, UserError
from kerasexp.storage import safe_name, write_errors, write_text


class FileIsThere(UserError):
    """The file that would be written is there already."""


def save_changes(draft: Draft, name: str, replace: bool = False) -> Path:
    """Write a draft as a YAML file beside the experiment that it changes; beside a shipped one, below `./experiments`.

    Args:
        draft: without problems.
        name: of the file, with or without `.yaml`.
        replace: whether a file of this name may be replaced.

    Raises:
        UserError: the name is not one of a file, or the file would not load to the same experiment.
        FileIsThere: there is such a file, and `replace` is false.
        RunError: the folder cannot be written.
    """
    if draft.asked is None:
        raise UserError(*draft.problems)
    stem = name.strip().removesuffix(".yaml").removesuffix(".yml")
    if not stem or stem != safe_name(stem, ""):
        message = f"got {name.strip()[:80]!r}; a name has letters, digits, `.`, `_` and `-`, and no folder"
        raise UserError(Problem(message, key="save as"))
    folder = draft.file.folder_of_copies()
    path = folder / f"{stem}.yaml"
    if path == draft.file.path or (path.exists() and path.samefile(draft.file.path)):
        raise UserError(
            Problem("is the file that is changed, and cannot be its own base; take another name", path.name)
        )
    if path.exists() and not replace:
        raise FileIsThere(Problem("is there already; tick `replace` to write it anew", str(path)))
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    text = dump_yaml({"base": _base(draft, folder), **_own_keys(draft)})
    _check(draft, text, path)
    write_text(path, text)
    return path


def _base(draft: Draft, folder: Path) -> str:
    if draft.file.path.parent == folder.resolve():
        return draft.file.path.name
    shipped = {path.resolve(): name for name, path in shipped_experiments().items()}
    # A name without an ending would also be that of a folder beside the file.
    return shipped.get(draft.file.path, str(draft.file.path))


def _own_keys(draft: Draft) -> dict[str, Any]:
    """Return the changed keys, nested; of a list that was changed within, all of it."""
    own: dict[str, Any] = {}
    for change in draft.changes:
        parts = change.partition("=")[0].strip().split(".")
        value: Any = draft.values
        kept = []
        for part in parts:
            if not isinstance(value, dict):
                break
            value = value.get(part)
            kept.append(part)
        here = own
        for part in kept[:-1]:
            if not isinstance(here.get(part), dict):
                here[part] = {}
            here = here[part]
        here[kept[-1]] = copy.deepcopy(value)
    return own


def _check(draft: Draft, text: str, path: Path) -> None:
    """Raise UserError unless the file would load to what the page shows, but for its name."""
    trial = path.with_name(f".{path.stem}.trial{ENDINGS[0]}")
    write_text(trial, text)
    try:
        found = load(trial)
    except UserError as error:
        raise UserError(*(Problem(p.message, path.name, p.key) for p in error.problems)) from None
    finally:
        trial.unlink()
    if _without_name(resolved_yaml(found)) != _without_name(resolved_yaml(draft.asked)):
        message = "would not be the same experiment: a path or a file of code is named from the working folder; write it in full"
        raise UserError(Problem(message, path.name))


def _without_name(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.startswith("name: "))
