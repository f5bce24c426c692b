"""The validated request of an export, made before TensorFlow is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.yaml_paths import is_there
from kerasexp.environment import install_command, missing_of
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.evaluation.file_predictions import ImageFile, image_files
from kerasexp.export import FORMATS, ExportFormat
from kerasexp.saving.checkpoint import find_checkpoint, read_preprocessing

RAW, MODEL = "raw", "model"
INPUTS = (RAW, MODEL)
LARGEST_SIDE = 2**16


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for, as it is typed; None where an option is not given."""

    checkpoint: Path
    format: str
    output: Path | None = None
    images: Path | None = None
    input: str = RAW
    size: str | None = None


@dataclass(frozen=True)
class ExportPlan:
    """The validated request.

    Attributes:
        checkpoint: its folder.
        format: one of `FORMATS`.
        output: the folder or file to create.
        images: for the comparison; None if none were given.
        images_from: the file or folder of these images.
        raw: whether the model takes stored images, and preprocesses them itself.
        size: height and width of these; None for any.
    """

    checkpoint: Path
    format: ExportFormat
    output: Path
    images: list[ImageFile] | None
    images_from: Path | None
    raw: bool
    size: tuple[int, int] | None


def plan_export(request: ExportRequest) -> ExportPlan:
    """Validate a request.

    Raises:
        UserError: there is no such format, input, checkpoint or image, the format's extra is not installed, the output exists
            already or cannot be created, or a size is missing, superfluous or none.
    """
    form = _format(request.format)
    if request.input not in INPUTS:
        message = f"got '{request.input}'{closest(request.input, INPUTS)}; allowed: {listing(INPUTS)}"
        raise UserError(Problem(message, "--input"))
    folder = find_checkpoint(request.checkpoint)
    output = request.output or Path(_name_of(folder) + form.ending)
    if not form.folder and output.suffix != form.ending:
        raise UserError(
            Problem(f"the name of a {request.format} file must end in {form.ending}", str(output), "--output")
        )
    if is_there(output):
        raise UserError(Problem("exists already; choose another name, or remove it", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    images = None if request.images is None else image_files([request.images])
    raw = request.input == RAW
    size = _size(request, form, folder)
    return ExportPlan(folder, form, output, images, request.images, raw, size)


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise UserError(Problem(f"got '{name}'{closest(name, FORMATS)}; allowed: {listing(FORMATS)}", "--format"))
    form = FORMATS[name]
    if form.extra is not None and (missing := missing_of(form.extra)):
        needs = f"{name} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UserError(Problem(f"{needs}: {install_command(form.extra)}", "--format"))
    return form


def _size(request: ExportRequest, form: ExportFormat, folder: Path) -> tuple[int, int] | None:
    """Return the size of the raw images that the exported model takes; None for any, and without raw images."""
    if request.size is not None and (request.input != RAW or form.any_size):
        takes = "takes images of any size" if request.input == RAW else "takes images of the model's size"
        what = request.format if request.input == RAW else "--input model"
        raise UserError(Problem(f"{what} {takes}; remove this option", "--size"))
    if request.input != RAW or form.any_size:
        return None
    if request.size is not None:
        found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", request.size)
        sides = tuple(map(int, found.groups())) if found else (0,)
        if not all(0 < side <= LARGEST_SIDE for side in sides):
            message = f"got '{request.size}'; write HEIGHTxWIDTH in pixels, such as 900x1200, up to {LARGEST_SIDE:,}"
            raise UserError(Problem(message, "--size"))
        return sides
    stored = read_preprocessing(folder).stored_size
    if stored is None:
        why = f"{request.format} takes images of one size, and the checkpoint does not say which: its training images had several"
        raise UserError(
            Problem(f"{why}, or it is older. Name one, such as --size 900x1200, or use --input model", "--size")
        )
    return tuple(stored)


def _name_of(folder: Path) -> str:
    """Return the default name: that of the checkpoint's or run's folder, after the experiment's name if it is a number."""
    folder = folder.resolve()
    if folder.name == "checkpoint":
        folder = folder.parent
    return f"{folder.parent.name}_{folder.name}" if folder.name.isdecimal() else folder.name
