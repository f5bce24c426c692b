"""The checkpoints that an experiment learns from: their folders, and what a run is known by of them."""

from __future__ import annotations

from pathlib import Path

from kerasexp.config import Experiment, Study
from kerasexp.config.yaml_paths import find_file
from kerasexp.errors import Problem, UserError
from kerasexp.saving.checkpoint import CLASSES, MODEL, find_checkpoint
from kerasexp.saving.checkpoint_code import approve_checkpoint
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


def trust_teachers(asked: Experiment | Study) -> None:
    """Let the code run that the teachers of an experiment, or of the variants of a study, need, now and later.

    Raises:
        UserError: there is no such checkpoint.
    """
    experiments = asked.variants.values() if isinstance(asked, Study) else [asked]
    distilled = [experiment.training.distill for experiment in experiments if experiment.training.distill is not None]
    for name in dict.fromkeys(name for distill in distilled for name in distill.checkpoints):
        approve_checkpoint(teacher_folder(name), trust_code=True)


def at_key(error: UserError) -> UserError:
    """Return the problems of a checkpoint as those of the key that names it."""
    return UserError(*(Problem(f"{problem.file}: {problem.message}", key=KEY) for problem in error.problems))
