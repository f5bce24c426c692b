"""`new`: write an experiment for a user's own images, with settings that suit them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kerasexp.config import load_experiment
from kerasexp.config.data_section import DataSource
from kerasexp.config.model_section import IMAGENET, Application
from kerasexp.config.new_file import refuse_existing, write_new_file
from kerasexp.config.shipped_files import PHOTO_WEIGHTS
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.console import Console, command_line
from kerasexp.data.dataset_statistics import Survey, survey
from kerasexp.data.file_accounting import SHOWN, fault_lines, none_readable
from kerasexp.data.hold_out import hold_out
from kerasexp.data.label_sets import count_labels, is_multi_label
from kerasexp.data.new_recipes import (
    IMAGENET_NETWORK,
    IMAGENET_SIDE,
    Recipe,
    are_photographs,
    expected_better,
    pretrained_net,
    residual_net,
    small_net,
)
from kerasexp.data.new_source import find_source
from kerasexp.errors import Problem, UserError, listing
from kerasexp.storage import safe_name

# What a network for photographs starts from. auto: ImageNet weights where they are to be had, else the shipped ones.
AUTO, NONE = "auto", "none"
WEIGHTS = (AUTO, IMAGENET, PHOTO_WEIGHTS, NONE)
# The default of data.split_seed.
SPLIT_SEED = 0
DEFAULT_NAME = "my_images"


def write_new_experiment(
    folder: Path,
    output: Path | None,
    console: Console,
    label: str | None = None,
    weights: str = AUTO,
    imagenet_origin: Callable[[Application, int], str | None] = lambda model, side: None,
) -> Path:
    """Examine the images, write an experiment with comments, and return its path.

    Photographs get a second one, NAME_scratch.yaml: the baseline with random weights.

    Args:
        folder: a folder or archive of images, or a table of them.
        output: the file to write; None for the name of the folder, here.
        console: where the images are described.
        label: the table's column of labels; None if it is found.
        weights: what a network for photographs starts from: one of `WEIGHTS`.
        imagenet_origin: (section `model`, side of the images) -> where its ImageNet weights come from; None if nowhere.

    Raises:
        UserError: the images cannot be used for training, or the file exists already or cannot be written.
    """
    output = output or Path(f"{_name_of(folder.resolve())}.yaml")
    refuse_existing(output)
    baseline = output.with_name(f"{output.stem}_scratch{output.suffix}")
    if not folder.exists():
        raise UserError(Problem("no such file or folder", str(folder)))
    data, choices = find_source(folder, label)
    with console.bar("examining the images", 1) as bar:
        found = survey(data, bar.progress)
    if len(found.heights) == 0:
        raise none_readable(found.faults, str(folder))
    for line in (*choices, *found.notes, *fault_lines(found.faults, SHOWN)):
        console.line(line)
    _refuse_unusable(found, folder)
    for line in (*_summary(found), *_rare_classes(found)):
        console.line(line)
    start = _start(found, weights, imagenet_origin)
    if start is None:
        recipe = residual_net(found) if are_photographs(found) else small_net(found)
        _write(output, _experiment_text(found, data, output, recipe))
    else:
        chosen, origin = start
        refuse_existing(baseline)
        _write(output, _experiment_text(found, data, output, pretrained_net(found, chosen)))
        _write(baseline, _experiment_text(found, data, baseline, residual_net(found)))
        console.line(f"{output} starts from {origin}; {baseline}, the baseline, from random weights")
        console.line(expected_better(found, chosen, str(output), str(baseline)))
    console.line(f"run it with: {command_line('run', output)}")
    return output


def _start(
    found: Survey, weights: str, imagenet_origin: Callable[[Application, int], str | None]
) -> tuple[str, str] | None:
    """Return the weights that the network starts from, and a phrase on their origin; None for random ones."""
    if weights == NONE or (weights == AUTO and not are_photographs(found)):
        return None
    if weights != PHOTO_WEIGHTS:
        origin = imagenet_origin(IMAGENET_NETWORK, IMAGENET_SIDE)
        if origin is not None or weights == IMAGENET:
            where = origin or "which `run` will look for, and which are not here now"
            return IMAGENET, f"the ImageNet weights of {IMAGENET_NETWORK.name}, {where}"
    reason = (
        ""
        if weights == PHOTO_WEIGHTS
        else f", for the ImageNet weights of {IMAGENET_NETWORK.name} are not to be had here"
    )
    return PHOTO_WEIGHTS, f"the shipped weights {PHOTO_WEIGHTS}{reason}"


def _name_of(place: Path) -> str:
    """Return the name of an experiment on a folder, which may have dots in its name, or on a file."""
    return safe_name(place.name if place.is_dir() else place.stem, DEFAULT_NAME)


def _write(output: Path, text: str) -> None:
    """Write an experiment; raises UserError if it cannot be written."""
    write_new_file(output, text)
    load_experiment(output)


def _refuse_unusable(found: Survey, folder: Path) -> None:
    counts = {name: count - found.unreadable[name] for name, count in found.counts["train"].items()}
    several = is_multi_label(found.labels)
    # One for train, and one for each split that is held out of it.
    least = 1 if several else 1 + sum(split not in found.counts for split in ("val", "test"))
    few = [f"{name} ({count})" for name, count in counts.items() if count < least]
    if few and several:
        raise UserError(Problem(f"labels without an image that can be read: {listing(few)}", str(folder)))
    if few and least == 1:
        raise UserError(Problem(f"classes without a training image that can be read: {listing(few)}", str(folder)))
    if few:
        message = f"classes with fewer than {least} images cannot be split into train, val and test: {listing(few)}"
        raise UserError(Problem(message, str(folder)))


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _counted(images: int, counts: dict[str, int], several: bool) -> str:
    values = list(counts.values())
    if several:
        each = f"{_range(values)} images for each, {sum(values) / images:.1f} labels an image"
        return f"{images} images with {len(counts)} labels, {each}"
    return f"{images} images in {len(counts)} classes, {_range(values)} per class"


def _summary(found: Survey) -> list[str]:
    lines = []
    for split, counts in found.counts.items():
        lines.append(f"{split}: {_counted(found.images[split], counts, is_multi_label(found.labels))}")
    heights, widths = found.heights, found.widths
    sizes = f"{heights.min()}x{widths.min()} to {heights.max()}x{widths.max()}"
    lines.append(f"sizes (height x width): {sizes}; {found.colour:.0%} in colour")
    if found.assumed_range is not None:
        low, high = found.assumed_range
        lines.append(
            f"values: the range of the 16-bit files is not known; it is set to {low:g}..{high:g} by data.range"
        )
    if len(found.faults):
        lines.append(f"{len(found.faults)} of {found.examined} examined images cannot be read; `run` leaves them out")
    return lines


def _rare_classes(found: Survey) -> Iterator[str]:
    """Yield a sentence for each split that `run` will hold out without an image of some classes."""
    if found.has_groups:
        return  # what is held out depends on the groups, and `run` names the classes that a split lacks
    labels, held = found.labels, {}
    for name, part in _split_fractions(found).items():
        kept, out = hold_out(labels, None, part, SPLIT_SEED, f"data.{name}")
        held["val" if name == "validation" else name] = count_labels(labels[out], len(found.counts["train"]))
        labels = labels[kept]
    for name, counts in held.items():
        few = [
            f"{own} ({found.counts['train'][own]})"
            for own, n in zip(found.counts["train"], counts, strict=True)
            if not n
        ]
        if few:
            key = "data.validation" if name == "val" else "data.test"
            yield f"{name} will have no image of {listing(few, 5)}; {key} is the share that is held out"


def _experiment_text(found: Survey, data: DataSource, output: Path, recipe: Recipe) -> str:
    counts, total = found.counts["train"], found.images["train"]
    several = is_multi_label(found.labels)
    parent, name = output.resolve().parent, safe_name(output.stem, DEFAULT_NAME)
    fractions = _split_fractions(found)
    splits = {key: fractions[key] for key in ("validation", "test") if key in fractions}
    keys = data.model_dump(exclude_unset=True, exclude_none=True)
    source = keys | {key: _shown(keys[key], parent) for key in ("path", "images") if key in keys}
    parts = [
        f"# Image classification with {len(counts)} {'labels, several an image' if several else 'classes'}. "
        f"Written by `kerasexp new` for {total:,} training images, {_range(list(counts.values()))} per "
        f"{'label' if several else 'class'}.\n# Run it with: {command_line('run', output)}",
        *([dump_yaml({"name": name}).rstrip()] if name != output.stem else []),
        dump_yaml({"seed": 0}).rstrip(),
        dump_yaml({"data": source}).rstrip(),
        *(_range_lines(found) if found.assumed_range is not None else []),
        *(["  # Fractions of the images that are held out of training.", _indented(splits)] if splits else []),
        f"  # {recipe.preprocessing.reason}",
        _indented({"preprocessing": recipe.preprocessing.value}),
        f"  # {recipe.augmentation.reason} Use larger ones if your images vary more.",
        _indented({"augmentation": recipe.augmentation.value}),
        f"# {recipe.model.reason}",
        dump_yaml({"model": recipe.model.value}).rstrip(),
        f"# {recipe.training.reason}",
        dump_yaml({"training": recipe.training.value}).rstrip(),
    ]
    return "\n".join(parts) + "\n"


def _shown(path: str, parent: Path) -> str:
    """Return a path as the experiment has it: relative if it is in the folder of the experiment, else absolute."""
    full = Path(path).resolve()
    return os.path.relpath(full, parent) if full.is_relative_to(parent) else str(full)


def _split_fractions(found: Survey) -> dict[str, float]:
    """Return the shares to hold out, `test` first; a stratified split needs at least one image of each class on both sides."""
    splits, counts, left = {}, found.counts["train"], found.images["train"]
    if "test" not in found.counts:
        splits["test"] = _split_fraction(len(counts), left, leave=1 if "val" in found.counts else 2)
        left -= int(np.ceil(splits["test"] * left))
    if "val" not in found.counts:
        splits["validation"] = _split_fraction(len(counts), left, leave=1)
    return splits


def _range_lines(found: Survey) -> list[str]:
    least, most = found.found_values
    low, high = found.assumed_range
    return [
        f"  # The files have 16 bits and use {least}..{most} of them; {low:g}..{high:g} is the smallest usual range. Write that",
        "  # of the device that made them, or a narrower one for more contrast. [0, 65535] keeps the upper 8 bits.",
        f"  range: [{low:g}, {high:g}]",
    ]


def _split_fraction(classes: int, total: int, leave: int) -> float:
    """Return the fraction to hold out: at least 0.1 and one image per class, while `leave` images per class remain."""
    part = float(np.ceil(100 * max(0.1, 1.2 * classes / total)) / 100)
    return part if total - np.ceil(part * total) >= leave * classes else float(np.floor(1e6 * classes / total) / 1e6)


def _indented(content: dict) -> str:
    return "\n".join("  " + line for line in dump_yaml(content).rstrip().splitlines())
