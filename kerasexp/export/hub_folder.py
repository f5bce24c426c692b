"""`export --format hub_folder`: a checkpoint as a repository of the Hugging Face Hub, which Keras loads by its address."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasexp.config.yaml_paths import is_there
from kerasexp.console import Console
from kerasexp.errors import Problem, UserError, listing
from kerasexp.export.export_plan import HUB_FOLDER, RAW, ExportRequest, default_output
from kerasexp.saving.checkpoint import CONTENTS, MODEL, find_checkpoint, load_checkpoint
from kerasexp.saving.checkpoint_code import needs_code
from kerasexp.saving.model_archive import CONFIG, METADATA, WEIGHTS, open_members, read_json
from kerasexp.saving.model_file_refusal import Refused
from kerasexp.saving.saved_files import CARD, RAW_MODEL
from kerasexp.storage import temporary_folder, write_errors, write_text

# What a `.keras` file holds, and what Keras reads from a folder.
UNPACKED = (CONFIG, METADATA, WEIGHTS)
LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
SHORT_CARD = """---
library_name: keras
pipeline_tag: image-classification
license: unknown
---

# {name}

A checkpoint of kerasexp: `{model}` with its classes and preprocessing. Say here what it was trained on, and what it is for.
"""


def export_hub_folder(request: ExportRequest, console: Console) -> Path:
    """Write a folder with the checkpoint, its card, and the model unpacked as Keras reads it from the Hub.

    The unpacked model is `model_raw.keras` where there is one of Keras layers alone, so that it takes stored images; else
    `model.keras`.

    Raises:
        UserError: there is no checkpoint, it has a link that leads elsewhere, an option is for other formats, or the output
            exists or cannot be created.
        RunError: the disk is full.
    """
    if len(request.checkpoints) > 1:
        raise UserError(Problem(f"takes one checkpoint, got {len(request.checkpoints)}", "--format", HUB_FOLDER))
    folder = find_checkpoint(request.checkpoints[0])
    _refuse_options(request)
    output = request.output or Path(f"{default_output([folder])}_hub")
    if is_there(output):
        raise UserError(Problem("exists already; choose another name, or remove it", str(output), "--output"))
    if not output.parent.is_dir():
        raise UserError(Problem("no such folder", str(output.parent), "--output"))
    _refuse_links(folder)
    load_checkpoint(folder)  # which raises unless it is sound
    raw, model = folder / RAW_MODEL, folder / MODEL
    archive = raw if raw.is_file() and not _has_own_layers(raw) else model
    with write_errors(output), temporary_folder(output.parent, output.name) as temporary:
        unfinished = temporary / output.name
        left_out = _copy(folder, unfinished)
        if not (unfinished / CARD).is_file():
            write_text(unfinished / CARD, SHORT_CARD.format(name=default_output([folder]), model=archive.name))
        _unpack(archive, unfinished)
        os.rename(unfinished, output)
    if left_out:
        console.line(f"not copied, because they do not belong to a checkpoint: {listing(left_out)}")
    console.line(f"{archive.name} is also there unpacked, as Keras reads it from the Hub")
    console.line(f"push it with `pip install huggingface_hub` and `hf upload USER/NAME {output}`")
    if needs_code(folder) or _has_own_layers(archive):
        console.line(
            f"{archive.name} has layers that Keras lacks: a download is for kerasexp, such as `predict FOLDER image.png`"
        )
    else:
        console.line("anyone then loads it by keras.saving.load_model('hf://USER/NAME')")
    return output


def _has_own_layers(archive: Path) -> bool:
    """Return whether a model has layers of kerasexp, under which name they are registered."""
    with _refused_by_name(archive), open_members(archive) as members:
        return '"kerasexp>' in json.dumps(read_json(members, CONFIG))


def _copy(folder: Path, target: Path) -> list[str]:
    """Copy the files of a checkpoint and its licence; return the names of what else is there, hidden files apart."""
    target.mkdir()
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    copied = [path for path in found if path.name in CONTENTS or path.stem.upper() in LICENCES]
    for path in copied:
        if path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        else:
            shutil.copyfile(path, target / path.name)
    return [path.name for path in found if path not in copied]


def _refuse_links(folder: Path) -> None:
    """Raise UserError if a checkpoint has a link to another place of this machine: what is there would be pushed too."""
    root = os.path.realpath(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            raise UserError(Problem("is a link that leads out of the checkpoint; put the file itself there", str(path)))


def _unpack(archive: Path, folder: Path) -> None:
    with _refused_by_name(archive), open_members(archive) as members:
        for name in UNPACKED:
            members.extract(name, folder)


@contextmanager
def _refused_by_name(archive: Path) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise UserError(Problem(str(refused), str(archive))) from None


def _refuse_options(request: ExportRequest) -> None:
    given = {
        "--images": request.images,
        "--input": None if request.input == RAW else request.input,
        "--quantize": request.quantize,
        "--tolerance": request.tolerance,
        "--data": request.data,
        "--data-path": request.data_path,
    }
    if named := [
        Problem(f"is not for {HUB_FOLDER}; remove this option", key=key) for key in given if given[key] is not None
    ]:
        raise UserError(*named)
