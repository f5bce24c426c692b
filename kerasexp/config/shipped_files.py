"""The folders of experiments and checkpoints that come with kerasexp."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kerasexp.config.yaml_paths import find_file

PACKAGE = Path(__file__).resolve().parent.parent
# The shipped weights from which networks for photographs can start.
PHOTO_WEIGHTS = "tiny_imagenet"


def shipped_folder(kind: Literal["experiments", "checkpoints"]) -> Path:
    """Return a shipped folder: in the installed package, or beside the package in a source checkout."""
    installed = PACKAGE / "shipped" / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


def shipped_checkpoints() -> dict[str, Path]:
    """Return the folders of the shipped checkpoints by name."""
    folder = shipped_folder("checkpoints")
    return {path.name: path for path in sorted(folder.glob("[!._]*")) if path.is_dir()} if folder.is_dir() else {}


def find_weights(name: str) -> Path | None:
    """Return the file of weights that an experiment names: a file, or that of a shipped checkpoint; None without such.

    A folder of that name, such as one of a dataset, does not stand in the way of a shipped checkpoint.
    """
    found = find_file(name)
    if (found is None or not found.is_file()) and name in (shipped := shipped_checkpoints()):
        return shipped[name] / "model.keras"
    return found
