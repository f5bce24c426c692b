"""What is to be run, where, and what it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.runs.directory import RunDirectory


@dataclass(frozen=True)
class RunRequest:
    """What is to be run, and where.

    Attributes:
        experiment: resolved and validated.
        run_dir: the directory to make; None for the next number below `runs/<name>`.
        resume: continue an unfinished run of the same content and data where there is one, upstream runs included; or a
            finished one for more epochs.
        earlier: directories of runs, of which one that is this very run is copied to `run_dir` where nothing is there.
        is_upstream: whether another run starts from it; a finished run of the same content and data will do then.
        is_trial: whether it is a trial of a search, which is evaluated on `val` alone: the test split must not choose.
        parent: the directory of a trial of fewer epochs, which this one continues.
        is_part: whether it belongs to a study or a search, which sends its runs to trackers.
    """

    experiment: Experiment
    run_dir: Path | None = None
    resume: bool = False
    earlier: Sequence[Path] = ()
    is_upstream: bool = False
    is_trial: bool = False
    parent: Path | None = None
    is_part: bool = False


@dataclass(frozen=True)
class Upstream:
    """A finished run to start from.

    Attributes:
        run: its directory.
        key: its identity.
        stand_ins: those of its data, which concern the run that starts from it too.
    """

    run: RunDirectory
    key: str
    stand_ins: list[str]
