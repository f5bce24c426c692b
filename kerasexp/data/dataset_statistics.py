"""Statistics of a user's own images: classes, counts, sizes, colour, ink, faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.images_in_two_splits import shared_groups
from kerasexp.data.label_sets import count_labels
from kerasexp.data.preprocessing import border_means
from kerasexp.data.source import BrokenImage, Images, Source, require_two_classes
from kerasexp.data.sources import SOURCES
from kerasexp.data.value_range import UnknownRange

# Images decoded per split, enough for statistics; counts include all images.
SAMPLE = 2000
# A pixel whose channels differ by more than this is in colour; grey scans and JPEG files differ by less.
COLOUR_DIFFERENCE = 24


@dataclass(frozen=True)
class Survey:
    """Statistics of a dataset.

    Attributes:
        counts: split -> class -> number of images; an image of several labels counts for each.
        images: split -> number of images.
        labels: those of train, int64 [n], or uint8 [n, classes] with several labels an image.
        examined: number of images that were decoded.
        heights, widths: int [n], of the images without faults.
        colour: share of images in colour.
        bright_border: share of images with a bright border.
        ink: window [top, left, bottom, right], as fractions, of the pixels that differ from the border; dust on one page
            in 200 does not widen it.
        faults: (name, reason) of each image that cannot be read.
        unreadable: class -> number of those in train.
        has_groups: whether the source has groups that stay in one split.
        notes: sentences about what was taken and left out of the files, and about groups in several splits.
        assumed_range: the smallest usual range that holds the values of files of 16 bits, where they do not say theirs.
        found_values: the smallest and the largest of these values.
    """

    counts: dict[str, dict[str, int]]
    images: dict[str, int]
    labels: np.ndarray
    examined: int
    heights: np.ndarray
    widths: np.ndarray
    colour: float
    bright_border: float
    ink: tuple[float, float, float, float]
    faults: list[tuple[str, str]]
    unreadable: dict[str, int]
    has_groups: bool
    notes: list[str]
    assumed_range: list[float] | None = None
    found_values: tuple[int, int] | None = None


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of each decoded image.

    Attributes:
        names: names of the images without faults.
        heights, widths: int [n], in pixels.
        colour: bool [n], whether the image is in colour.
        bright_border: bool [n], whether its border is bright.
        ink: float [n, 4], window of the pixels that differ from the border.
        faults: (name, reason) of each image that cannot be read.
    """

    names: list[str]
    heights: np.ndarray
    widths: np.ndarray
    colour: np.ndarray
    bright_border: np.ndarray
    ink: np.ndarray
    faults: list[tuple[str, str]]


def survey(data: DataSource, progress: Callable[[int, int], None]) -> Survey:
    """Examine a source of image files.

    Raises:
        UserError: there are fewer than two classes or no images; see `load_image_folder` and `load_table`.
    """
    assumed, values = None, None
    try:
        source = SOURCES[data.source](data)
    except UnknownRange as unknown:
        assumed, values = unknown.suggested, unknown.found
        source = SOURCES[data.source](data.model_copy(update={"range": assumed}))
    require_two_classes(source)
    found = summarize(source, [image_statistics(images, progress) for images in source.splits.values()])
    return replace(found, assumed_range=assumed, found_values=values)


def summarize(source: Source, statistics: list[ImageStatistics]) -> Survey:
    """Return the survey of a source from the statistics of its splits."""
    classes, counts = source.class_names, {}
    for split, images in source.splits.items():
        counts[split] = dict(zip(classes, count_labels(images.labels, len(classes)).tolist(), strict=True))
    every, train = merge_statistics(statistics), source.splits["train"]
    faulty = {name for name, _ in every.faults}
    is_faulty = np.array([name in faulty for name in train.names], bool)
    unreadable = count_labels(train.labels[is_faulty], len(classes)).tolist()
    found, ink = len(every.names), (0.0, 0.0, 1.0, 1.0)
    if found:
        ink = tuple(np.diag(np.quantile(every.ink, (0.005, 0.005, 0.995, 0.995), axis=0)))
    return Survey(
        counts=counts,
        images={split: len(images) for split, images in source.splits.items()},
        labels=train.labels,
        examined=found + len(every.faults),
        heights=every.heights,
        widths=every.widths,
        colour=float(every.colour.mean()) if found else 0.0,
        bright_border=float(every.bright_border.mean()) if found else 0.0,
        ink=ink,
        faults=every.faults,
        unreadable=dict(zip(classes, unreadable, strict=True)),
        has_groups=train.groups is not None,
        notes=[*(source.accounting.lines() if source.accounting is not None else ()), *shared_groups(source.splits)],
    )


def merge_statistics(statistics: list[ImageStatistics]) -> ImageStatistics:
    """Join the statistics of several splits."""
    arrays = ("heights", "widths", "colour", "bright_border", "ink")
    return ImageStatistics(
        names=[name for part in statistics for name in part.names],
        **{field: np.concatenate([getattr(part, field) for part in statistics]) for field in arrays},
        faults=[fault for part in statistics for fault in part.faults],
    )


def image_statistics(images: Images, progress: Callable[[int, int], None]) -> ImageStatistics:
    """Decode up to `SAMPLE` evenly spaced images of a split and return their statistics."""
    positions = np.unique(np.linspace(0, len(images) - 1, min(len(images), SAMPLE)).astype(int))
    names, rows, faults = [], [], []

    def one(position: int):
        try:
            return _statistics(images.read(position))
        except BrokenImage as broken:
            return broken

    for done, (position, result) in enumerate(zip(positions, map_threads(one, positions), strict=True), start=1):
        if isinstance(result, BrokenImage):
            faults.append((images.names[position], str(result)))
        else:
            names.append(images.names[position])
            rows.append(result)
        progress(done, len(positions))
    table = np.array(rows) if rows else np.empty((0, 8))
    sizes, flags = table[:, :2].astype(int), table[:, 2:4].astype(bool)
    return ImageStatistics(names, *sizes.T, *flags.T, table[:, 4:8], faults)


def _statistics(image: np.ndarray) -> tuple:
    """Return height, width, colour, bright border, and the four edges of the ink window."""
    height, width = image.shape[:2]
    spread = image[::4, ::4].max(axis=2).astype(int) - image[::4, ::4].min(axis=2)
    border = border_means(image[np.newaxis])[0]
    ink = np.abs(image.mean(axis=2) - border) > 64
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    window = (0.5, 0.5, 0.5, 0.5)
    if len(rows):
        window = rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width
    return height, width, float((spread > COLOUR_DIFFERENCE).mean() > 0.01), float(border > 127.5), *window
