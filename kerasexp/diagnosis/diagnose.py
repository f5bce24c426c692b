"""`diagnose`: what is wrong with a data set, as text, as JSON, and as a page."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from kerasexp.config import Experiment, experiment_from, load_experiment
from kerasexp.config.data_section import FILE_SOURCES, Preprocessing, SourceName
from kerasexp.config.experiment_catalog import named_experiment
from kerasexp.config.shipped_files import shipped_folder
from kerasexp.config.yaml_paths import find_file, is_there, places
from kerasexp.console import Console, QuietConsole
from kerasexp.data.dataset_statistics import image_statistics, merge_statistics, summarize
from kerasexp.data.file_accounting import fault_lines
from kerasexp.data.new_recipes import suggest_preprocessing
from kerasexp.data.prepared_data import PreparedData, Split, prepare
from kerasexp.data.preprocessing import preprocess_array
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.data.sources.image_table import PARQUET, names_images
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.diagnosis_summary import as_json, as_text
from kerasexp.diagnosis.image_diagnosis import StoredImages, check_stored_images
from kerasexp.diagnosis.label_assessment import (
    MIN_TRAIN,
    can_cross_validate,
    cross_validated_assessment,
    true_class_scores,
)
from kerasexp.diagnosis.label_reference import (
    assess_with_checkpoint,
    matched_share,
    matching_checkpoints,
    shared_classes,
)
from kerasexp.diagnosis.page import write_diagnosis_page
from kerasexp.diagnosis.results import NOT_ASSESSED, Diagnosis, LabelAssessment, dataset_overview
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.evaluation.data_for_checkpoint import load_for_checkpoint, taken_for, with_class_names
from kerasexp.evaluation.metric_limits import most_images
from kerasexp.report.page_output import check_page_output
from kerasexp.saving.checkpoint import Checkpoint, load_checkpoint
from kerasexp.storage import safe_name

YAML = (".yaml", ".yml")
# Source by the end of a file's name; a CSV file may be a table of images as well.
FILES = {".zip": "image_folder", ".npz": "npz", ".csv": "csv", **dict.fromkeys((".tsv", ".txt", *PARQUET), "table")}
# Most images of a split that a reference predicts, and that a shipped checkpoint predicts to find permuted names.
MAX_IMAGES, MAX_FOR_NAMES = 30_000, 3000
# Least agreement with the cross-validated models, up to class names, from which a shipped checkpoint counts as suitable.
SUITABLE = 0.5


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


def diagnose(
    target: Target,
    reference: Path | None,
    same_classes: Sequence[str],
    output: Path,
    format: str,
    seed: int,
    console: Console,
) -> str:
    """Diagnose a source or an experiment's data, write the page, and return the results as text or JSON.

    Args:
        target: the data.
        reference: a checkpoint for the true classes; None cross-validates models on the labels themselves.
        same_classes: `DATA=CHECKPOINT`, pairs of class names that stand for the same class.
        output: the HTML file to write.
        format: `table` or `json`.
        seed: of samples, folds and weights.
        console: shows the progress.

    Raises:
        UserError: there is no such checkpoint or folder, or the checkpoint and the data do not match.
    """
    if same_classes and reference is None:
        raise UserError(Problem("matches the classes of a --reference, and none is given", key="--class-names"))
    check_page_output(output, "--output")
    checkpoint = None if reference is None else _load_reference(target, reference)
    target = target if checkpoint is None else _with_range_of(target, checkpoint)
    start = time.perf_counter()
    stored, preprocessing = _check_files(target, console)
    data, named = _load(target, preprocessing, console), {}
    if checkpoint is not None:
        checkpoint, named = with_class_names(checkpoint, same_classes, data.class_names)
        shared_classes(data.class_names, checkpoint)
    splits = {name: replace(split, images=_one_polarity(split.images, target)) for name, split in data.splits.items()}
    overview = dataset_overview(data.splits, data.class_names, seed)
    if target.experiment.data.multi_label:
        labels, notes = [], [NOT_ASSESSED]
    elif checkpoint is not None:
        notes = taken_for(named)
        labels = _assess_with_reference(target, data, checkpoint, f"the reference {reference}", seed, console)
    else:
        labels, notes = _cross_validate(target, data, splits, seed, console)
    diagnosis = Diagnosis(overview, labels, stored, notes)
    training = target.experiment.training if target.from_file else None
    section = target.experiment.data.model_copy(update={"preprocessing": preprocessing})
    advice = advise(diagnosis, section, data.folders, training)
    console.line(f"diagnosed in {time.perf_counter() - start:.1f} s")
    about = {"source": target.source, "origin": data.origin, "stand_in": data.stand_in, "label_edits": data.edits}
    about["data_notes"] = data.notes
    write_diagnosis_page(output, target.experiment.name, about, data.faults, diagnosis, advice)
    if format == "json":
        values = {**about, **as_json(diagnosis, advice), "page": str(output)}
        values["left_out"] = [{"file": name, "reason": reason} for name, reason in data.faults]
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join([*as_text(diagnosis, advice), str(output)])


def _is_name(source: str) -> bool:
    """Return whether a source is the name of an experiment, and no path."""
    return not is_there(Path(source)) and named_experiment(source) is not None


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


def _load_reference(target: Target, reference: Path) -> Checkpoint:
    several = "assesses one label an image, and"
    if target.experiment.data.multi_label:
        raise UserError(Problem(f"{several} data.multi_label is true", key="--reference"))
    checkpoint = load_checkpoint(reference)
    if checkpoint.multi_label:
        raise UserError(Problem(f"{several} this checkpoint gives several", str(reference), "--reference"))
    return checkpoint


def _with_range_of(target: Target, checkpoint: Checkpoint) -> Target:
    """Return the data with the range of stored values that the checkpoint was trained with, where they need one."""
    section = load_for_checkpoint(target.experiment.data, checkpoint)[0]
    return replace(target, experiment=target.experiment.model_copy(update={"data": section}))


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
    if name == "csv" and names_images(found):
        return "table"
    if name is None:
        allowed = listing([*FILES, *YAML])
        raise UserError(Problem(f"is not a source; allowed: a folder, or a file that ends in {allowed}", str(found)))
    return name


def _check_files(target: Target, console: Console) -> tuple[StoredImages | None, Preprocessing]:
    """Check images as they are stored; return the result and the preprocessing: as configured, or suggested by the images."""
    source: Source = load_source(target.experiment.data)[0]
    with console.bar("checking the image files", 1) as bar:
        statistics = [image_statistics(images, bar.progress) for images in source.splits.values() if len(images)]
    preprocessing = target.experiment.data.preprocessing
    if not any(len(split.names) for split in statistics):
        return None, preprocessing
    if not target.from_file and preprocessing == Preprocessing():
        # Without `invert`, so that inverted images are found; `_one_polarity` inverts them for the models.
        suggested = {**suggest_preprocessing(summarize(source, statistics)).value, "invert": False, "contrast": "none"}
        preprocessing = Preprocessing.model_validate(suggested)
    return check_stored_images(merge_statistics(statistics)), preprocessing


def _load(target: Target, preprocessing: Preprocessing, console: Console) -> PreparedData:
    """Return the splits of a user's experiment as a run has them, those of a bare source as they are stored."""
    section = target.experiment.data.model_copy(update={"preprocessing": preprocessing})
    with console.bar("decoding images", 1) as bar:
        data = prepare(section, bar.progress, hold_out_missing=target.from_file)
    if data.stand_in:
        console.warning(f"STAND-IN: {data.stand_in}")
    for line in (*data.notes, *fault_lines(data.faults)):
        console.line(line)
    return data


