"""The page of `predict`: each image with its likeliest classes and what the network looks at, mistakes first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from kerasexp.config.section_base import composed
from kerasexp.data.image_files import file_conversion
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import BrokenImage
from kerasexp.evaluation.data_for_checkpoint import are_class_names
from kerasexp.evaluation.ensemble import Ensemble
from kerasexp.evaluation.file_predictions import ImageFile
from kerasexp.evaluation.interpretation import GradCam
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.report.html import render
from kerasexp.saving.checkpoint import Checkpoint
from kerasexp.serving.heat_map import heat_maps, png_text
from kerasexp.storage import write_text

# A page of more images is slow to open.
MOST = 300
# Longest side of a shown image; most images whose heat maps are computed at a time, and pixels that the network takes of them.
SIDE, BATCH, BATCH_PIXELS = 176, 50, 400_000
WRONG, UNKNOWN, RIGHT, ALL = "Wrong", "Unknown", "Right", "Answered"


@dataclass(frozen=True)
class Shown:
    """One image of the page; images are PNG in base64, `heat` is None where there is no heat map."""

    file: str
    image: str
    heat: str | None
    answer: str
    true: str | None
    top: list[dict[str, Any]]


def write_predictions_page(
    output: Path, ensemble: Ensemble, files: Sequence[ImageFile], predictions: Sequence[dict[str, Any]]
) -> None:
    """Write the page.

    The true classes are known where every image lies in a folder named after a class. The wrong ones come first, the most
    confident first; then those that are unknown; then the others, the least confident first.

    Args:
        output: the HTML file.
        ensemble: what predicted; the heat maps are those of its first member.
        files: the images.
        predictions: as `predict_files` returned them.
    """
    read = {file.name: file for file in files}
    true = true_classes([found["file"] for found in predictions], ensemble.members[0])
    groups = _grouped(predictions, true)
    shown, left = [], MOST
    for name, members in groups.items():
        cards = list(_cards(ensemble.members[0], read, members[:left], true))
        left -= len(cards)
        shown.append({"name": name, "count": len(members), "cards": cards})
    content = {
        "names": ensemble.names,
        "count": len(predictions),
        "left_out": len(predictions) - sum(len(group["cards"]) for group in shown),
        "accuracy": _accuracy(groups, len(predictions)) if true is not None else None,
        "groups": shown,
    }
    write_text(output, render("predictions.html", content))


def true_classes(names: Sequence[str], checkpoint: Checkpoint) -> dict[str, str] | None:
    """Return the class of each image by the name of its folder; None unless every folder names a class."""
    if checkpoint.multi_label:
        return None
    outputs = {composed(name): name for name in checkpoint.class_names}
    folders = {composed(folder): name for folder, name in checkpoint.folders.items()}
    parents = {name: composed(PurePosixPath(Path(name).as_posix()).parent.name) for name in names}
    are_names = are_class_names(parents.values(), outputs, folders)
    found = {
        name: outputs.get(parent if are_names else composed(folders.get(parent, parent)))
        for name, parent in parents.items()
    }
    return found if found and None not in found.values() else None


def _probability(found: dict[str, Any]) -> float:
    return found["top"][0]["probability"]


def _grouped(predictions: Sequence[dict[str, Any]], true: dict[str, str] | None) -> dict[str, list[dict[str, Any]]]:
    """Return the predictions by group, in the order of the page; groups without any are left out."""
    groups: dict[str, list[dict[str, Any]]] = {WRONG: [], UNKNOWN: [], RIGHT: [], ALL: []}
    for found in sorted(predictions, key=_probability):
        if found.get("is_unknown"):
            groups[UNKNOWN].append(found)
        elif true is None:
            groups[ALL].append(found)
        else:
            groups[RIGHT if found["class"] == true[found["file"]] else WRONG].append(found)
    groups[WRONG].reverse()
    return {name: members for name, members in groups.items() if members}


def _accuracy(groups: dict[str, list[dict[str, Any]]], count: int) -> dict[str, float]:
    right = len(groups.get(RIGHT, ()))
    answered = count - len(groups.get(UNKNOWN, ()))
    low, high = wilson_interval(right / answered, answered) if answered else (0.0, 1.0)
    return {"right": right, "answered": answered, "share": right / max(answered, 1), "low": low, "high": high}


def _cards(
    checkpoint: Checkpoint,
    read: dict[str, ImageFile],
    predictions: Sequence[dict[str, Any]],
    true: dict[str, str] | None,
) -> Iterator[Shown]:
    place = {name: position for position, name in enumerate(checkpoint.class_names)}
    convert, grad_cam = file_conversion(checkpoint.value_range), GradCam(checkpoint.model)
    size = max(min(BATCH, BATCH_PIXELS // math.prod(checkpoint.preprocessing.size), checkpoint.images_at_once), 1)
    for start in range(0, len(predictions), size):
        portion, thumbnails, inputs = [], [], []
        for found in predictions[start : start + size]:
            try:
                image = read[found["file"]].pixels(None, convert)
            except (BrokenImage, OSError):  # removed since it was predicted
                continue
            portion.append(found)
            thumbnails.append(_as_png(image))
            inputs.append(preprocess(image, checkpoint.preprocessing))
        if not portion:
            continue
        classes = np.array([place[found["top"][0]["class"]] for found in portion])
        heat = heat_maps(grad_cam, np.stack(inputs), classes)
        for k, found in enumerate(portion):
            yield Shown(
                file=found["file"],
                image=thumbnails[k],
                heat=None if heat is None else _as_png(heat[k]),
                answer=_answer(found),
                true=None if true is None else true[found["file"]],
                top=found["top"],
            )


def _answer(found: dict[str, Any]) -> str:
    if "labels" in found:
        return ", ".join(label["class"] for label in found["labels"]) or "no label"
    return found["class"]


def _as_png(image: np.ndarray) -> str:
    """Return an image, uint8 [height, width, 1 or 3], at the size of the page, as PNG in base64."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    return png_text(resized)
