"""A look at a user's own images: classes, counts, sizes, colour, ink, faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.config.data import DataSource
from kerasexp.data.preprocessing import border_means
from kerasexp.data.source import BrokenImage, Images, Source
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.data.thread_pool import map_threads

# Statistics need no more images than this; counts are of all.
SAMPLE = 2000
# Channels that differ by more than this are colour; scanners and JPEG leave less in grey.
COLOUR_DIFFERENCE = 24


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        counts: split -> class -> number of images.
        examined: how many images were decoded.
        heights, widths: int [looked at without faults].
        colour: share of images with colour in them.
        bright_border: share of images whose border is bright.
        ink: the window [top, left, bottom, right], in fractions, that holds what differs from the border; dust on one
            page in two hundred does not widen it.
        faults: (name, reason) of images that cannot be read.
    """

    counts: dict[str, dict[str, int]]
    examined: int
    heights: np.ndarray
    widths: np.ndarray
    colour: float
    bright_border: float
    ink: tuple[float, float, float, float]
    faults: list[tuple[str, str]]


@dataclass(frozen=True)
class ImageStatistics:
    """Images of one split that were decoded, one entry each.

    Attributes:
        names: of those without faults.
        heights, widths: int [n].
        colour: bool [n], whether there is colour in it.
        bright_border: bool [n].
        ink: float [n, 4], the window that holds what differs from the border.
        faults: (name, reason) of those that cannot be read.
    """

    names: list[str]
    heights: np.ndarray
    widths: np.ndarray
    colour: np.ndarray
    bright_border: np.ndarray
    ink: np.ndarray
    faults: list[tuple[str, str]]


def survey(path: Path, progress: Callable[[int, int], None]) -> Survey:
    """Look at a folder or zip archive of images in class folders.

    Raises:
        UserError: there are fewer than two classes, or no image can be read; as `image_folder`.
    """
    source = load_image_folder(DataSource(source="image_folder", path=str(path)))
    return summarize(source, [image_statistics(images, progress) for images in source.splits.values()])


def summarize(source: Source, looked: list[ImageStatistics]) -> Survey:
    """Return what was found in a source, of whose splits the images have been looked at."""
    counts = {
        split: dict(
            zip(source.class_names, np.bincount(p.labels, minlength=len(source.class_names)).tolist(), strict=True)
        )
        for split, p in source.splits.items()
    }
    every = merge_statistics(looked)
    found = len(every.names)
    return Survey(
        counts=counts,
        examined=found + len(every.faults),
        heights=every.heights,
        widths=every.widths,
        colour=float(every.colour.mean()) if found else 0.0,
        bright_border=float(every.bright_border.mean()) if found else 0.0,
        ink=tuple(np.diag(np.quantile(every.ink, (0.005, 0.005, 0.995, 0.995), axis=0)))
        if found
        else (0.0, 0.0, 1.0, 1.0),
        faults=every.faults,
    )


def merge_statistics(looked: list[ImageStatistics]) -> ImageStatistics:
    """Return what was seen in several splits as one."""
    arrays = ("heights", "widths", "colour", "bright_border", "ink")
    return ImageStatistics(
        names=[name for part in looked for name in part.names],
        **{field: np.concatenate([getattr(part, field) for part in looked]) for field in arrays},
        faults=[fault for part in looked for fault in part.faults],
    )


def image_statistics(images: Images, progress: Callable[[int, int], None]) -> ImageStatistics:
    """Decode images of a split, at most `SAMPLE` that lie evenly in it."""
    positions = np.unique(np.linspace(0, len(images) - 1, min(len(images), SAMPLE)).astype(int))
    names, facts, faults = [], [], []

    def one(position: int):
        try:
            return _facts(images.read(position))
        except BrokenImage as broken:
            return broken

    for done, (position, result) in enumerate(zip(positions, map_threads(one, positions), strict=True), start=1):
        if isinstance(result, BrokenImage):
            faults.append((images.names[position], str(result)))
        else:
            names.append(images.names[position])
            facts.append(result)
        progress(done, len(positions))
    table = np.array(facts) if facts else np.empty((0, 8))
    sizes, flags = table[:, :2].astype(int), table[:, 2:4].astype(bool)
    return ImageStatistics(names, *sizes.T, *flags.T, table[:, 4:8], faults)


def _facts(image: np.ndarray) -> tuple:
    """Return height, width, colour, bright border, and the window that holds the ink."""
    height, width = image.shape[:2]
    spread = image[::4, ::4].max(axis=2).astype(int) - image[::4, ::4].min(axis=2)
    border = border_means(image[np.newaxis])[0]
    ink = np.abs(image.mean(axis=2) - border) > 64
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    window = (0.5, 0.5, 0.5, 0.5)
    if len(rows):
        window = rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width
    return height, width, float((spread > COLOUR_DIFFERENCE).mean() > 0.01), float(border > 127.5), *window
