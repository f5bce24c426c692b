"""Which code of users may run: that of an experiment in its own folder, and what the user has said to trust, by its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kerasexp.config import Experiment, Search, Study
from kerasexp.config.code_keys import code_names, custom_parts
from kerasexp.config.code_reference import code_files
from kerasexp.config.custom_code import CustomCode
from kerasexp.config.experiment_catalog import named_experiment, shipped_experiments
from kerasexp.config.search_section import MOST_CORNERS
from kerasexp.config.yaml_paths import is_there
from kerasexp.environment import now
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.storage import exclusive_lock, write_json

# Digests that may run in this process, beside those in the file.
_granted: set[str] = set()


def trust_file() -> Path:
    """Return the file that remembers the digests of trusted code, in the user's folder of settings."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "kerasexp" / "trusted_code.json"


def trusted_digests() -> frozenset[str]:
    """Return the digests of all code that may run."""
    return frozenset(_granted | _remembered().keys())


def is_trusted(code: CustomCode) -> bool:
    """Return whether code may run: its digest is trusted, or an installed package registers it for this purpose."""
    return code.reference.registered is not None or code.digest in trusted_digests()


def grant(digests: Iterable[str]) -> None:
    """Let code with these digests run in this process, without remembering it."""
    _granted.update(digests)


def remember(parts: Iterable[CustomCode]) -> None:
    """Let code run, now and later, until it is changed."""
    new = {code.digest: code for code in parts if code.reference.registered is None}
    grant(new)
    if not new.keys() - _remembered().keys():
        return
    file = trust_file()
    # A home that cannot be written is asked again next time.
    with suppress(OSError, RunError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(file.with_name(f".{file.name}.lock"), lambda: None):
            added = {digest: {"code": code.name, "since": now()} for digest, code in new.items()}
            write_json(file, {**added, **_remembered()})


def _remembered() -> dict[str, object]:
    with suppress(OSError, ValueError):
        content = json.loads(trust_file().read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def approve(asked: Experiment | Study | Search, file: Path | None, trust_code: bool = False) -> None:
    """Let the code run that a user has asked for.

    That is the code in the folder of the experiment's file and below, and with `trust_code` all of it. Both are remembered.

    Args:
        asked: what is to be run.
        file: the experiment's file; None if there is none.
        trust_code: whether the user has said to trust the code.

    Raises:
        UserError: there is other code, whose digest is not remembered.
    """
    approve_parts(list(code_of(asked)), None if file is None else str(file), _own_folder(file), trust_code)


def code_questions(asked: Experiment | Study | Search, file: Path) -> list[Problem]:
    """Return what `approve` would refuse without `trust_code`; nothing is remembered."""
    return questions_about(list(code_of(asked)), str(file), _own_folder(file))


def grant_own(asked: Experiment | Study | Search, file: Path) -> None:
    """Let the code run that is in the folder of an experiment's file, should it be run in this process; run nothing now."""
    folder = _own_folder(file)
    grant(code.digest for _, code in code_of(asked) if _is_within(code, folder))


def _own_folder(file: Path | None) -> Path | None:
    """Return the folder of an experiment's file, or of what is named; None if it is that of a run, which may be a stranger's.

    Code beside the name of a shipped experiment is that of the working folder.
    """
    if file is None:
        return None
    named = None if is_there(file) and file.is_file() else named_experiment(file)
    if named is not None and named.path not in shipped_experiments().values():
        file = named.path
    folder = file.resolve().parent
    return None if is_run_directory(folder) else folder


def approve_parts(
    parts: Iterable[tuple[str, CustomCode]], named: str | None, folder: Path | None, trust_code: bool
) -> None:
    """As `approve`, for (dotted key, code) with messages that name a file or checkpoint; `folder` is the user's own."""
    parts = [(key, code) for key, code in parts if code.reference.registered is None]
    problems = [] if trust_code else questions_about(parts, named, folder)
    if problems:
        raise UserError(*problems)
    remember(code for _, code in parts if trust_code or _is_within(code, folder))


def questions_about(parts: Iterable[tuple[str, CustomCode]], named: str | None, folder: Path | None) -> list[Problem]:
    """Return a problem for each piece of code that is neither in the user's own folder nor known."""
    parts = list(parts)
    known = trusted_digests() | {code.digest for _, code in parts if _is_within(code, folder)}
    strange = ((key, code) for key, code in parts if code.reference.registered is None and code.digest not in known)
    return list({code.digest: Problem(_question(code), named, key) for key, code in strange}.values())


def _is_within(code: CustomCode, folder: Path | None) -> bool:
    reference = code.reference
    if folder is None or reference.module is not None:
        return False
    # A module beside it may be a link to one of somebody else's.
    beside = reference.file.parent
    return all((beside / path).resolve().is_relative_to(folder) for path in code_files(reference))


def _question(code: CustomCode) -> str:
    return (
        f"the code of {code.reference.file} (SHA-256 {code.digest}) would run with all your rights, and it is not yours: it is "
        "neither in the folder of the experiment nor known here. Read it; if you trust it, add --trust-code once, to `check`, "
        "`run`, `search` or `predict`. That is remembered until the code changes"
    )


def require_trust(code: CustomCode) -> None:
    """Raise UserError unless code may run."""
    if not is_trusted(code):
        raise UserError(Problem(_question(code), code.name))


def is_run_directory(folder: Path) -> bool:
    """Return whether a folder is that of a run, whose code is a copy and may be anyone's."""
    return (folder / "manifest.json").exists()


def code_of(asked: Experiment | Study | Search) -> Iterator[tuple[str, CustomCode]]:
    """Yield the dotted key and the section of all code that is asked for; of a search, that of its corners."""
    for experiment in experiments_of(asked, lambda raw: "init" in raw or any(code_names(raw))):
        yield from custom_parts(experiment)


def experiments_of(
    asked: Experiment | Study | Search, is_relevant: Callable[[dict[str, Any]], bool]
) -> Iterator[Experiment]:
    """Yield the experiments that may run code of others.

    Args:
        asked: an experiment; a study, which has those of its variants; or a search, which has those at the corners of its space:
            every choice is among them.
        is_relevant: is given the keys of a search, and says whether its corners matter; to resolve them takes time.
    """
    if isinstance(asked, Experiment):
        yield asked
    elif isinstance(asked, Study):
        yield from asked.variants.values()
    else:
        if is_relevant(asked.space.raw):
            yield from map(asked.experiment, asked.space.corners(MOST_CORNERS))
        if asked.against is not None:
            yield asked.against
