"""The three members of a model file: a zip archive, as Keras writes it and in no other way."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasexp.data.archive import open_zip
from kerasexp.errors import listing
from kerasexp.saving.refusal import Refused, refusing

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
# EfficientNetV2-L, of a thousand layers, has a config of 1 MB. Python takes up to thirty times as much memory for JSON.
# 4 GiB are a billion weights, ten times those of EfficientNetV2-L, and what a zip archive holds in its plain form.
LARGEST = {METADATA: 2**16, CONFIG: 2**22, WEIGHTS: 2**32 - 1}
MAX_DIRECTORY = 2**16
CHUNK = 2**20


def open_members(path: Path) -> zipfile.ZipFile:
    """Open a model file: exactly the members that Keras writes, none of them larger than it may be.

    Raises:
        Refused: it holds other members, or they are compressed. Keras stores them as they are; so there is nothing that
            could be inflated, and no more than the file's own size is ever read.
        UserError: it is no archive, or an unsafe one.
    """
    if not zipfile.is_zipfile(path):
        raise Refused("is no Keras model: it is not a zip archive")
    archive = open_zip(path, MAX_DIRECTORY, LARGEST[WEIGHTS])
    members = {member.filename: member for member in archive.infolist()}
    if missing := LARGEST.keys() - members.keys():
        raise Refused(f"is no Keras model: it lacks {listing(sorted(missing))}")
    if others := members.keys() - LARGEST.keys():
        named = listing((f"{name!r:.80}" for name in sorted(others)), 3)
        raise Refused(f"holds {named} as well, and a Keras model of layers has no such member")
    for name, member in members.items():
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise Refused(f"{name} is compressed, and Keras stores it as it is; save the model again with Keras")
        if member.file_size > LARGEST[name]:
            raise Refused(f"{name} has {member.file_size:,} bytes; no more than {LARGEST[name]:,} are read")
    return archive


def read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """Return what a member says.

    Raises:
        Refused: it is damaged, it is no JSON object, or it is nested too deep.
    """
    with refusing(f"{name} cannot be read"), archive.open(name) as member:
        content = json.loads(member.read(LARGEST[name]))
    if not isinstance(content, dict):
        raise Refused(f"{name} holds no JSON object")
    return content


@contextmanager
def copied_weights(archive: zipfile.ZipFile) -> Iterator[Path]:
    """Lend a copy of the weights, so that what is looked into is what is loaded, whatever becomes of the archive.

    Raises:
        Refused: they are damaged, or there is no room for the copy.
    """
    with refusing(f"{WEIGHTS} cannot be copied"):
        folder = tempfile.TemporaryDirectory(prefix="kerasexp-")
    with folder:
        copy = Path(folder.name) / WEIGHTS
        with refusing(f"{WEIGHTS} cannot be copied"), archive.open(WEIGHTS) as member, copy.open("wb") as file:
            shutil.copyfileobj(member, file, CHUNK)
        yield copy
