"""A look at a user's own pictures: classes, counts, sizes, colour, ink, faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.data.pictures import BrokenPicture, Pictures
from kerasexp.data.preprocessing import border_means
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.data.threads import in_threads

# Statistics need no more pictures than this; counts are of all.
SAMPLE = 2000
# Channels that differ by more than this are colour; scanners and JPEG leave less in grey.
COLOUR_DIFFERENCE = 24


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        counts: split -> class -> number of pictures.
        looked_at: how many pictures were decoded.
        heights, widths: int [looked at without faults].
        colour: share of pictures with colour in them.
        bright_border: share of pictures whose border is bright.
        ink: the window [top, left, bottom, right], in fractions, that holds what differs from the border; dust on one
            page in two hundred does not widen it.
        faults: (name, reason) of pictures that cannot be read.
    """

    counts: dict[str, dict[str, int]]
    looked_at: int
    heights: np.ndarray
    widths: np.ndarray
    colour: float
    bright_border: float
    ink: tuple[float, float, float, float]
    faults: list[tuple[str, str]]


def survey(path: Path, progress: Callable[[int, int], None]) -> Survey:
    """Look at a folder or zip archive of pictures in class folders.

    Raises:
        UserError: there are fewer than two classes, or no picture can be read; as `image_folder`.
    """
    source = load_image_folder(DataSource(source="image_folder", path=str(path)))
    counts = {
        split: dict(
            zip(source.class_names, np.bincount(p.labels, minlength=len(source.class_names)).tolist(), strict=True)
        )
        for split, p in source.splits.items()
    }
    facts, faults = [], []
    for pictures in source.splits.values():
        found, broken = _look(pictures, progress)
        facts += found
        faults += broken
    table = np.array(facts) if facts else np.empty((0, 8))
    return Survey(
        counts=counts,
        looked_at=len(facts) + len(faults),
        heights=table[:, 0].astype(int),
        widths=table[:, 1].astype(int),
        colour=float(table[:, 2].mean()) if facts else 0.0,
        bright_border=float(table[:, 3].mean()) if facts else 0.0,
        ink=tuple(np.diag(np.quantile(table[:, 4:8], (0.005, 0.005, 0.995, 0.995), axis=0)))
        if facts
        else (0.0, 0.0, 1.0, 1.0),
        faults=faults,
    )


def _look(pictures: Pictures, progress: Callable[[int, int], None]) -> tuple[list[tuple], list[tuple[str, str]]]:
    positions = np.unique(np.linspace(0, len(pictures) - 1, min(len(pictures), SAMPLE)).astype(int))
    facts, faults = [], []

    def one(position: int):
        try:
            return _facts(pictures.read(position))
        except BrokenPicture as broken:
            return broken

    for done, (position, result) in enumerate(zip(positions, in_threads(one, positions), strict=True), start=1):
        if isinstance(result, BrokenPicture):
            faults.append((pictures.names[position], str(result)))
        else:
            facts.append(result)
        progress(done, len(positions))
    return facts, faults


def _facts(picture: np.ndarray) -> tuple:
    """Return height, width, colour, bright border, and the window that holds the ink."""
    height, width = picture.shape[:2]
    spread = picture[::4, ::4].max(axis=2).astype(int) - picture[::4, ::4].min(axis=2)
    border = border_means(picture[np.newaxis])[0]
    ink = np.abs(picture.mean(axis=2) - border) > 64
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    window = (0.5, 0.5, 0.5, 0.5)
    if len(rows):
        window = rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width
    return height, width, float((spread > COLOUR_DIFFERENCE).mean() > 0.01), float(border > 127.5), *window
