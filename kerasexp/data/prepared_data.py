"""From the `data:` section to arrays: source, classes, splits, packed images. The steps stand in this order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from kerasexp.config.data import Data, DataSource, Labels, Preprocessing
from kerasexp.data.disk_arrays import ImagesOnDisk, chunks
from kerasexp.data.hold_out import hold_out, match_groups
from kerasexp.data.image_cache import DecodedImages, decode_cached, is_large
from kerasexp.data.label_edits import corrupt_labels, describe_edits, subsample
from kerasexp.data.preprocessing import preprocess_array
from kerasexp.data.source import Images, Source
from kerasexp.data.sources import load_source
from kerasexp.errors import Problem, RunError, UserError, closest, listing

DEFAULT_TEST = 0.1


@dataclass(frozen=True)
class Split:
    """Images as the model takes them: uint8 [n, height, width, channels], int64 labels [n], and names.

    Where they are many, they stay on disk: indexing gives arrays, and `np.asarray` all of them.
    """

    images: np.ndarray | ImagesOnDisk
    labels: np.ndarray
    names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: np.ndarray) -> Split:
        """Return the images at these positions, in this order."""
        on_disk = isinstance(self.images, ImagesOnDisk)
        images = self.images.take(positions) if on_disk else self.images[positions]
        return Split(images, self.labels[positions], [self.names[i] for i in positions])


@dataclass(frozen=True)
class PreparedData:
    """All that a run learns from and is judged on.

    Attributes:
        splits: `train`, `val` and `test`.
        class_names: in the order of the labels.
        folders: the class of each stored label, for reading the same kind of data again.
        origin: where the images come from, for people.
        stand_in: one sentence where an offline stand-in is used, else None.
        faults: (name, reason) of each image that was left out.
        edits: a sentence on each edit of the labels.
        fingerprint: hexadecimal digest of images, labels and splits.
        split_digests: by split, a digest of which stored images with which classes it holds, however preprocessed.
        seconds: how long it took to prepare them.
        pseudo_labelled: `train` and `val` with a model's predictions for labels, where those are learned from.
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
    seconds: float = 0.0
    pseudo_labelled: dict[str, Split] = field(default_factory=dict)

    @property
    def training_splits(self) -> dict[str, Split]:
        """The splits as training sees them, pseudo-labels included; metrics are of `splits`."""
        return {**self.splits, **self.pseudo_labelled}

    @property
    def train_counts(self) -> list[int]:
        """How many training images each class has."""
        return np.bincount(self.splits["train"].labels, minlength=len(self.class_names)).tolist()

    @property
    def training_counts(self) -> list[int]:
        """The same of the labels that training sees, pseudo-labels included."""
        return np.bincount(self.training_splits["train"].labels, minlength=len(self.class_names)).tolist()


class DataCache:
    """Prepared data that are kept from one run to the next.

    Args:
        given: data prepared elsewhere, by `data_key`; they are kept as long as the cache. Of those prepared here only the
            last are.
    """

    def __init__(self, given: Mapping[str, PreparedData] | None = None):
        self._given, self._last = dict(given or {}), ("", None)

    def get(self, data: Data) -> PreparedData | None:
        """Return the prepared data of a section, or None where they are not kept."""
        key, last = self._last
        return last if key == data_key(data) else self._given.get(data_key(data))

    def keep(self, data: Data, prepared: PreparedData) -> None:
        """Keep the prepared data of a section, in place of the last ones."""
        self._last = data_key(data), prepared


def data_key(data: Data) -> str:
    """Return everything in the section that decides what the prepared data are."""
    return data.model_dump_json(exclude={"augmentation", "oversample"})


def prepare(
    data: Data, progress: Callable[[int, int], None] | None = None, hold_out_missing: bool = True
) -> PreparedData:
    """Load, split and preprocess what an experiment learns from.

    Args:
        data: the section of the experiment.
        progress: called with (done, all) while images are decoded.
        hold_out_missing: whether `val` and `test` are made of `train` where the source has none, as a run needs them; else
            the splits are those of the source.

    Raises:
        UserError: the data cannot be had, or do not fit the experiment.
        RunError: an image cannot be read and `on_corrupt` is `error`.
    """
    source, stand_in = load_source(data)
    edits = data.labels
    if stand_in is not None:
        edits = edits if data.offline.labels is None else data.offline.labels
        # Another source's test split would be of other images, and where it has one of its own, none is held out.
        if isinstance(data.test, DataSource) or "test" in source.splits:
            data = data.model_copy(update={"test": None})
    source = select_classes(source, edits.select)
    if isinstance(data.test, DataSource):
        source = add_test_split(source, data.test)
    packed, faults = {}, []
    for name, images in source.splits.items():
        packed[name], broken = decode_split(images, data.preprocessing, progress)
        faults += broken
    if faults and data.on_corrupt == "error":
        shown = [Problem(reason, name) for name, reason in faults[:10]]
        raise RunError(
            "\n".join([f"{len(faults)} images cannot be read, and data.on_corrupt is error:", *map(str, shown)])
        )
    split_up = make_splits if hold_out_missing else source_splits
    splits = split_up(packed, data, edits, source.class_names)
    return PreparedData(
        splits,
        source.class_names,
        source.folders,
        source.origin,
        stand_in,
        faults,
        describe_edits(edits),
        _fingerprint(splits, source.class_names),
        _split_digests(splits, source),
    )


