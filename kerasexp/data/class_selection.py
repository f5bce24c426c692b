"""Some classes of a source, and the test split of another source with the same classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kerasexp.data.file_accounting import Accounting, counted
from kerasexp.data.label_sets import is_multi_label
from kerasexp.data.source import Source
from kerasexp.errors import Problem, UserError, closest, listing


def add_test_split(source: Source, other: Source) -> tuple[Source, Accounting | None]:
    """Add the test split of another source with the same class names, or all of one that has no splits.

    Returns:
        The source with both, and what became of the files of the other one.

    Raises:
        UserError: there is a test split already, or the other source has other splits only, or lacks a class.
    """
    if "test" in source.splits:
        raise UserError(Problem("the source has a test split of its own; remove this key", key="data.test"))
    taken = split_to_test_on(other, "data.test")
    missing = [name for name in source.class_names if name not in other.class_names]
    if missing:
        message = f"{other.origin} has no class {listing(missing)}; classes: {listing(other.class_names)}"
        raise UserError(Problem(message, key="data.test"))
    only = replace(other, splits={"test": other.splits[taken]}, accounting=_without_splits(other, taken))
    selected = select_classes(only, source.class_names, "train does not have")
    notes = [f"test: {note}" for note in other.notes]
    if taken == "train":
        notes.append(f"test: all of {other.origin}, which has no splits (data.test)")
    more = len(only.splits["test"]) - len(selected.splits["test"])
    if more and other.accounting is None:
        names = listing(name for name in other.class_names if name not in source.class_names)
        notes.append(f"not used: {counted(more, 'image')} of classes that train does not have: {names} (data.test)")
    origin = f"{source.origin}, tested on {other.origin}"
    splits = {**source.splits, "test": selected.splits["test"]}
    return replace(source, origin=origin, splits=splits, notes=(*source.notes, *notes)), selected.accounting


def split_to_test_on(source: Source, key: str) -> str:
    """Return the split of a source to test on: `test`, or `train`, which is all of a source that has no splits.

    Raises:
        UserError: it has other splits only; the message begins with `key`.
    """
    taken = "train" if source.splits.keys() == {"train"} else "test"
    if taken not in source.splits:
        splits = listing(source.splits)
        message = f"{source.origin} has no test split, but {splits}; give the path of the folder to test on"
        raise UserError(Problem(message, key=key))
    return taken


def _without_splits(source: Source, used: str) -> Accounting | None:
    others = [path for split, images in source.splits.items() if split != used for path in images.names]
    return source.accounting and source.accounting.without("of other splits", others)


def select_classes(source: Source, wanted: list[str] | None, why: str = "data.labels.select does not name") -> Source:
    """Select the classes in `wanted`, in that order; all classes if it is None. `why` says what leaves the others out.

    Images with several labels stay without those of other classes.

    Raises:
        UserError: the source has no such class.
    """
    if wanted is None:
        return source
    for name in wanted:
        if name not in source.class_names:
            allowed = source.class_names
            raise UserError(
                Problem(
                    f"no class '{name}'{closest(name, allowed)}; classes: {listing(allowed)}", key="data.labels.select"
                )
            )
    if any(is_multi_label(images.labels) for images in source.splits.values()):
        columns = [source.class_names.index(name) for name in wanted]
        splits = {split: replace(images, labels=images.labels[:, columns]) for split, images in source.splits.items()}
        return replace(source, class_names=list(wanted), splits=splits)
    places = {name: place for place, name in enumerate(wanted)}
    new_label = np.array([places.get(name, -1) for name in source.class_names])
    splits, left = {}, []
    for split, images in source.splits.items():
        labels = new_label[images.labels]
        kept = np.flatnonzero(labels >= 0)
        splits[split] = replace(images.take(kept), labels=labels[kept])
        left += [images.names[i] for i in np.flatnonzero(labels < 0)]
    accounting = source.accounting and source.accounting.without(f"of classes that {why}", left)
    return replace(source, class_names=list(wanted), splits=splits, accounting=accounting)
