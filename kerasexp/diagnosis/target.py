"""The data that a diagnosis is asked for: a source, a path or an experiment's file; and their loading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from kerasexp.config import Experiment, experiment_from, load_experiment
from kerasexp.config.data_section import FILE_SOURCES, Preprocessing, SourceName
from kerasexp.config.experiment_catalog import named_experiment
from kerasexp.config.yaml_paths import find_file, is_there, places
from kerasexp.console import Console
from kerasexp.data.dataset_statistics import image_statistics, merge_statistics, summarize
from kerasexp.data.file_accounting import fault_lines
from kerasexp.data.new_recipes import suggest_preprocessing
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.data.sources.image_table import PARQUET, lists_names, names_images
from kerasexp.diagnosis.image_diagnosis import StoredImages, check_stored_images
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.storage import safe_name

YAML = (".yaml", ".yml")
# Source by the end of a file's name; a CSV file may be a table of images as well.
FILES = {".zip": "image_folder", ".npz": "npz", ".csv": "csv", **dict.fromkeys((".tsv", ".txt", *PARQUET), "table")}


@dataclass(frozen=True)
class Target:
    """The data to diagnose.

    Attributes:
        source: as the user gave it: a name, a path, or an experiment's file.
        experiment: one with these data.
        from_file: False if the experiment was made for a bare source.
    """

    source: str
    experiment: Experiment
    from_file: bool


def resolve_target(source: str, data_path: str | None, overrides: Sequence[str]) -> Target:
    """Return the data given by a source's name, a path, or an experiment's file.

    Raises:
        UserError: it is none of them, or the experiment is invalid.
    """
    if source.lower().endswith(YAML) or (source not in get_args(SourceName) and _is_name(source)):
        if data_path is not None:
            raise UserError(Problem("the experiment file names the data; remove this option", key="--data-path"))
        return Target(source, load_experiment(source, overrides), from_file=True)
    raw = {"source": source, **({} if data_path is None else {"path": data_path})}
    if source not in get_args(SourceName):
        raw = {"source": _source_of(source), "path": source}
        if data_path is not None:
            raise UserError(Problem(f"'{source}' is a path already; remove this option", key="--data-path"))
    elif source in FILE_SOURCES and data_path is None:
        raise UserError(Problem(f"{source} needs a file or folder", key="--data-path"))
    name = safe_name(Path(source).name, "data")
    return Target(source, experiment_from({"name": name, "data": raw}, overrides), from_file=False)


def _is_name(source: str) -> bool:
    """Return whether a source is the name of an experiment, and no path."""
    return not is_there(Path(source)) and named_experiment(source) is not None


def _source_of(path: str) -> str:
    """Return the name of the source that reads a file or folder."""
    found = find_file(path)
    if found is None:
        sources = get_args(SourceName)
        raise UserError(
            Problem(
                f"got '{path}'{closest(path, sources)}; it is neither a source ({listing(sources)}) nor a file or folder at "
                f"{listing(places(path))}",
                key="SOURCE",
            )
        )
    if found.is_dir():
        return "image_folder"
    name = FILES.get(found.suffix.lower())
    if name == "csv" and (names_images(found) or lists_names(found)):
        return "table"
    if name is None:
        allowed = listing([*FILES, *YAML])
        raise UserError(Problem(f"is not a source; allowed: a folder, or a file that ends in {allowed}", str(found)))
    return name


def check_files(target: Target, console: Console) -> tuple[StoredImages | None, Preprocessing]:
    """Check images as they are stored; return the result and the preprocessing: as configured, or suggested by the images."""
    source: Source = load_source(target.experiment.data)[0]
    with console.bar("checking the image files", 1) as bar:
        statistics = [image_statistics(images, bar.progress) for images in source.splits.values() if len(images)]
    preprocessing = target.experiment.data.preprocessing
    if not any(len(split.names) for split in statistics):
        return None, preprocessing
    if not target.from_file and preprocessing == Preprocessing():
        # Without `invert`, so that inverted images are found; `diagnose` inverts them for its models.
        suggested = {**suggest_preprocessing(summarize(source, statistics)).value, "invert": False, "contrast": "none"}
        preprocessing = Preprocessing.model_validate(suggested)
    return check_stored_images(merge_statistics(statistics)), preprocessing


def load_target(target: Target, preprocessing: Preprocessing, console: Console) -> PreparedData:
    """Return the splits of a user's experiment as a run has them, those of a bare source as they are stored."""
    section = target.experiment.data.model_copy(update={"preprocessing": preprocessing})
    with console.bar("decoding images", 1) as bar:
        data = prepare(section, bar.progress, hold_out_missing=target.from_file)
    if data.stand_in:
        console.warning(f"STAND-IN: {data.stand_in}")
    for line in (*data.notes, *fault_lines(data.faults)):
        console.line(line)
    return data
