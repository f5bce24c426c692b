"""`diagnose`: what is wrong with a data set, as sentences, as JSON, and as a page."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from kerasexp.config import Experiment, experiment_from, load_experiment
from kerasexp.config.data import FILE_SOURCES, Preprocessing, SourceName
from kerasexp.config.files import find_file, places
from kerasexp.console import Console
from kerasexp.data.new_experiment import suggest_preprocessing
from kerasexp.data.prepared_data import PreparedData, Split, prepare
from kerasexp.data.preprocessing import preprocess_array
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.data.survey import image_statistics, merge_statistics, summarize
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.image_checks import Stored, find_odd_files
from kerasexp.diagnosis.label_reviews import by_cross_validation, can_cross_validate
from kerasexp.diagnosis.page import write_diagnosis_page
from kerasexp.diagnosis.reference_checkpoint import (
    fitting_checkpoints,
    judged_by_checkpoint,
    matched_share,
    shared_classes,
)
from kerasexp.diagnosis.results import FEWEST, Diagnosis, JudgedLabels, look_at, meant_scores
from kerasexp.diagnosis.summary import as_json, as_text
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.saving.checkpoint import load_checkpoint

YAML, ARCHIVES = (".yaml", ".yml"), {".zip": "image_folder", ".npz": "npz", ".csv": "csv"}
# Beside the package, where it is run from the project's folder.
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"
# A checkpoint is asked about so many images of a split; a shipped one only has to say whether names are permuted.
ASKED, ASKED_OF_SHIPPED = 30_000, 3000
# A checkpoint knows these images if it and the cross-validated models group so large a share of them alike.
KNOWS = 0.5


@dataclass(frozen=True)
class Asked:
    """What is to be diagnosed: a section `data` of an experiment, and whether that is a user's or made for a bare source."""

    experiment: Experiment
    from_file: bool


