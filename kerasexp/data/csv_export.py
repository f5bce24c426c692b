"""Preprocessed images as CSV, for programs that read nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.load import prepare_data
from kerasexp.data.sources.csv import write_csv
from kerasexp.errors import Problem, RunError, UserError


def write_packed(experiment: Experiment, folder: Path, console: Console) -> Path:
    """Write `train.csv`, `val.csv` and `test.csv` into a new folder and return it.

    Raises:
        UserError: the folder is there already, or the data cannot be prepared.
        RunError: the disk is full.
    """
    if folder.exists():
        raise UserError(Problem("is there already; name another", str(folder), "--output"))
    data = prepare_data(experiment, console)
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        for name, split in data.splits.items():
            write_csv(temporary / f"{name}.csv", split.images, [data.class_names[label] for label in split.labels])
        temporary.chmod(0o755)
        os.rename(temporary, folder)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder
