"""The zip archive of a model file: exactly the three members that Keras writes."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasexp.data.image_zip_checks import open_zip
from kerasexp.errors import listing
from kerasexp.saving.model_file_refusal import Refused, refusing

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
# EfficientNetV2-L, with a thousand layers, has a config of 1 MB. Python needs up to thirty times the memory to parse JSON.
# 4 GiB are a billion weights, ten times those of EfficientNetV2-L, and the limit of a zip archive without extensions.
LARGEST = {METADATA: 2**16, CONFIG: 2**22, WEIGHTS: 2**32 - 1}
MAX_DIRECTORY = 2**16
CHUNK = 2**20


def open_members(path: Path) -> zipfile.ZipFile:
    """Open a model file that has exactly the members that Keras writes, none of them too large.

    Raises:
        Refused: it is not a zip archive, holds other members, or compresses them. Keras stores them uncompressed, so that
            no more than the size of the file is ever read.
        UserError: the archive is damaged or unsafe.
    """
    if not zipfile.is_zipfile(path):
        raise Refused("is not a Keras model: it is not a zip archive")
    archive = open_zip(path, MAX_DIRECTORY, LARGEST[WEIGHTS])
    members = {member.filename: member for member in archive.infolist()}
    if missing := LARGEST.keys() - members.keys():
        raise Refused(f"is not a Keras model: it lacks {listing(sorted(missing))}")
    if others := members.keys() - LARGEST.keys():
        named = listing((f"{name!r:.80}" for name in sorted(others)), 3)
        raise Refused(f"also holds {named}, which a Keras model of ordinary layers does not have")
    for name, member in members.items():
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise Refused(f"{name} is compressed; Keras stores it uncompressed. Save the model again with Keras")
        if member.file_size > LARGEST[name]:
            raise Refused(f"{name} has {member.file_size:,} bytes; at most {LARGEST[name]:,} are accepted")
    return archive


def read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """Return the JSON object of a member.

    Raises:
        Refused: it is damaged, is not a JSON object, or is nested too deep.
    """
    with refusing(f"{name} cannot be read"), archive.open(name) as member:
        content = json.loads(member.read(LARGEST[name]))
    if not isinstance(content, dict):
        raise Refused(f"{name} is not a JSON object")
    return content


@contextmanager
def copied_weights(archive: zipfile.ZipFile) -> Iterator[Path]:
    """Copy the weights for the block, so that the checked file is the loaded one even if the archive changes meanwhile.

    Raises:
        Refused: they are damaged, or there is no space for the copy.
    """
    with refusing(f"{WEIGHTS} cannot be copied"):
        folder = tempfile.TemporaryDirectory(prefix="kerasexp-")
    with folder:
        copy = Path(folder.name) / WEIGHTS
        with refusing(f"{WEIGHTS} cannot be copied"), archive.open(WEIGHTS) as member, copy.open("wb") as file:
            shutil.copyfileobj(member, file, CHUNK)
        yield copy
