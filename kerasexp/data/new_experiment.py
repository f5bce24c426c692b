"""`new`: an experiment for a user's own images, written from what they look like."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from kerasexp.config import load_experiment
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.console import Console
from kerasexp.data.survey import Survey, survey
from kerasexp.errors import Problem, UserError, listing
from kerasexp.storage import safe_name, write_text

# Train and test need one image of each class, and so does val.
FEWEST = 3
MARGIN = 0.02
# Of an experiment whose folder has no name that can be used.
DEFAULT_NAME = "my_images"


@dataclass(frozen=True)
class Choice:
    """One part of the experiment, with the reason for it."""

    value: object
    reason: str


def write_new_experiment(folder: Path, output: Path | None, console: Console) -> Path:
    """Look at the images and write a commented experiment; return its path.

    Raises:
        UserError: the images cannot be learned from, or the file is there already.
    """
    output = output or Path(f"{safe_name(folder.resolve().stem, DEFAULT_NAME)}.yaml")
    if output.exists():
        raise UserError(Problem("is there already; name another --output, or remove it", str(output)))
    if not folder.exists():
        raise UserError(Problem("no such file or folder", str(folder)))
    with console.bar("looking at the images", 1) as bar:
        found = survey(folder, bar.progress)
    for file, reason in found.faults:
        console.line(f"cannot be read: {file}: {reason}")
    _refuse_hopeless(found, folder)
    for line in _described(found):
        console.line(line)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, _written(found, folder, output))
    except OSError as error:
        raise UserError(Problem(f"cannot be written: {error.strerror or error}", str(output))) from None
    load_experiment(output)
    console.line(f"run it with: python -m kerasexp run {output}")
    return output


def _refuse_hopeless(found: Survey, folder: Path) -> None:
    if len(found.heights) == 0:
        raise UserError(Problem("not one of its images can be read", str(folder)))
    broken = Counter(PurePosixPath(file).parent.name for file, _ in found.faults)
    counts = {name: count - broken[name] for name, count in found.counts["train"].items()}
    few = [f"{name} ({count})" for name, count in counts.items() if count < FEWEST]
    if few:
        raise UserError(
            Problem(
                f"classes with fewer than {FEWEST} images cannot be split into train, val and test: {listing(few)}",
                str(folder),
            )
        )


def _described(found: Survey) -> list[str]:
    lines = []
    for split, counts in found.counts.items():
        values = sorted(counts.values())
        lines.append(f"{split}: {sum(values)} images in {len(counts)} classes, {values[0]} to {values[-1]} a class")
    heights, widths = found.heights, found.widths
    lines.append(
        f"sizes (height x width): {heights.min()}x{widths.min()} to {heights.max()}x{widths.max()}; {found.colour:.0%} in colour"
    )
    if len(found.faults):
        lines.append(
            f"{len(found.faults)} of the {found.examined} images that were looked at cannot be read; `run` leaves them out"
        )
    return lines


def suggest_preprocessing(found: Survey) -> Choice:
    """Return the preprocessing that suits such images."""
    side = int(np.median(np.minimum(found.heights, found.widths)))
    one_size = len(set(found.heights)) == 1 and len(set(found.widths)) == 1
    if found.colour < 0.05 and found.bright_border > 0.5 and side > 40 and one_size:
        top, left, bottom, right = found.ink
        window = [round(float(max(top - MARGIN, 0)), 3), round(float(max(left - MARGIN, 0)), 3)]
        window += [round(float(min(bottom + MARGIN, 1)), 3), round(float(min(right + MARGIN, 1)), 3)]
        return Choice(
            {
                "size": [64, 64],
                "channels": 1,
                "framing": "window",
                "window": window,
                "invert": "auto",
                "contrast": "stretch",
            },
            "Dark ink on bright pages of one size: one window holds the ink of all, which keeps size and place as cues.",
        )
    if found.colour < 0.05:
        ink = {"invert": "auto"} if found.bright_border > 0.05 else {}
        return Choice(
            {"size": [28, 28] if side <= 40 else [64, 64], "channels": 1, "framing": "fit", **ink},
            "Grey images; the aspect is kept.",
        )
    size = 32 if side <= 40 else 64 if side < 200 else 96
    return Choice({"size": [size, size], "channels": 3, "framing": "fit"}, "Colour images; the aspect is kept.")


def _augmentation(preprocessing: dict) -> Choice:
    if preprocessing["channels"] == 1:
        return Choice(
            {"rotation": 8, "shift": 0.05, "zoom": 0.1, "shear": 5}, "Mild, so that writing stays what it is."
        )
    return Choice({"rotation": 10, "shift": 0.1, "zoom": 0.15, "fill": "reflect"}, "Mild changes of place and size.")


def _written(found: Survey, folder: Path, output: Path) -> str:
    counts = found.counts["train"]
    total, smallest = sum(counts.values()), min(counts.values())
    preprocessing, parent = suggest_preprocessing(found), output.resolve().parent
    path, name = folder.resolve(), safe_name(output.stem, DEFAULT_NAME)
    augmentation = _augmentation(preprocessing.value)
    # A stratified split needs one image of each class on either side.
    splits: dict = {}
    left = total
    if "test" not in found.counts:
        splits["test"] = _part(len(counts), left, leave=1 if "val" in found.counts else 2)
        left -= int(np.ceil(splits["test"] * left))
    if "val" not in found.counts:
        splits = {"validation": _part(len(counts), left, leave=1), **splits}
    shown = os.path.relpath(path, parent) if path.is_relative_to(parent) else str(path)
    filters = [32, 64, 128]
    blocks = [{"filters": f, "convolutions": 2, "batch_norm": True, "pool": 2} for f in filters]
    batch = int(np.clip(total // 8, 2, 64))
    epochs = int(np.clip(60_000 // total, 5, 60))
    parts = [
        f"# Which of {len(counts)} classes is it?  Written by `kerasexp new` for {total:,} training images ({smallest:,} to "
        f"{max(counts.values()):,} a class).\n#   python -m kerasexp run {output}",
        *([dump_yaml({"name": name}).rstrip()] if name != output.stem else []),
        dump_yaml({"seed": 0}).rstrip(),
        dump_yaml({"data": {"source": "image_folder", "path": shown, **splits}}).rstrip(),
        f"  # {preprocessing.reason}",
        _indented({"preprocessing": preprocessing.value}),
        f"  # {augmentation.reason} Larger changes teach more where the images vary more.",
        _indented({"augmentation": augmentation.value}),
        "# A small network that learns from few images; add filters where there are many.",
        dump_yaml(
            {"model": {"name": "cnn", "blocks": blocks, "pooling": "average", "head": {"dropout": 0.3}}}
        ).rstrip(),
        f"# About {epochs * total:,} images are seen in all; more epochs help until val_loss rises.",
        dump_yaml(
            {
                "training": {
                    "epochs": epochs,
                    "batch_size": batch,
                    "optimizer": {"name": "adamw", "learning_rate": 0.002, "weight_decay": 0.01},
                    "schedule": {"name": "cosine", "warmup": 0.1},
                }
            }
        ).rstrip(),
    ]
    return "\n".join(parts) + "\n"


def _part(classes: int, total: int, leave: int) -> float:
    """Return a fraction, a tenth at least, that holds one image of each class and leaves `leave` of each."""
    part = float(np.ceil(100 * max(0.1, 1.2 * classes / total)) / 100)
    return part if total - np.ceil(part * total) >= leave * classes else float(np.floor(1e6 * classes / total) / 1e6)


def _indented(content: dict) -> str:
    return "\n".join("  " + line for line in dump_yaml(content).rstrip().splitlines())
