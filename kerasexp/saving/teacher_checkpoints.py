"""The checkpoints that an experiment learns from: their folders, and what a run is known by of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kerasexp.config import Experiment, Search, Study
from kerasexp.config.yaml_paths import find_file
from kerasexp.custom.trust import experiments_of
from kerasexp.errors import Problem, UserError
from kerasexp.saving.checkpoint import CLASSES, MODEL, find_checkpoint
from kerasexp.saving.checkpoint_code import approve_checkpoint, checkpoint_questions
from kerasexp.saving.json_values import mapping_of
from kerasexp.storage import digest_of_file

KEY = "training.distill.checkpoint"


def teacher_folder(name: str) -> Path:
    """Return the checkpoint folder that an experiment names: by a path, or by the name of a shipped checkpoint.

    Raises:
        UserError: under the key; there is none.
    """
    try:
        return find_checkpoint(find_file(name) or Path(name))
    except UserError as error:
        raise at_key(error) from None


def teacher_digest(name: str) -> str:
    """Return the digests of a teacher's model and of its classes; raises as `teacher_folder`."""
    folder = teacher_folder(name)
    return f"{digest_of_file(folder / MODEL)} {digest_of_file(folder / CLASSES)}"


def trust_teachers(asked: Experiment | Study | Search) -> None:
    """Let the code run that the teachers of an experiment, of a study or of a search need, now and later.

    Raises:
        UserError: there is no such checkpoint.
    """
    for name in _teachers(asked):
        approve_checkpoint(teacher_folder(name), trust_code=True)


def teacher_questions(asked: Experiment | Study | Search) -> list[Problem]:
    """Return a problem for each teacher whose code nobody has trusted yet; a teacher that cannot be read is left out."""
    found: list[Problem] = []
    for name in _teachers(asked):
        with suppress(UserError):
            found += checkpoint_questions(teacher_folder(name))
    return found


def _teachers(asked: Experiment | Study | Search) -> list[str]:
    """Return the names of all checkpoints that are learned from, each once."""
    found = experiments_of(asked, lambda raw: "init" in raw or "distill" in mapping_of(raw.get("training")))
    sections = (each.training.distill for experiment in found for each in _with_upstream(experiment))
    return list(dict.fromkeys(name for distill in sections if distill is not None for name in distill.checkpoints))


def _with_upstream(experiment: Experiment) -> Iterator[Experiment]:
    yield experiment
    if experiment.init is not None and isinstance(experiment.init.experiment, Experiment):
        yield from _with_upstream(experiment.init.experiment)


def at_key(error: UserError) -> UserError:
    """Return the problems of a checkpoint as those of the key that names it."""
    return UserError(*(Problem(f"{problem.file}: {problem.message}", key=KEY) for problem in error.problems))
