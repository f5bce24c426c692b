"""From the splits of a source to those of a run: groups that stay together, missing splits, and edits of the labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.config.data_section import Data, DataSource, Labels, Validation
from kerasexp.data.hold_out import hold_out, match_groups, names_have_groups
from kerasexp.data.label_edits import corrupt_labels, subsample
from kerasexp.errors import Problem, UserError

if TYPE_CHECKING:
    from kerasexp.data.prepared_data import Split

DEFAULT_TEST, DEFAULT_VALIDATION = 0.1, Data.model_fields["validation"].default


def make_splits(given: dict[str, Split], data: Data, edits: Labels, class_names: list[str]) -> dict[str, Split]:
    """Return `train`, `val` and `test`: splits of the source as they are, missing ones held out of `train`.

    The test split is held out before the labels are edited and keeps its labels.

    Raises:
        UserError: there are too few images to split, `data.groups` does not match a name, `data.test` is a share although the
            source has a test split, or `data.validation` is a fold although it has a val split.
    """
    given = _with_groups(given, data)
    train, test, val = given["train"], given.get("test"), given.get("val")
    if test is not None and isinstance(data.test, float):
        raise UserError(Problem("the source has a test split of its own; remove this key", key="data.test"))
    if val is not None and isinstance(data.validation, Validation):
        message = "the source has a val split of its own; folds need a source without one"
        raise UserError(Problem(message, key="data.validation"))
    if test is None:
        train, test = _held_out(train, DEFAULT_TEST if data.test is None else data.test, data, "data.test")
    train = _edited(train, "train", data, edits, class_names)
    if val is None:
        train, val = _held_out(train, data.validation, data, "data.validation")
    else:
        val = _edited(val, "val", data, edits, class_names)
    return {"train": train, "val": val, "test": test}


def source_splits(given: dict[str, Split], data: Data, edits: Labels, class_names: list[str]) -> dict[str, Split]:
    """Return the splits of the source, with the labels of `train` and `val` edited.

    Raises:
        UserError: `data.groups` does not match a name.
    """
    given = _with_groups(given, data)
    there = {name: given[name] for name in ("train", "val", "test") if name in given}
    return {
        name: split if name == "test" else _edited(split, name, data, edits, class_names)
        for name, split in there.items()
    }


def unused_validation(splits: Collection[str], data: Data) -> Iterator[str]:
    """Yield a sentence if `data.validation` is set and the source has a val split of its own."""
    if "val" in splits and data.validation != DEFAULT_VALIDATION:
        yield "data.validation is not used: the source has a val split of its own"


def _with_groups(given: dict[str, Split], data: Data) -> dict[str, Split]:
    """Return the splits with the groups of `data.groups`, if it is set, in place of those of the source.

    A test split of another source may have names of another pattern, and then has no groups.
    """
    if data.groups is None:
        return given
    found = {}
    for name, split in given.items():
        may_differ = name == "test" and isinstance(data.test, DataSource)
        is_named = not may_differ or names_have_groups(split.names, data.groups)
        found[name] = replace(split, groups=match_groups(split.names, data.groups) if is_named else None)
    return found


def _held_out(split: Split, part: float | Validation, data: Data, key: str) -> tuple[Split, Split]:
    groups = None if split.groups is None else np.array(split.groups)
    kept, held = hold_out(split.labels, groups, part, data.split_seed, key)
    return split.take(kept), split.take(held)


def _edited(split: Split, name: str, data: Data, edits: Labels, class_names: list[str]) -> Split:
    if edits.keep or edits.few_shot is not None or edits.at_most is not None:
        split = split.take(subsample(split.labels, class_names, edits, data.split_seed, name))
    if edits.noise or edits.complement:
        split = replace(split, labels=corrupt_labels(split.labels, len(class_names), edits, data.split_seed))
    return split
