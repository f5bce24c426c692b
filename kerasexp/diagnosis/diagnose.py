"""`diagnose`: what is wrong with a data set, as text, as JSON, and as a page."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.shipped_files import shipped_folder
from kerasexp.console import Console, QuietConsole
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.data.preprocessing import preprocess_array
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.diagnosis_summary import as_json, as_text, data_facts
from kerasexp.diagnosis.label_assessment import (
    cross_validated_assessment,
    true_class_scores,
    why_not_cross_validated,
)
from kerasexp.diagnosis.label_reference import (
    assess_with_checkpoint,
    matched_share,
    matching_checkpoints,
    shared_classes,
)
from kerasexp.diagnosis.page import write_diagnosis_page
from kerasexp.diagnosis.results import NOT_ASSESSED, Diagnosis, LabelAssessment, dataset_overview
from kerasexp.diagnosis.target import Target, check_files, load_target
from kerasexp.errors import Problem, RunError, UserError
from kerasexp.evaluation.data_for_checkpoint import load_for_checkpoint, taken_for, with_class_names
from kerasexp.evaluation.metric_limits import most_images
from kerasexp.report.page_output import check_page_output
from kerasexp.saving.checkpoint import Checkpoint, load_checkpoint

# Most images of a split that a reference predicts, and that a shipped checkpoint predicts to find permuted names.
MAX_IMAGES, MAX_FOR_NAMES = 30_000, 3000
# Least agreement with the cross-validated models, up to class names, from which a shipped checkpoint counts as suitable.
SUITABLE = 0.5


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
    stored, preprocessing = check_files(target, console)
    data, named = load_target(target, preprocessing, console), {}
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
    training, model = (target.experiment.training, target.experiment.model) if target.from_file else (None, None)
    section = target.experiment.data.model_copy(update={"preprocessing": preprocessing})
    advice = advise(diagnosis, section, data.folders, training, model)
    console.line(f"diagnosed in {time.perf_counter() - start:.1f} s")
    about = data_facts(target.source, data)
    write_diagnosis_page(output, target.experiment.name, about, data.faults, diagnosis, advice)
    if format == "json":
        values = {**about, **as_json(diagnosis, advice), "page": str(output)}
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join([*as_text(diagnosis, advice), str(output)])


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


class _PreprocessedImages(LazyImages):
    """Images that are preprocessed when they are read; their size stays."""

    def __init__(self, images: LazyImages, preprocessing: Preprocessing):
        super().__init__(len(images), images.shape[1:])
        self._images, self._preprocessing = images, preprocessing

    def _read(self, stored: np.ndarray) -> np.ndarray:
        return preprocess_array(self._images[stored], self._preprocessing)


def _one_polarity(images: np.ndarray | LazyImages, target: Target) -> np.ndarray | LazyImages:
    """Return images of a bare source with one polarity; those of a user's experiment unchanged."""
    if target.from_file or images.shape[-1] != 1:
        return images
    preprocessing = Preprocessing(size=list(images.shape[1:3]), channels=1, invert="auto")
    if isinstance(images, LazyImages):
        return _PreprocessedImages(images, preprocessing)
    return preprocess_array(images, preprocessing)


def _assess_with_reference(
    target: Target, data: PreparedData, checkpoint: Checkpoint, name: str, seed: int, console: Console
) -> list[LabelAssessment]:
    """Assess train and test with a checkpoint, on images with its preprocessing."""
    console.line(f"predicting the images with {name}")
    splits = load_target(target, checkpoint.preprocessing, QuietConsole()).splits
    assessed = {name: split for name, split in splits.items() if name != "val"}
    most = min(MAX_IMAGES, most_images(len(checkpoint.class_names)))
    positions = {name: stratified_sample(split.labels, most, seed) for name, split in assessed.items()}
    return assess_with_checkpoint(splits, positions, data.class_names, checkpoint, name)


def _cross_validate(
    target: Target, data: PreparedData, splits: dict[str, Split], seed: int, console: Console
) -> tuple[list[LabelAssessment], list[str]]:
    """Assess the labels with cross-validated models, and the class names with a shipped checkpoint that has the same."""
    if why_not := why_not_cross_validated(splits["train"], len(data.class_names)):
        return [], [f"The labels were not assessed: {why_not}. A --reference checkpoint can assess them."]
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
    sampled = stratified_sample(assessment.predictions.labels, MAX_FOR_NAMES, seed)
    positions = {"train": assessment.positions[sampled]}
    for path in matching_checkpoints(data.class_names, [Path("checkpoints"), shipped_folder("checkpoints")]):
        try:
            checkpoint = load_checkpoint(path)
            console.line(f"testing with {path}, which has the same class names, whether they are permuted")
            splits = load_target(target, checkpoint.preprocessing, QuietConsole()).splits
            name = f"the checkpoint {path.name}"
            by_shipped = assess_with_checkpoint(splits, positions, data.class_names, checkpoint, name)
        except (UserError, RunError) as error:  # the user did not name it, so it may not end the diagnosis
            reasons.append(f"{path.name} has the same class names, but cannot be used: {error}")
            continue
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
