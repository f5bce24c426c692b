"""`evaluate`: the metrics of saved checkpoints on other data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kerasexp.config.code_reference import is_code, located
from kerasexp.config.data_section import Data, DataSource, SourceName
from kerasexp.config.experiment_rules import foreign_keys
from kerasexp.config.multi_label_rules import may_have_several_labels, one_label_only
from kerasexp.config.section_validation import validated
from kerasexp.config.yaml_merging import apply_overrides
from kerasexp.data.class_selection import split_to_test_on
from kerasexp.data.file_accounting import fault_lines
from kerasexp.data.prepared_data import Split, decode_split
from kerasexp.data.source import Source
from kerasexp.data.value_range import range_sentences
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.evaluation.custom_metrics import CustomMetrics, metrics_of_run, trusted_metrics
from kerasexp.evaluation.data_for_checkpoint import (
    load_for_checkpoint,
    taken_for,
    with_checkpoint_labels,
    with_class_names,
)
from kerasexp.evaluation.ensemble import Ensemble, load_ensemble
from kerasexp.evaluation.ensemble_predictions import predict_together
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.risk_coverage import answered_text, rejection_metrics
from kerasexp.saving.checkpoint import Checkpoint, find_checkpoint
from kerasexp.saving.litert_graph import is_quicker


def parse_source(name: str, path: str | None, overrides: Sequence[str] = ()) -> Data:
    """Return the data section for `--data`, `--data-path` and `--set`.

    Raises:
        UserError: there is no such source, its path is missing or not allowed, or a key is set that a source does not have.
    """
    allowed = get_args(SourceName)
    if is_code(name, "source"):
        name = located(name, Path.cwd())
    elif name not in allowed:
        raise UserError(Problem(f"got '{name}'{closest(name, allowed)}; allowed: {listing(allowed)}", "--data"))
    raw: dict[str, Any] = {"data": {"source": name} | ({"path": path} if path is not None else {})}
    apply_overrides(raw, overrides, {})
    data = raw.pop("data")
    keys = [*DataSource.model_fields, "cache"]
    if others := [*raw, *(f"data.{key}" for key in data.keys() - set(keys))]:
        allowed = listing(f"data.{key}" for key in keys)
        raise UserError(Problem(f"{others[0]} has no effect on an evaluation; allowed: {allowed}", "--set"))
    found = validated(Data, data, "--data", {})
    if foreign := [Problem(message, "--set", f"data.{key}") for key, message in foreign_keys(found)]:
        raise UserError(*foreign)
    return found


def evaluate_checkpoints(
    paths: Sequence[Path], data: Data, same_classes: Sequence[str], format: str, tta: bool = False
) -> str:
    """Evaluate checkpoints together on a source's test split, or on all of it where it has no splits; return the metrics as text.

    Metrics of a user's own are those of the checkpoints' runs; where their code is not trusted, a note says so.

    Args:
        paths: of the checkpoints, one or several.
        data: the source.
        same_classes: `DATA=CHECKPOINT`, pairs of class names that stand for the same class.
        format: `table` or `json`.
        tta: whether to predict several views of each image.

    Raises:
        UserError: the checkpoints or the data cannot be used, the data have other splits only, or classes that the checkpoints do
            not have.
    """
    ensemble = load_ensemble(paths, tta, by_litert=is_quicker())
    data = _with_labels_of(ensemble.members[0], data)
    source = load_for_checkpoint(data, ensemble.members[0])[1]
    reference, named = with_class_names(_with_all_folders(ensemble), same_classes, source.class_names)
    split_name = split_to_test_on(source, "--data")
    splits, faults = _splits(ensemble, data, source, split_name, reference)
    found = predict_together(ensemble, splits)
    own, unread = _own_metrics(paths)
    metrics = compute_metrics(found.all_views, own)
    threshold = ensemble.reject_threshold
    reject = None if threshold is None else rejection_metrics(found.all_views, threshold)
    left_out = [{"file": name, "reason": reason} for name, reason in faults]
    files = [] if source.accounting is None else source.accounting.lines()
    ranges = range_sentences({split_name: source.splits[split_name].value_range})
    notes = [*source.notes, *files, *ranges, *found.all_views.notes(split_name), *unread, *own.notes]
    if format == "json":
        about = {
            "data": source.origin,
            "split": split_name,
            "same_classes": named,
            "notes": notes,
            "left_out": left_out,
            **found.to_json(),
            **({} if reject is None else {"reject": {"threshold": threshold, **reject}}),
        }
        return json.dumps({**about, **metrics}, indent=2, ensure_ascii=False)
    table = _table(source.origin, split_name, metrics)
    answered = [] if reject is None else [f"above a probability of {threshold:.4f}: {answered_text(reject)}"]
    return "\n".join([*taken_for(named), *notes, *table, *found.lines(), *answered, *fault_lines(faults)])


def _with_all_folders(ensemble: Ensemble) -> Checkpoint:
    """Return the first member with the stored labels that any member knows; where they differ, the first one counts."""
    folders = {stored: name for member in reversed(ensemble.members) for stored, name in member.folders.items()}
    return replace(ensemble.members[0], folders=folders)


def _splits(
    ensemble: Ensemble, data: Data, source: Source, split_name: str, reference: Checkpoint
) -> tuple[list[Split], list[tuple[str, str]]]:
    """Return for each member the images of a split that all members can read, and the faults of the others.

    Members of the same preprocessing share the images.

    Args:
        ensemble: the members.
        data: the section of the source.
        source: it, as it is loaded for the first member.
        split_name: of the split.
        reference: a checkpoint with the classes of the labels.
    """
    made: dict[str, Split] = {}
    splits, faults = [], {}
    for member in ensemble.members:
        key = member.input_key
        if key not in made:
            same_range = member.value_range == ensemble.members[0].value_range
            own = source if same_range else load_for_checkpoint(data, member)[1]
            split, broken = decode_split(own.splits[split_name], member.preprocessing, data.cache)
            made[key] = with_checkpoint_labels(split, own, reference)
            faults |= dict(broken)
        splits.append(made[key])
    if faults and len(made) > 1:
        splits = [split.take(np.flatnonzero([name not in faults for name in split.names])) for split in splits]
    return splits, list(faults.items())


def _own_metrics(paths: Sequence[Path]) -> tuple[CustomMetrics, list[str]]:
    """Return the metrics of the code of the checkpoints' runs, one of each name, and notes on what cannot be read."""
    metrics, notes = {}, []
    for path in paths:
        found, unread = metrics_of_run(find_checkpoint(path))
        metrics = {metric.reference.function: metric for metric in found} | metrics
        notes += unread
    return trusted_metrics(list(metrics.values())), notes


