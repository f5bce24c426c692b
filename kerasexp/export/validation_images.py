"""The images of val as an exported model takes them: a quantized one is calibrated and measured on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kerasexp.config import load_experiment
from kerasexp.data.prepared_data import Split, decode_split, prepare
from kerasexp.data.source import Source
from kerasexp.data.sources import load_source
from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.data_for_checkpoint import load_for_checkpoint, with_checkpoint_labels
from kerasexp.export.comparison_images import as_raw
from kerasexp.export.export_plan import ExportPlan
from kerasexp.saving.checkpoint import Checkpoint, experiment_file
from kerasexp.saving.raw_images import as_stored
from kerasexp.saving.saved_files import RunFiles

# Most images measured, and calibrated on; bytes of a batch.
MEASURED, CALIBRATED, BATCH_BYTES = 5000, 200, 2**24


@dataclass(frozen=True)
class ValidationImages:
    """Images with labels.

    Attributes:
        origin: where they come from.
        labels: int64 [n], or uint8 [n, classes] of 0 and 1 with several an image.
        read: returns the image at a position, uint8 [height, width, channels], as the exported model takes it.
        thresholds: as of a checkpoint.
    """

    origin: str
    labels: np.ndarray
    read: Callable[[int], np.ndarray]
    thresholds: np.ndarray | None

    def batches(self) -> Iterator[np.ndarray]:
        """Yield all images in batches."""
        size = max(BATCH_BYTES // math.prod(self.read(0).shape), 1)
        size = min(size, 256)
        for start in range(0, len(self.labels), size):
            yield np.stack([self.read(i) for i in range(start, min(start + size, len(self.labels)))])

    def calibration(self) -> Iterator[np.ndarray]:
        """Yield some of the images, each as a batch of one."""
        count = len(self.labels)
        for position in np.unique(np.linspace(0, count - 1, min(count, CALIBRATED)).astype(int)).tolist():
            yield self.read(position)[np.newaxis]

    def is_correct(self, probabilities: np.ndarray) -> np.ndarray:
        """Return whether each image has the right class, or with several labels exactly the right ones: bool [n]."""
        if self.thresholds is None:
            return probabilities.argmax(axis=1) == self.labels
        return ((probabilities >= self.thresholds) == (self.labels > 0)).all(axis=1)


def validation_images(plan: ExportPlan, checkpoint: Checkpoint) -> ValidationImages:
    """Return val of the first checkpoint's run, or of the source of `--data`: its split val, or train where it has none.

    Raises:
        UserError: the data are not available, have changed since the run, or do not fit the checkpoint.
    """
    if plan.data is None:
        file = experiment_file(plan.checkpoints[0])
        data = load_experiment(file).data
        prepared = prepare(data)
        recorded = RunFiles(file.parent).read_manifest().get("data", {}).get("identities", {})
        if prepared.split_digests["val"] != recorded.get("val"):
            why = "the data have changed since the run"
            raise UserError(Problem(f"{why}; name the source of val's images", str(file.parent), "--data"))
        split, source, name = prepared.splits["val"], load_source(data)[0], "val"
    else:
        data, source = load_for_checkpoint(
            plan.data.model_copy(update={"multi_label": checkpoint.multi_label}), checkpoint
        )
        name = "val" if "val" in source.splits else "train"
        split = with_checkpoint_labels(
            decode_split(source.splits[name], checkpoint.preprocessing, data.cache)[0], source, checkpoint
        )
    split = split.take(np.unique(np.linspace(0, len(split) - 1, min(len(split), MEASURED)).astype(int)))
    read = _raw_reader(split, source, plan, checkpoint) if plan.raw else lambda position: split.images[position]
    return ValidationImages(f"{name} of {source.origin}", split.labels, read, checkpoint.thresholds)


def _raw_reader(split: Split, source: Source, plan: ExportPlan, checkpoint: Checkpoint) -> Callable[[int], np.ndarray]:
    """Return the function that reads the stored image of a position, resized to the plan's size if it has another."""
    # Names are unique within a split. Where the source has no val, it was held out of train.
    images = source.splits["val" if "val" in source.splits else "train"]
    places = {name: place for place, name in enumerate(images.names)}
    if missing := [name for name in split.names if name not in places]:
        raise UserError(Problem(f"the images of val are no longer there, such as {missing[0]}", key="--data"))

    def read(position: int) -> np.ndarray:
        return as_stored(as_raw(images.read(places[split.names[position]]), plan.size), checkpoint.value_range)

    return read
