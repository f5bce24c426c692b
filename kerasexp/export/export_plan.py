"""The validated request of an export, made before TensorFlow is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasexp.config import load_experiment
from kerasexp.config.data_section import Data
from kerasexp.config.report_rules import labels_exclude_a_class
from kerasexp.config.yaml_paths import is_there
from kerasexp.custom.trust import is_run_directory
from kerasexp.environment import install_command, missing_of
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.evaluation.ensemble import require_same_classes
from kerasexp.evaluation.evaluate_checkpoint import parse_source
from kerasexp.evaluation.file_predictions import ImageFile, image_files
from kerasexp.export import FORMATS, ExportFormat
from kerasexp.saving.checkpoint import experiment_file, find_checkpoint, read_preprocessing

RAW, MODEL = "raw", "model"
# A folder to push, which is made of the checkpoint's files without a conversion.
HUB_FOLDER = "hub_folder"
INPUTS = (RAW, MODEL)
LARGEST_SIDE = 2**16
KINDS = ("int8", "float16", "dynamic")
TOLERANCE = 0.01


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for, as it is typed; None where an option is not given."""

    checkpoints: list[Path]
    format: str
    output: Path | None = None
    images: Path | None = None
    input: str = RAW
    quantize: str | None = None
    tolerance: float | None = None
    data: str | None = None
    data_path: str | None = None


@dataclass(frozen=True)
class ExportPlan:
    """The validated request.

    Attributes:
        checkpoints: their folders. Several are exported as one model; the first one gives the order of the classes, and val.
        format: one of `FORMATS`.
        output: the folder or file to create.
        images: for the comparison; None if none were given.
        images_from: the file or folder of these images.
        raw: whether the model takes stored images, and preprocesses them itself.
        size: height and width of these; None for any.
        quantize: one of `KINDS`; None for float32.
        tolerance: most accuracy on val that quantization may lose.
        data: the source of val; None for that of the checkpoint's run.
    """

    checkpoints: list[Path]
    format: ExportFormat
    output: Path
    images: list[ImageFile] | None
    images_from: Path | None
    raw: bool
    size: tuple[int, int] | None
    quantize: str | None = None
    tolerance: float = TOLERANCE
    data: Data | None = None

    @property
    def name(self) -> str:
        """What is exported, for messages."""
        return listing(map(str, self.checkpoints))