def _with_labels_of(checkpoint: Checkpoint, data: Data) -> Data:
    """Return the source with several labels an image if the checkpoint gives several.

    Raises:
        UserError: the source has one label an image, or several are asked for, and the checkpoint has the other kind.
    """
    if data.multi_label and not checkpoint.multi_label:
        raise UserError(Problem("is true, and the checkpoint gives one label an image", key="data.multi_label"))
    if checkpoint.multi_label and not may_have_several_labels(data):
        message = f"the checkpoint gives several labels an image, and {one_label_only(data.source_name)}"
        raise UserError(Problem(message, key="--data"))
    return data.model_copy(update={"multi_label": checkpoint.multi_label})


def _table(origin: str, split_name: str, metrics: dict[str, Any]):
    yield f"{origin}, {'its test split' if split_name == 'test' else 'all of it'}"
    shown = {name.replace("_", " "): value for name, value in metrics.items() if name != "per_class"}
    longest = max(map(len, shown))
    for name, value in shown.items():
        yield f"{name:<{longest}}  {value if isinstance(value, int) else format(value, '.4f')}"
    width = max(len(name) for name in metrics["per_class"])
    yield f"{'class':<{max(width, 5)}}  precision  recall      F1  images"
    for name, row in metrics["per_class"].items():
        yield f"{name:<{max(width, 5)}}  {row['precision']:9.4f}  {row['recall']:6.4f}  {row['f1']:6.4f}  {row['support']:8d}"