def diagnose(
    source: str,
    data_path: str | None,
    reference: Path | None,
    overrides: Sequence[str],
    output: Path,
    format: str,
    seed: int,
    console: Console,
) -> str:
    """Diagnose a source or an experiment's data, write the page, and return the findings as text or JSON.

    Args:
        source: name of a source, its file or folder, or an experiment's YAML file.
        data_path: file or folder of a source that is given by its name.
        reference: a checkpoint that knows the true classes; None: models are cross-validated on the labels themselves.
        overrides: `dotted.key=value`, as for `run`.
        output: the HTML file to write.
        format: `table` or `json`.
        seed: of samples, parts and weights.
        console: where progress is shown.

    Raises:
        UserError: there is no such source, checkpoint or folder, or they do not fit each other.
    """
    if output.suffix not in (".html", ".htm"):
        raise UserError(Problem("the page's name must end in .html", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    asked = what_is_asked(source, data_path, overrides)
    checkpoint = None if reference is None else load_checkpoint(reference)
    start = time.perf_counter()
    stored, how = _look_at_files(asked, console)
    data = _read(asked, how, console)
    if checkpoint is not None:
        shared_classes(data.class_names, checkpoint)
    splits = {name: replace(split, images=_one_polarity(split.images, asked)) for name, split in data.splits.items()}
    look = look_at(data.splits, data.class_names, seed)
    if checkpoint is not None:
        labels, notes = _by_reference(asked, data, checkpoint, f"the reference {reference}", seed, console), []
    else:
        labels, notes = _by_the_labels(asked, data, splits, seed, console)
    diagnosis = Diagnosis(look, labels, stored, notes)
    training = asked.experiment.training if asked.from_file else None
    section = asked.experiment.data.model_copy(update={"preprocessing": how})
    advice = advise(diagnosis, section, data.folders, training)
    console.line(f"diagnosed in {time.perf_counter() - start:.1f} s")
    about = {"source": source, "origin": data.origin, "stand_in": data.stand_in, "label_edits": data.edits}
    write_diagnosis_page(output, asked.experiment.name, about, data.faults, diagnosis, advice)
    if format == "json":
        told = {**about, **as_json(diagnosis, advice), "page": str(output)}
        told["left_out"] = [{"file": name, "reason": reason} for name, reason in data.faults]
        return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join([*as_text(diagnosis, advice), str(output)])


def what_is_asked(source: str, data_path: str | None, overrides: Sequence[str]) -> Asked:
    """Return what is meant by a source's name, a path, or an experiment's file.

    Raises:
        UserError: it is none of them, or the experiment is not valid.
    """
    if source.lower().endswith(YAML):
        if data_path is not None:
            raise UserError(Problem("an experiment names its data itself; leave this out", key="--data-path"))
        return Asked(load_experiment(source, overrides), from_file=True)
    raw = {"source": source, **({} if data_path is None else {"path": data_path})}
    if source not in get_args(SourceName):
        raw = {"source": _kind_of(source), "path": source}
        if data_path is not None:
            raise UserError(Problem(f"'{source}' is a path already; leave this out", key="--data-path"))
    elif source in FILE_SOURCES and data_path is None:
        raise UserError(Problem(f"{source} needs a file or folder", key="--data-path"))
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in Path(source).name).strip("._-")
    return Asked(experiment_from({"name": name[:100] or "data", "data": raw}, overrides), from_file=False)


def _kind_of(path: str) -> str:
    """Return the kind of source that a file or folder is."""
    found = find_file(path)
    if found is None:
        sources = get_args(SourceName)
        raise UserError(
            Problem(
                f"got '{path}'{closest(path, sources)}; it is no source ({listing(sources)}), and no file or folder at "
                f"{listing(places(path))}",
                key="SOURCE",
            )
        )
    if found.is_dir():
        return "image_folder"
    kind = ARCHIVES.get(found.suffix.lower())
    if kind is None:
        allowed = listing([*ARCHIVES, *YAML])
        raise UserError(
            Problem(f"is no source; a folder, or a file that ends in {allowed}, is needed here", str(found))
        )
    return kind


def _look_at_files(asked: Asked, console: Console) -> tuple[Stored | None, Preprocessing]:
    """Look at images as they are stored; return what is odd and how to read them: as asked for, or as suits them."""
    source: Source = load_source(asked.experiment.data)[0]
    with console.bar("looking at the images", 1) as bar:
        looked = [image_statistics(images, bar.progress) for images in source.splits.values() if len(images)]
    how = asked.experiment.data.preprocessing
    if not looked or not any(len(part.names) for part in looked):
        return None, how
    if not asked.from_file and how == Preprocessing():
        # Read as they are, so that what is inverted is seen; the models are given one polarity afterwards.
        suited = {**suggest_preprocessing(summarize(source, looked)).value, "invert": False, "contrast": "none"}
        how = Preprocessing.model_validate(suited)
    return find_odd_files(merge_statistics(looked)), how


def _read(asked: Asked, how: Preprocessing, console: Console) -> PreparedData:
    """Return the splits of a user's experiment as a run has them, those of a bare source as they are stored."""
    section = asked.experiment.data.model_copy(update={"preprocessing": how})
    with console.bar("decoding images", 1) as bar:
        data = prepare(section, bar.progress, hold_out_missing=asked.from_file)
    if data.stand_in:
        console.line(f"STAND-IN: {data.stand_in}")
    for name, reason in data.faults:
        console.line(f"left out: {name}: {reason}")
    return data


def _one_polarity(images: np.ndarray, asked: Asked) -> np.ndarray:
    """Return images of a bare source as a reasonable experiment would have them; a user's as they are."""
    if asked.from_file or images.shape[-1] != 1:
        return images
    how = Preprocessing(size=list(images.shape[1:3]), channels=1, invert="auto")
    return preprocess_array(np.asarray(images), how)


def _by_reference(
    asked: Asked, data: PreparedData, checkpoint, name: str, seed: int, console: Console
) -> list[JudgedLabels]:
    """Judge train and test by a checkpoint, on images that are preprocessed as it wants them."""
    console.line(f"asking {name} about the images")
    wanted = _read(asked, checkpoint.preprocessing, Console(quiet=True)).splits
    judged = [split for split in ("train", "test") if split in wanted]
    positions = {split: stratified_sample(wanted[split].labels, ASKED, seed) for split in judged}
    return judged_by_checkpoint(wanted, positions, data.class_names, checkpoint, name)


def _by_the_labels(
    asked: Asked, data: PreparedData, splits: dict[str, Split], seed: int, console: Console
) -> tuple[list[JudgedLabels], list[str]]:
    """Judge the labels by models that learn them, and their names by a shipped checkpoint where one knows them."""
    if not can_cross_validate(splits["train"]):
        why = f"{len(splits['train'])} images of {len(np.unique(splits['train'].labels))} classes"
        return [], [
            f"The labels are not judged: train has {why}, and cross-validation needs {FEWEST} of two. A --reference "
            "checkpoint could judge them."
        ]
    console.line("learning the labels three times, each time from a third of train, to judge them on the rest")
    with console.bar("cross-validating", 1) as bar:
        labels, found = by_cross_validation(splits, data.class_names, seed, bar.progress)
    names, note = _names_by_shipped(asked, data, labels[0], found.y_score, seed, console)
    return labels + names, [note] if note else []


def _names_by_shipped(
    asked: Asked, data: PreparedData, judged: JudgedLabels, y_score: np.ndarray, seed: int, console: Console
) -> tuple[list[JudgedLabels], str | None]:
    """Ask a shipped checkpoint of the same classes whether the names are permuted; return that they are, or a note."""
    cannot = (
        "That all names are permuted cannot be excluded: models that learn the labels learn their permutation as well. "
        "A --reference checkpoint could tell"
    )
    meant = meant_scores(y_score, judged.verdict)
    if meant is None:
        return [], None
    reasons = []
    for path in fitting_checkpoints(data.class_names, list(dict.fromkeys([Path("checkpoints"), SHIPPED]))):
        checkpoint = load_checkpoint(path)
        console.line(f"asking {path}, which has the same class names, whether they are permuted")
        wanted = _read(asked, checkpoint.preprocessing, Console(quiet=True)).splits
        chosen = stratified_sample(judged.opinion.labels, ASKED_OF_SHIPPED, seed)
        positions = {"train": judged.positions[chosen]}
        said = judged_by_checkpoint(wanted, positions, data.class_names, checkpoint, f"the checkpoint {path.name}")
        answers = said[0].opinion.y_score.argmax(axis=1)
        share = matched_share(meant[chosen].argmax(axis=1), answers, len(data.class_names))
        if share >= KNOWS and said[0].verdict.kind == "permuted":
            return said, None
        if share >= KNOWS:
            return (
                [],
                f"The names are not permuted: {path.name}, a shipped checkpoint of the same names, means the same.",
            )
        reasons.append(
            f"{path.name}, of the same names, does not know such images: it groups {share:.0%} as the models do"
        )
    return [], "; ".join([cannot, *reasons]) + "."