def plan_export(request: ExportRequest) -> ExportPlan:
    """Validate a request.

    Raises:
        UserError: there is no such format, input, checkpoint or image, the checkpoints do not fit together, the format's extra
            is not installed, the output exists already or cannot be created, or a size is missing.
    """
    form = _format(request.format)
    named = _named_size(request, form)
    folders, names = [find_checkpoint(path) for path in request.checkpoints], list(map(str, request.checkpoints))
    require_same_classes(folders, names)
    _require_same_input(folders, names)
    folder = folders[0]
    data = _check_quantization(request, form, folder)
    kind = "" if request.quantize is None else f"_{request.quantize}"
    output = request.output or Path(default_output(folders) + kind + form.ending)
    if not form.folder and output.suffix != form.ending:
        raise UserError(
            Problem(f"the name of a {request.format} file must end in {form.ending}", str(output), "--output")
        )
    if is_there(output):
        raise UserError(Problem("exists already; choose another name, or remove it", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    images = None if request.images is None else image_files([request.images])
    raw = request.input != MODEL
    size = None if not raw or form.any_size else named or _stored_size(request, folder)
    tolerance = TOLERANCE if request.tolerance is None else request.tolerance
    return ExportPlan(folders, form, output, images, request.images, raw, size, request.quantize, tolerance, data)


def _require_same_input(folders: Sequence[Path], names: Sequence[str]) -> None:
    """Raise UserError unless checkpoint folders, which have names, preprocess images in the same way."""
    problems = [
        Problem(f"preprocesses images differently than {names[0]}, so that they cannot be one model", name)
        for folder, name in zip(folders[1:], names[1:], strict=True)
        if _input_of(folder) != _input_of(folders[0])
    ]
    if problems:
        raise UserError(*problems)


def _input_of(folder: Path) -> dict[str, Any]:
    """Return how a checkpoint folder makes its input from an image."""
    return read_preprocessing(folder).model_dump(exclude={"stored_size"})


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        allowed = [*FORMATS, HUB_FOLDER]
        raise UserError(Problem(f"got '{name}'{closest(name, allowed)}; allowed: {listing(allowed)}", "--format"))
    form = FORMATS[name]
    if form.extra is not None and (missing := missing_of(form.extra)):
        needs = f"{name} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UserError(Problem(f"{needs}: {install_command(form.extra)}", "--format"))
    return form


def _check_quantization(request: ExportRequest, form: ExportFormat, folder: Path) -> Data | None:
    """Return the source of val that was named, if any.

    Raises:
        UserError: the options of quantization do not fit each other, or there is no val.
    """
    if request.quantize is None:
        for name in ("tolerance", "data", "data_path"):
            if getattr(request, name) is not None:
                raise UserError(
                    Problem("is read with --quantize only; remove this option", f"--{name.replace('_', '-')}")
                )
        return None
    if request.quantize not in KINDS:
        message = f"got '{request.quantize}'{closest(request.quantize, KINDS)}; allowed: {listing(KINDS)}"
        raise UserError(Problem(message, "--quantize"))
    if form.quantize is None:
        able = listing(name for name, other in FORMATS.items() if other.quantize is not None)
        raise UserError(Problem(f"{request.format} cannot be quantized; {able} can", "--quantize"))
    if request.tolerance is not None and not 0 <= request.tolerance <= 1:
        raise UserError(
            Problem(f"got {request.tolerance:g}; a share of val's images from 0 to 1 is allowed", "--tolerance")
        )
    if request.data is not None:
        return parse_source(request.data, request.data_path)
    if request.data_path is not None:
        raise UserError(Problem("needs --data, the kind of source", "--data-path"))
    file = experiment_file(folder)
    if not (file.is_file() and is_run_directory(file.parent)):
        why = "quantizing needs the images of val, and the checkpoint is not in a run directory"
        raise UserError(Problem(f"{why}; name their source, such as --data mnist", str(folder), "--data"))
    if labels_exclude_a_class(load_experiment(file)):
        why = "quantizing needs right labels, and those of its val say what an image is NOT"
        raise UserError(Problem(f"{why}; name a source that has them, such as --data mnist", str(folder), "--data"))
    return None


def _named_size(request: ExportRequest, form: ExportFormat) -> tuple[int, int] | None:
    """Return the size of raw images that was named; None if none was."""
    if request.input in INPUTS:
        return None
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", request.input)
    sides = tuple(map(int, found.groups())) if found else (0,)
    if not all(0 < side <= LARGEST_SIDE for side in sides):
        allowed = f"{listing(INPUTS)}, or the height and width of raw images, such as 900x1200, up to {LARGEST_SIDE:,}"
        raise UserError(
            Problem(f"got '{request.input}'{closest(request.input, INPUTS)}; allowed: {allowed}", "--input")
        )
    if form.any_size:
        raise UserError(Problem(f"{request.format} takes raw images of any size; write --input raw", "--input"))
    return sides


def _stored_size(request: ExportRequest, folder: Path) -> tuple[int, int]:
    """Return the size of the images of training."""
    stored = read_preprocessing(folder).stored_size
    if stored is None:
        why = f"{request.format} takes images of one size, and the checkpoint does not say which: its training images had several"
        raise UserError(
            Problem(f"{why}, or it is older. Name one, such as --input 900x1200, or use --input model", "--input")
        )
    return tuple(stored)


def default_output(folders: Sequence[Path]) -> str:
    """Return the default name: that of the checkpoint's or run's folder, after the experiment's name if it is a number.

    Of several checkpoints, the first names the model, followed by their number.
    """
    folder = folders[0].resolve()
    if folder.name == "checkpoint":
        folder = folder.parent
    name = f"{folder.parent.name}_{folder.name}" if folder.name.isdecimal() else folder.name
    return name if len(folders) == 1 else f"{name}_ensemble_of_{len(folders)}"