def add_test_split(source: Source, other: DataSource) -> Source:
    """Take the test split of another source, whose classes have the same names.

    Raises:
        UserError: the other source is not to be had, has no test split, or lacks a class.
    """
    if "test" in source.splits:
        raise UserError(Problem("the source has a test split of its own; leave this key out", key="data.test"))
    found, _ = load_source(Data(**{key: getattr(other, key) for key in DataSource.model_fields}))
    if "test" not in found.splits:
        raise UserError(Problem(f"{found.origin} has no test split", key="data.test"))
    missing = [name for name in source.class_names if name not in found.class_names]
    if missing:
        message = f"{found.origin} has no class {listing(missing)}; it has {listing(found.class_names)}"
        raise UserError(Problem(message, key="data.test"))
    images = select_classes(found, source.class_names).splits["test"]
    origin = f"{source.origin}, and for the test {found.origin}"
    return replace(source, origin=origin, splits={**source.splits, "test": images})


def select_classes(source: Source, wanted: list[str] | None) -> Source:
    """Keep the classes in `wanted`, in that order; all of them for None.

    Raises:
        UserError: a class is not there.
    """
    if wanted is None:
        return source
    for name in wanted:
        if name not in source.class_names:
            allowed = source.class_names
            raise UserError(
                Problem(
                    f"no class '{name}'{closest(name, allowed)}; there: {listing(allowed)}", key="data.labels.select"
                )
            )
    new_label = np.array([wanted.index(name) if name in wanted else -1 for name in source.class_names])
    splits = {}
    for split, images in source.splits.items():
        labels = new_label[images.labels]
        kept = np.flatnonzero(labels >= 0)
        splits[split] = replace(images.take(kept), labels=labels[kept])
    return replace(source, class_names=list(wanted), splits=splits)


def decode_split(
    images: Images, how: Preprocessing, progress: Callable[[int, int], None] | None = None
) -> tuple[Split, list[tuple[str, str]]]:
    """Preprocess stored images: at once where they are arrays of the right size and not many, else through the
    packed cache.

    Raises:
        UserError: not one of them can be read.
    """
    at_once = _as_array(images, how)
    packed = (
        DecodedImages(at_once, np.arange(len(at_once)), [])
        if at_once is not None
        else decode_cached(images, how, progress)
    )
    if len(images) and len(packed.kept) == 0:
        name, reason = packed.faults[0]
        raise UserError(f"none of the {len(images)} images can be read; the first is {name}: {reason}")
    split = Split(packed.images, images.labels[packed.kept], [images.names[i] for i in packed.kept])
    return split, packed.faults


def _as_array(images: Images, how: Preprocessing) -> np.ndarray | None:
    if images.array is None or is_large(len(images), how):
        return None
    return preprocess_array(images.array, how)


def make_splits(given: dict[str, Split], data: Data, edits: Labels, class_names: list[str]) -> dict[str, Split]:
    """Make `train`, `val` and `test` of what the source gives; a split that it has is taken as it is.

    The test split is set aside before the labels are edited, and keeps its own.

    Raises:
        UserError: there are too few images to split, or fewer in train than one batch needs.
    """
    train, test, val = given["train"], given.get("test"), given.get("val")
    if test is not None and isinstance(data.test, float):
        raise UserError(Problem("the source has a test split of its own; leave this key out", key="data.test"))
    if test is None:
        part = data.test if data.test is not None else DEFAULT_TEST
        kept, held = hold_out(train.labels, match_groups(train.names, data.groups), part, data.split_seed, "data.test")
        train, test = train.take(kept), train.take(held)
    train = _edited(train, data, edits, class_names)
    if val is None:
        groups = match_groups(train.names, data.groups)
        kept, held = hold_out(train.labels, groups, data.validation, data.split_seed, "data.validation")
        train, val = train.take(kept), train.take(held)
    else:
        val = _edited(val, data, edits, class_names)
    return {"train": train, "val": val, "test": test}


def source_splits(given: dict[str, Split], data: Data, edits: Labels, class_names: list[str]) -> dict[str, Split]:
    """Return the splits that the source has; the labels of `train` and `val` are edited."""
    there = {name: given[name] for name in ("train", "val", "test") if name in given}
    return {
        name: split if name == "test" else _edited(split, data, edits, class_names) for name, split in there.items()
    }


def _edited(split: Split, data: Data, edits: Labels, class_names: list[str]) -> Split:
    if edits.keep or edits.few_shot is not None or edits.at_most is not None:
        split = split.take(subsample(split.labels, class_names, edits, data.split_seed))
    if edits.noise or edits.complement:
        split = replace(split, labels=corrupt_labels(split.labels, len(class_names), edits, data.split_seed))
    return split


def _fingerprint(splits: dict[str, Split], class_names: list[str]) -> str:
    total = hashlib.sha256("\0".join(class_names).encode("utf-8", "surrogateescape"))
    for name, split in splits.items():
        total.update(f"{name} {split.images.shape}".encode())
        for images in chunks(split.images):
            total.update(np.ascontiguousarray(images))
        total.update(np.ascontiguousarray(split.labels))
    return total.hexdigest()


def _split_digests(splits: dict[str, Split], source: Source) -> dict[str, str]:
    """Digest what is stored, and the names and classes of the images in each split, in any order."""
    stored = {name: images.digest for name, images in source.splits.items()}
    identities = {}
    for name, split in splits.items():
        held = sorted(zip(split.names, (source.class_names[label] for label in split.labels), strict=True))
        text = "\0".join([stored.get(name, stored["train"]), *map("\0".join, held)])
        identities[name] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return identities
