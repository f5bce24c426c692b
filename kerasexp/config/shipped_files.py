"""The folders of experiments and checkpoints that come with kerasexp."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parent.parent


def shipped_folder(kind: Literal["experiments", "checkpoints"]) -> Path:
    """Return a shipped folder: in the installed package, or beside the package in a source checkout."""
    installed = PACKAGE / "shipped" / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


def shipped_checkpoints() -> dict[str, Path]:
    """Return the folders of the shipped checkpoints by name."""
    folder = shipped_folder("checkpoints")
    return {path.name: path for path in sorted(folder.glob("[!._]*")) if path.is_dir()} if folder.is_dir() else {}
