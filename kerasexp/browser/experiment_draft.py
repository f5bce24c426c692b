"""A file and changes of its keys, before they become a job: what is wrong, the resolved YAML, the form, the command."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasexp.browser.experiment_fields import ExperimentField, experiment_fields
from kerasexp.browser.launchable_files import LaunchableFile
from kerasexp.config import Experiment, Search, Study, resolved_yaml
from kerasexp.config import load as load_file
from kerasexp.config.space_section import has_domains
from kerasexp.config.yaml_loading import with_base
from kerasexp.config.yaml_merging import apply_overrides
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.console import command_line
from kerasexp.custom.trust import code_questions
from kerasexp.errors import Problem, UserError
from kerasexp.saving.teacher_checkpoints import teacher_questions

KEPT, ADDED, DROPPED = " ", "+", "-"
MOST_JOBS = 64


@dataclass(frozen=True)
class LaunchOptions:
    """Options of the command.

    Attributes:
        jobs: runs or trials in parallel, of a study or a search.
        quick: a study with fewer images and seeds.
        trust_code: let code run that is not the user's.
    """

    jobs: int = 1
    quick: bool = False
    trust_code: bool = False


@dataclass(frozen=True)
class Draft:
    """What a file and changes of it ask for.

    Attributes:
        file: the file.
        changes: `key=value` texts, as `--set` takes them.
        asked: the experiment, study or search; None if something is wrong.
        problems: what is wrong, with dotted keys.
        questions: code that would only run if the user trusts it.
        values: the keys with the changes; None if these cannot be read.
        in_file: the keys of the file with its bases; None if it cannot be read.
    """

    file: LaunchableFile
    changes: tuple[str, ...] = ()
    asked: Experiment | Study | Search | None = None
    problems: tuple[Problem, ...] = ()
    questions: tuple[Problem, ...] = ()
    values: dict[str, Any] | None = field(default=None, compare=False)
    in_file: dict[str, Any] | None = field(default=None, compare=False)

    @property
    def kind(self) -> str:
        """What it is: run, study or search."""
        if isinstance(self.asked, Study):
            return "study"
        return "search" if isinstance(self.asked, Search) or has_domains(self.values) else "run"

    def fields(self) -> list[ExperimentField]:
        """Return the form; nothing if the file or a change cannot be read."""
        return [] if self.values is None or self.in_file is None else experiment_fields(self.values, self.in_file)

    def yaml_lines(self) -> list[tuple[str, str]]:
        """Return the lines of the resolved YAML, each with its mark: kept, added or dropped; none if something is wrong."""
        if self.asked is None:
            return []
        now = resolved_yaml(self.asked).splitlines()
        before = _file_lines(self.file.path, self.kind)
        return list(_marked(now if before is None else before, now))

    def arguments(self, options: LaunchOptions, *more: object) -> list[str]:
        """Return the arguments of the command that runs it."""
        given: list[object] = [part for change in self.changes for part in ("--set", change)]
        if self.kind != "run" and options.jobs > 1:
            given += ["--jobs", options.jobs]
        if self.kind == "study" and options.quick:
            given.append("--quick")
        if options.trust_code:
            given.append("--trust-code")
        command = "search" if self.kind == "search" else "run"
        return [command, self.file.name, *map(str, (*given, *more))]

    def command(self, options: LaunchOptions) -> str:
        """Return the command as a user types it."""
        return command_line(*self.arguments(options))


def draft_of(file: LaunchableFile, changes: Sequence[str]) -> Draft:
    """Return the draft of a file and changes, as `key=value`; nothing is raised for what is wrong with them."""
    changes = tuple(changes)
    try:
        in_file = with_base(file.path, {})
    except UserError as error:
        return Draft(file, changes, problems=tuple(error.problems))
    values = copy.deepcopy(in_file)
    problems = list(_apply(values, changes))
    if problems:
        return Draft(file, changes, problems=tuple(problems), in_file=in_file)
    try:
        asked = load_file(file.path, changes)
    except UserError as error:
        return Draft(file, changes, problems=tuple(error.problems), values=values, in_file=in_file)
    questions = (*code_questions(asked, file.path), *teacher_questions(asked))
    return Draft(file, changes, asked, (), questions, values, in_file)


def changes_of(text: str) -> list[str]:
    """Return the changes in a text: one a line, as `key=value`; a line that begins with a space continues the one before."""
    changes: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith((" ", "\t")) and changes:
            changes[-1] += f"\n{line}"
        elif line.strip() and not line.startswith("#"):
            changes.append(line.rstrip())
    return [change.rstrip() for change in changes]


def _apply(values: dict[str, Any], changes: Sequence[str]) -> Iterator[Problem]:
    """Apply changes; yield for each that cannot be read a problem with its key."""
    readable = []
    for change in changes:
        try:
            apply_overrides(copy.deepcopy(values), [*readable, change], {})
            readable.append(change)
        except UserError as error:
            key = change.partition("=")[0].strip()
            yield from (Problem(problem.message, None, key) for problem in error.problems)
    apply_overrides(values, readable, {})


def _file_lines(path: Path, kind: str) -> list[str] | None:
    """Return the lines of the YAML that a changed file is compared with; None if the file alone is not valid.

    Args:
        path: of the file.
        kind: of what the changed file asks for; a search writes no defaults.
    """
    try:
        asked = load_file(path)
        if (kind == "search") != isinstance(asked, Search):
            return dump_yaml(with_base(path, {})).splitlines()
        if kind == "study" and isinstance(asked, Experiment):
            asked = Study(asked.name, {asked.name: asked}, [asked.seed])
        return resolved_yaml(asked).splitlines()
    except UserError:
        return None


def _marked(before: list[str], now: list[str]) -> Iterator[tuple[str, str]]:
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    for kind, low, high, first, last in matcher.get_opcodes():
        if kind == "equal":
            yield from ((KEPT, line) for line in now[first:last])
        else:
            yield from ((DROPPED, line) for line in before[low:high])
            yield from ((ADDED, line) for line in now[first:last])