def _one_polarity(images: np.ndarray, target: Target) -> np.ndarray:
    """Return images of a bare source with one polarity; those of a user's experiment unchanged."""
    if target.from_file or images.shape[-1] != 1:
        return images
    preprocessing = Preprocessing(size=list(images.shape[1:3]), channels=1, invert="auto")
    return preprocess_array(np.asarray(images), preprocessing)


def _assess_with_reference(
    target: Target, data: PreparedData, checkpoint: Checkpoint, name: str, seed: int, console: Console
) -> list[LabelAssessment]:
    """Assess train and test with a checkpoint, on images with its preprocessing."""
    console.line(f"predicting the images with {name}")
    splits = _load(target, checkpoint.preprocessing, QuietConsole()).splits
    assessed = {name: split for name, split in splits.items() if name != "val"}
    most = min(MAX_IMAGES, most_images(len(checkpoint.class_names)))
    positions = {name: stratified_sample(split.labels, most, seed) for name, split in assessed.items()}
    return assess_with_checkpoint(splits, positions, data.class_names, checkpoint, name)


def _cross_validate(
    target: Target, data: PreparedData, splits: dict[str, Split], seed: int, console: Console
) -> tuple[list[LabelAssessment], list[str]]:
    """Assess the labels with cross-validated models, and the class names with a shipped checkpoint that has the same."""
    if not can_cross_validate(splits["train"]):
        size = f"{len(splits['train'])} images of {len(np.unique(splits['train'].labels))} classes"
        return [], [
            f"The labels were not assessed: train has {size}, and cross-validation needs {MIN_TRAIN} of two. A "
            "--reference checkpoint can assess them."
        ]
    console.line("cross-validating: three models, each trained on a third of train, predict the other two thirds")
    with console.bar("cross-validating", 1) as bar:
        labels, found = cross_validated_assessment(splits, data.class_names, seed, bar.progress)
    names, note = _assess_class_names(target, data, labels[0], found.y_score, seed, console)
    return labels + names, [note] if note else []


def _assess_class_names(
    target: Target, data: PreparedData, assessment: LabelAssessment, y_score: np.ndarray, seed: int, console: Console
) -> tuple[list[LabelAssessment], str | None]:
    """Test with shipped checkpoints of the same class names whether these are permuted; return the assessment, or a note."""
    true_scores = true_class_scores(y_score, assessment.verdict)
    if true_scores is None:
        return [], None
    reasons = [
        "A permutation of all class names cannot be excluded: models trained on the labels learn it as well. A --reference "
        "checkpoint would show it"
    ]
    for path in matching_checkpoints(data.class_names, [Path("checkpoints"), shipped_folder("checkpoints")]):
        checkpoint = load_checkpoint(path)
        console.line(f"testing with {path}, which has the same class names, whether they are permuted")
        splits = _load(target, checkpoint.preprocessing, QuietConsole()).splits
        sampled = stratified_sample(assessment.predictions.labels, MAX_FOR_NAMES, seed)
        positions = {"train": assessment.positions[sampled]}
        name = f"the checkpoint {path.name}"
        by_shipped = assess_with_checkpoint(splits, positions, data.class_names, checkpoint, name)
        predicted = by_shipped[0].predictions.y_score.argmax(axis=1)
        share = matched_share(true_scores[sampled].argmax(axis=1), predicted, len(data.class_names))
        if share >= SUITABLE:
            if by_shipped[0].verdict.kind == "permuted":
                return by_shipped, None
            return (
                [],
                f"The class names are not permuted: the shipped checkpoint {path.name} uses them in the same way.",
            )
        reasons.append(
            f"{path.name} has the same class names, but only {share:.0%} of its predictions match those of the "
            "cross-validated models"
        )
    return [], "; ".join(reasons) + "."
