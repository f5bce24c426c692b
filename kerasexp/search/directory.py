"""The search directory: keras-tuner's files, the run of each trial, and the files beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from kerasexp.config.search_section import Search
from kerasexp.config.space_section import is_domain
from kerasexp.config.track_section import TRACK
from kerasexp.errors import Problem, UserError
from kerasexp.runs.directory import RunDirectory, numbered_runs
from kerasexp.storage import copy_folder, write_json, write_text

# Settings that decide which trials are proposed; the others may change when a search is resumed.
IDENTITY_SETTINGS = ("algorithm", "objective", "seed", "initial", "factor", "iterations", "variables")
# These algorithms propose from the current space; the others lay out their trials at the start.
EXTENDABLE = ("random", "bayesian")


class SearchDirectory:
    """The files of one search."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def find(
        cls, search: Search, where: Path | None, extend: bool, runs: Path = Path("runs")
    ) -> SearchDirectory | None:
        """Return the directory that holds this search, or None if there is none.

        Args:
            search: what to look for.
            where: the directory; None for the newest match below `runs/<name>`.
            extend: whether to accept a search with narrower domains.
            runs: the folder of all runs.

        Raises:
            UserError: `where` holds something else, or there is no search that can be extended.
        """
        identity = identity_of(search)
        paths = [where] if where is not None else [run.path for run in numbered_runs(runs / search.name)]
        found = [(cls(path), held) for path in paths if (held := cls(path).read().get("identity")) is not None]
        for directory, held in found:
            if held == identity:
                return directory
        if found and (extend or where is not None):
            directory, held = found[0]
            if extend and may_extend(held, identity):
                return directory
            advice = (
                "--extend accepts only wider domains, in a random or bayesian search" if extend else "or see --extend"
            )
            message = "holds a search with other settings; use another --run-dir"
            raise UserError(Problem("; ".join([message, advice, *differences(held, identity)]), str(directory.path)))
        if extend:
            raise UserError(Problem("there is no search to extend", str(where or runs / search.name), "--extend"))
        if where is not None:
            RunDirectory.refuse_occupied(where)
        return None

    @classmethod
    def create(cls, search: Search, where: Path | None, runs: Path = Path("runs")) -> SearchDirectory:
        """Create the directory `where`, or else the next number below `runs/<name>`; raise UserError if that fails."""
        return cls(RunDirectory.create_place(search.name, where, runs))

    summary = property(lambda self: self.path / "search.json")
    yaml = property(lambda self: self.path / "search.yaml")
    trials = property(lambda self: self.path / "trials.csv")
    best = property(lambda self: self.path / "best.yaml")
    checkpoint = property(lambda self: self.path / "checkpoint")
    confirmation = property(lambda self: self.path / "confirmation")
    page = property(lambda self: self.path / "search.html")
    plots = property(lambda self: self.path / "plots")
    tensorboard = property(lambda self: self.path / "tensorboard")

    def run(self, trial: str) -> RunDirectory:
        """Return the run of one trial."""
        return RunDirectory(self.path / f"trial_{trial}" / "run")

    def locked(self) -> AbstractContextManager[None]:
        """Lock the directory for this process; see `RunDirectory.locked`."""
        return RunDirectory(self.path).locked()

    def read(self) -> dict[str, Any]:
        """Return the content of `search.json`, or an empty dict if it cannot be read."""
        with suppress(OSError, ValueError):
            content = json.loads(self.summary.read_text(encoding="utf-8", errors="surrogateescape"))
            return content if isinstance(content, dict) else {}
        return {}

    def write(self, search: Search, content: dict[str, Any]) -> None:
        """Write `search.json`: the search's identity and `content`."""
        write_json(self.summary, {"name": search.name, "identity": identity_of(search), **content})

    def drop_weights(self, trial: str) -> None:
        """Delete the weights of one trial; its metrics stay."""
        run = self.run(trial)
        run.model.unlink(missing_ok=True)
        shutil.rmtree(run.state, ignore_errors=True)

    def keep_best(self, trial: str, text: str) -> None:
        """Write `best.yaml`, and copy the checkpoint of the best trial beside it."""
        write_text(self.best, text)
        copy_folder(self.run(trial).checkpoint, self.checkpoint)


def identity_of(search: Search) -> dict[str, Any]:
    """Return everything that decides which trials are proposed, as JSON values."""
    settings = search.settings.model_dump(mode="json", include=set(IDENTITY_SETTINGS))
    code = {"code": search.code} if search.code else {}
    keys = {key: value for key, value in search.space.raw.items() if key != TRACK}
    return json.loads(json.dumps({"keys": keys, "search": settings, **code}))


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the differences between two identities, one line each."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        f"{key}: {_shown(old, key)} there, {_shown(new, key)} here"
        for key in dict.fromkeys([*old, *new])
        if old.get(key, ...) != new.get(key, ...)
    ]


def may_extend(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether a search may continue another: they differ at most in domains that are wider now."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    if now["search"]["algorithm"] not in EXTENDABLE or set(old) != set(new):
        return False
    return all(old[key] == new[key] or _is_wider(old[key], new[key]) for key in old)


def _is_wider(old: Any, new: Any) -> bool:
    if not (is_domain(old) and is_domain(new) and set(old) == set(new)):
        return False
    if "choice" in old:
        return old.get("when") == new.get("when") and all(value in new["choice"] for value in old["choice"])
    kind = next((kind for kind in ("int", "float") if kind in old), None)
    same = all(old[key] == new[key] for key in old if key != kind)
    return same and kind is not None and new[kind][0] <= old[kind][0] and old[kind][1] <= new[kind][1]


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every leaf; a domain is a leaf."""
    if isinstance(node, dict) and not is_domain(node):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(isinstance(value, dict) for value in node):
        for position, value in enumerate(node):
            yield from _leaves(value, f"{path}.{position}")
    else:
        yield path, node


def _shown(leaves: dict[str, Any], key: str) -> str:
    return json.dumps(leaves[key], ensure_ascii=False) if key in leaves else "not set"
