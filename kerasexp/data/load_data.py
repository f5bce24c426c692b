"""Loading the data of an experiment: prepare them, report them on the console, check that the experiment fits."""

from __future__ import annotations

import time
from dataclasses import replace

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.data_requirements import absence, misfits
from kerasexp.data.file_accounting import fault_lines
from kerasexp.data.prepared_data import DataCache, PreparedData, prepare
from kerasexp.errors import UserError


def load_data(experiment: Experiment, console: Console, cache: DataCache | None = None) -> PreparedData:
    """Return the prepared data of an experiment after checking that the experiment fits them.

    Args:
        experiment: resolved and validated.
        console: where the data, a stand-in and images left out are reported.
        cache: searched first; keeps the prepared data.

    Raises:
        UserError: the data are not available, or the experiment does not fit them.
        RunError: an image cannot be read, and `data.on_corrupt` is `error`.
    """
    data = prepare_data(experiment, console, cache)
    if problems := misfits(experiment, data):
        raise UserError(*problems)
    if sentence := absence(data):
        console.warning(sentence)
    return data


def prepare_data(experiment: Experiment, console: Console, cache: DataCache | None = None) -> PreparedData:
    """Return the prepared data as `load_data` does, without the check."""
    start = time.perf_counter()
    data = None if cache is None else cache.get(experiment.data)
    if data is None:
        with console.bar("decoding images", 1) as bar:
            data = prepare(experiment.data, bar.progress)
        if cache is not None:
            cache.keep(experiment.data, data)
    data = replace(data, seconds=time.perf_counter() - start)
    _report(experiment, data, console)
    return data


def _report(experiment: Experiment, data: PreparedData, console: Console) -> None:
    if data.stand_in:
        console.warning(f"STAND-IN: {data.stand_in}")
    counts = ", ".join(f"{len(split)} {name}" for name, split in data.splits.items())
    classes = len(data.class_names)
    several = ", several an image" if experiment.data.multi_label else ""
    console.line(f"{experiment.name}: {data.origin}: {classes} classes{several}, {counts}  ({data.seconds:.1f} s)")
    for note in data.notes:
        console.line(note)
    for sentence in data.edits:
        console.line(f"labels: {sentence}")
    for line in fault_lines(data.faults):
        console.line(line)
