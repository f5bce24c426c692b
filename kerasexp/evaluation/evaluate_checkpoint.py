"""`evaluate`: the metrics of a saved checkpoint on other data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kerasexp.config.data_section import Data, DataSource, SourceName
from kerasexp.config.section_base import composed
from kerasexp.config.section_validation import validated
from kerasexp.config.yaml_merging import apply_overrides
from kerasexp.data.file_accounting import fault_lines
from kerasexp.data.prepared_data import Split, decode_split
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.data.value_range import BYTES, UnknownRange, range_sentences
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.predictions import predict_split
from kerasexp.saving.checkpoint import Checkpoint, load_checkpoint

# Pairs of class names in one message.
MOST_PAIRS = 4


def parse_source(name: str, path: str | None, overrides: Sequence[str] = ()) -> Data:
    """Return the data section for `--data`, `--data-path` and `--set`.

    Raises:
        UserError: there is no such source, its path is missing, it takes none, or another key than one of a source is set.
    """
    allowed = get_args(SourceName)
    if name not in allowed:
        raise UserError(Problem(f"got '{name}'{closest(name, allowed)}; allowed: {listing(allowed)}", "--data"))
    raw: dict[str, Any] = {"data": {"source": name} | ({"path": path} if path is not None else {})}
    apply_overrides(raw, overrides, {})
    data = raw.pop("data")
    if others := [*raw, *(f"data.{key}" for key in data.keys() - DataSource.model_fields.keys())]:
        allowed = listing(f"data.{key}" for key in DataSource.model_fields)
        raise UserError(Problem(f"{others[0]} has no effect on an evaluation; allowed: {allowed}", "--set"))
    return validated(Data, data, "--data", {})


def evaluate_checkpoint(path: Path, data: Data, same_classes: Sequence[str], format: str) -> str:
    """Evaluate a checkpoint on a source's test split, or on all of it where it has none; return the metrics as text.

    Args:
        path: of the checkpoint.
        data: the source.
        same_classes: `DATA=CHECKPOINT`, pairs of class names that stand for the same class.
        format: `table` or `json`.

    Raises:
        UserError: the checkpoint or the data cannot be used, or the data have classes that the checkpoint does not have.
    """
    checkpoint = load_checkpoint(path)
    source = _load(data, checkpoint)
    named = dict(_pair(pair, source.class_names, checkpoint.class_names) for pair in same_classes)
    checkpoint = replace(checkpoint, folders={**checkpoint.folders, **named})
    split_name = "test" if "test" in source.splits else "train"
    split, faults = decode_split(source.splits[split_name], checkpoint.preprocessing)
    split = with_checkpoint_labels(split, source, checkpoint)
    predictions = predict_split(checkpoint.model, split, checkpoint.class_names)
    predictions = replace(predictions, temperature=checkpoint.temperature)
    metrics = compute_metrics(predictions)
    left_out = [{"file": name, "reason": reason} for name, reason in faults]
    files = [] if source.accounting is None else source.accounting.lines()
    ranges = range_sentences({split_name: source.splits[split_name].value_range})
    notes = [*source.notes, *files, *ranges, *predictions.notes(split_name)]
    if format == "json":
        about = {
            "data": source.origin,
            "split": split_name,
            "same_classes": named,
            "notes": notes,
            "left_out": left_out,
        }
        return json.dumps({**about, **metrics}, indent=2, ensure_ascii=False)
    taken = [f"{stored} is taken for {name}" for stored, name in named.items()]
    return "\n".join([*taken, *notes, *_table(source.origin, split_name, metrics), *fault_lines(faults)])


def _load(data: Data, checkpoint: Checkpoint) -> Source:
    """Load the source. Files of 16 bits, and arrays whose values do not say their range, have that of the training."""
    known = checkpoint.value_range
    try:
        source, _ = load_source(data)
        found = next(iter(source.splits.values())).value_range
        kept = found is None or found.of == "arrays" or found.source == "given"
        if kept or known is None or not known.concerns_files:
            return source
    except UnknownRange as unknown:
        if unknown.of == "files" and (known is None or not known.concerns_files):
            raise
    bounds = BYTES if known is None else known.bounds
    return load_source(data.model_copy(update={"range": list(bounds)}))[0]


def _pair(pair: str, stored: Sequence[str], outputs: Sequence[str]) -> tuple[str, str]:
    """Return the two names of `DATA=CHECKPOINT`; either may have a `=` in it."""
    pair = composed(pair)
    cuts = [(pair[:k], pair[k + 1 :]) for k, character in enumerate(pair) if character == "="]
    if not cuts:
        raise UserError(Problem(f"got '{pair}'; write DATA=CHECKPOINT, such as cats=cat", "--class-names"))
    for left, right in cuts:
        if left in stored and right in outputs:
            return left, right
    left, right = cuts[0]
    if left not in stored:
        wrong, allowed, message = left, stored, f"the data have no class '{left}'"
    else:
        wrong, allowed, message = right, outputs, f"the checkpoint has no class '{right}'"
    raise UserError(Problem(f"{message}{closest(wrong, allowed)}; allowed: {listing(allowed)}", "--class-names"))


def _suggested_pairs(unknown: Sequence[str], outputs: Sequence[str]) -> str:
    """Return the options that would name the class of each unknown one; the nearest name, or CLASS if none is near."""
    near = [next(iter(get_close_matches(name, outputs, 1, 0.5)), "CLASS") for name in unknown]
    return " ".join(shlex.join(["--class-names", f"{a}={b}"]) for a, b in zip(unknown[:MOST_PAIRS], near, strict=False))


def with_checkpoint_labels(split: Split, source: Source, checkpoint: Checkpoint) -> Split:
    """Return the images with the checkpoint's labels: the class of the stored label there, or the class of the same name.

    Images of a stored label that the checkpoint's training left out by `select` are left out here as well.

    Raises:
        UserError: the checkpoint does not have a class, or no image is left.
    """
    outputs = {name: index for index, name in enumerate(checkpoint.class_names)}
    # The names of data are in composed form; those of an earlier checkpoint may not be.
    outputs = {composed(name): index for name, index in outputs.items()} | outputs
    folders = {composed(folder): name for folder, name in checkpoint.folders.items()} | checkpoint.folders
    target, unknown = [], []
    for stored in source.class_names:
        name = folders.get(stored, stored)
        if name not in outputs and stored not in folders:
            unknown.append(stored)
        target.append(outputs.get(name, -1))
    if unknown:
        raise UserError(
            Problem(
                f"the data have classes that the checkpoint does not have: {listing(unknown)}; it has "
                f"{listing(checkpoint.class_names)}; if classes are the same under other names: "
                f"{_suggested_pairs(unknown, checkpoint.class_names)}",
                "--data",
            )
        )
    labels = np.array(target)[split.labels]
    kept = np.flatnonzero(labels >= 0)
    if len(kept) == 0:
        raise UserError(Problem("the data have no image of a class of the checkpoint", "--data"))
    taken = split.take(kept)
    return Split(taken.images, labels[kept], taken.names)


def _table(origin: str, split_name: str, metrics: dict[str, Any]):
    yield f"{origin}, {'its test split' if split_name == 'test' else 'all of it'}"
    for name, value in metrics.items():
        if name != "per_class":
            yield f"{name.replace('_', ' '):<20}{value if isinstance(value, int) else format(value, '.4f')}"
    width = max(len(name) for name in metrics["per_class"])
    yield f"{'class':<{max(width, 5)}}  precision  recall      F1  images"
    for name, row in metrics["per_class"].items():
        yield f"{name:<{max(width, 5)}}  {row['precision']:9.4f}  {row['recall']:6.4f}  {row['f1']:6.4f}  {row['support']:8d}"
