"""Preprocessed images as CSV, for programs that read no other format."""

from __future__ import annotations

from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.load_data import prepare_data
from kerasexp.data.sources.csv import write_csv
from kerasexp.errors import Problem, UserError
from kerasexp.storage import new_folder, write_errors


def export_csv(experiment: Experiment, folder: Path, console: Console) -> Path:
    """Write `train.csv`, `val.csv` and `test.csv` into a new folder and return it.

    Raises:
        UserError: the folder already exists, or the data cannot be prepared.
        RunError: the folder cannot be written.
    """
    if folder.exists():
        raise UserError(Problem("already exists; choose another folder", str(folder), "--output"))
    data = prepare_data(experiment, console)
    with write_errors(folder), new_folder(folder) as temporary:
        for name, split in data.splits.items():
            write_csv(temporary / f"{name}.csv", split.images, [data.class_names[label] for label in split.labels])
    return folder
