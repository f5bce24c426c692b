"""From the section `data` to arrays: source, classes, decoded images, splits, in this order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from kerasexp.config.data_section import Data, DataSource, Preprocessing
from kerasexp.data.class_selection import add_test_split, select_classes
from kerasexp.data.file_accounting import Accounting, none_readable
from kerasexp.data.hold_out import names_have_groups
from kerasexp.data.image_cache import Cache, decode_cached, is_large
from kerasexp.data.images_in_two_splits import absent_classes, shared_groups
from kerasexp.data.label_edits import describe_edits
from kerasexp.data.label_sets import count_labels, label_text
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.pixel_facts import read_once, readable_part
from kerasexp.data.preprocessing import preprocess_array
from kerasexp.data.run_splits import DEFAULT_VALIDATION, make_splits, source_splits, unused_validation
from kerasexp.data.source import Images, Source, require_two_classes
from kerasexp.data.sources import load_source
from kerasexp.data.value_range import ValueRange, range_sentences
from kerasexp.errors import Problem, RunError

T = TypeVar("T")


@dataclass(frozen=True)
class Split:
    """Preprocessed images, uint8 [n, height, width, channels], with labels, names, and groups if there are any.

    Labels are int64 [n], or, with several an image, uint8 [n, classes] of 0 and 1.
    Many images stay on disk, and with `data.cache: none` in their files: indexing returns arrays. Where a head alone is
    trained, they are features, float32 [n, f].
    """

    images: np.ndarray | LazyImages
    labels: np.ndarray
    names: list[str]
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: np.ndarray) -> Split:
        """Return the images at these positions, in this order."""
        is_lazy = isinstance(self.images, LazyImages)
        images = self.images.take(positions) if is_lazy else self.images[positions]
        groups = self.groups and [self.groups[i] for i in positions]
        return Split(images, self.labels[positions], [self.names[i] for i in positions], groups)


@dataclass(frozen=True)
class PreparedData:
    """Everything a run is trained and evaluated on.

    Attributes:
        splits: `train`, `val` and `test`.
        class_names: class names in the order of the labels.
        folders: stored label -> class, to load more data of the same kind.
        origin: where the images come from, for messages.
        stand_in: a sentence if an offline stand-in is used, else None.
        faults: (name, reason) of each image left out.
        edits: a sentence about each edit of the labels.
        accounting: what became of each file, by source, as plain JSON values.
        fingerprint: hexadecimal digest of the arrays of all splits.
        split_digests: split -> digest of its stored images and their classes, independent of the preprocessing.
        value_ranges: split of the source -> range of its stored values; None for 0..255.
        notes: sentences on how the stored data were read, what is not used, and what is unusual.
        seconds: duration of the preparation.
        pseudo_labelled: `train` and `val` with the upstream model's predictions as labels, if training uses them.
        found: what `once` has computed: name -> what it was computed for, and the value.
    """

    splits: dict[str, Split]
    class_names: list[str]
    folders: dict[str, str]
    origin: str
    stand_in: str | None
    faults: list[tuple[str, str]]
    edits: list[str]
    fingerprint: str
    split_digests: dict[str, str]
    value_ranges: dict[str, ValueRange | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    accounting: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    pseudo_labelled: dict[str, Split] = field(default_factory=dict)
    found: dict[str, tuple[Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    def once(self, name: str, compute: Callable[[], T], of: Any = None) -> T:
        """Return what `compute` returns, computed once for all runs of these data in this process.

        Args:
            name: of the result.
            compute: uses nothing that may differ between runs of the same data, but for `of`.
            of: what else it depends on, such as the seed; the result of the last one is kept.
        """
        kept = self.found.get(name)
        if kept is None or kept[0] != of:
            kept = self.found[name] = of, compute()
        return kept[1]

    @property
    def training_splits(self) -> dict[str, Split]:
        """The splits that training uses, with pseudo-labels if there are any; metrics are computed on `splits`."""
        return {**self.splits, **self.pseudo_labelled}

    @property
    def value_range(self) -> ValueRange | None:
        """Range of the stored values of train; None for 0..255."""
        return self.value_ranges.get("train")

    @property
    def train_counts(self) -> list[int]:
        """Number of training images of each class."""
        return count_labels(self.splits["train"].labels, len(self.class_names)).tolist()

    @property
    def training_counts(self) -> list[int]:
        """Number of training images of each class in `training_splits`."""
        return count_labels(self.training_splits["train"].labels, len(self.class_names)).tolist()


class DataCache:
    """Prepared data that are reused by later runs.

    Args:
        given: data prepared elsewhere, by `data_key`; never dropped. Of the data added by `keep`, only the last are kept.
    """

    def __init__(self, given: Mapping[str, PreparedData] | None = None):
        self._given, self._last = dict(given or {}), ("", None)

    def get(self, data: Data) -> PreparedData | None:
        """Return the prepared data of a section `data`, or None."""
        key, last = self._last
        return last if key == data_key(data) else self._given.get(data_key(data))

    def keep(self, data: Data, prepared: PreparedData) -> None:
        """Keep the prepared data of a section `data` in place of the last ones."""
        self._last = data_key(data), prepared


def data_key(data: Data) -> str:
    """Return the keys and values of the section on which the prepared data depend."""
    return data.model_dump_json(exclude={"augmentation", "oversample"})


def prepare(
    data: Data, progress: Callable[[int, int], None] | None = None, hold_out_missing: bool = True
) -> PreparedData:
    """Load, preprocess and split the data of an experiment.

    Args:
        data: the section `data` of the experiment.
        progress: called with (done, total) while images are decoded.
        hold_out_missing: whether `val` and `test` are held out of `train` if the source lacks them, as a run needs; without
            it, the splits are those of the source.

    Raises:
        UserError: the data are not available, or do not fit the section.
        RunError: an image cannot be read, and `on_corrupt` is `error`.
    """
    source, stand_in = load_source(data)
    edits = data.labels
    if stand_in is not None:
        edits = edits if data.offline.labels is None else data.offline.labels
        data = _for_stand_in(data, source)
    require_two_classes(source)
    source = select_classes(source, edits.select)
    accounts = {"data": source.accounting}
    if isinstance(data.test, DataSource):
        section = Data(**{key: getattr(data.test, key) for key in DataSource.model_fields})
        source, accounts["data.test"] = add_test_split(source, load_source(section, "data.test")[0])
    accounts = {key: account for key, account in accounts.items() if account is not None}
    decoded, faults = {}, []
    for name, images in source.splits.items():
        decoded[name], broken = _open_split(images, data.preprocessing, progress, data.cache)
        faults += broken
    _check_faults(faults, data)
    split_up = partial(
        make_splits if hold_out_missing else source_splits, data=data, edits=edits, class_names=source.class_names
    )
    splits, facts, broken = read_once(decoded, split_up, source, data.preprocessing)
    _check_faults(broken, data)
    ranges = {name: images.value_range for name, images in source.splits.items()}
    notes = [*_notes(source, accounts, ranges), *unused_validation(source.splits, data), *facts.notes]
    notes += [*absent_classes(splits, source.class_names), *shared_groups(splits)]
    return PreparedData(
        splits,
        source.class_names,
        source.folders,
        source.origin,
        stand_in,
        [*faults, *broken],
        describe_edits(edits, "val" in source.splits),
        facts.fingerprint,
        _split_digests(splits, source),
        ranges,
        notes,
        {key: account.record() for key, account in accounts.items()},
    )


def _for_stand_in(data: Data, source: Source) -> Data:
    """Return the section without keys that were written for the source and do not fit its offline stand-in."""
    changes = {}
    # A test split from another source would not match it, and none is held out where it has its own.
    if isinstance(data.test, DataSource) or "test" in source.splits:
        changes["test"] = None
    if "val" in source.splits:
        changes["validation"] = DEFAULT_VALIDATION
    # Nor may the names of its images be of the pattern of groups.
    names = (name for images in source.splits.values() for name in images.names)
    if data.groups is not None and not names_have_groups(names, data.groups):
        changes["groups"] = None
    return data.model_copy(update=changes)


def _check_faults(faults: list[tuple[str, str]], data: Data) -> None:
    if faults and data.on_corrupt == "error":
        shown = [Problem(reason, name) for name, reason in faults[:10]]
        raise RunError(
            "\n".join([f"{len(faults)} images cannot be read, and data.on_corrupt is error:", *map(str, shown)])
        )


def _notes(source: Source, accounts: dict[str, Accounting], ranges: dict[str, ValueRange | None]) -> Iterator[str]:
    for key, account in accounts.items():
        yield from (line if key == "data" else f"{line} ({key})" for line in account.lines())
    yield from source.notes
    yield from range_sentences(ranges)


def decode_split(images: Images, config: Preprocessing, cache: Cache = "packed") -> tuple[Split, list[tuple[str, str]]]:
    """Preprocess stored images: arrays of the target size at once unless they are many, all others through the cache.

    Args:
        images, config, cache: as for `decode_cached`.

    Returns:
        The split, and (name, reason) of each image that cannot be read.

    Raises:
        UserError: none of the images can be read.
    """
    split, faults = _open_split(images, config, None, cache)
    readable, broken = readable_part(split, images, config)
    return readable, [*faults, *broken]


def _open_split(
    images: Images, config: Preprocessing, progress: Callable[[int, int], None] | None, cache: Cache
) -> tuple[Split, list[tuple[str, str]]]:
    """Return the split as `decode_split` does; with `cache: none`, before any image was read."""
    large = cache == "packed" and is_large(len(images), config)
    array = None if images.array is None or large else preprocess_array(images.array, config)
    if array is not None:
        return Split(array, images.labels, images.names, images.groups), []
    decoded = decode_cached(images, config, progress, cache)
    if len(images) and len(decoded.kept) == 0:
        raise none_readable(decoded.faults)
    readable = images.take(decoded.kept)
    return Split(decoded.images, readable.labels, readable.names, readable.groups), decoded.faults


def _split_digests(splits: dict[str, Split], source: Source) -> dict[str, str]:
    """Return a digest per split of the stored content and the images' names and classes, independent of their order."""
    stored = {name: images.digest for name, images in source.splits.items()}
    digests = {}
    for name, split in splits.items():
        held = sorted(zip(split.names, (label_text(label, source.class_names) for label in split.labels), strict=True))
        text = "\0".join([stored.get(name, stored["train"]), *map("\0".join, held)])
        digests[name] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return digests
