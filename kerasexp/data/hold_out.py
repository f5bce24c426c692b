"""Seeded hold-out splits: stratified by class, or by groups that stay together."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable

import numpy as np

from kerasexp.config.data_section import Validation
from kerasexp.data.file_accounting import counted
from kerasexp.data.iterative_stratification import stratified_subsets
from kerasexp.data.label_sets import count_labels, is_multi_label
from kerasexp.data.stratified_split import stratified_split
from kerasexp.errors import Problem, UserError


def hold_out(
    labels: np.ndarray, groups: np.ndarray | None, part: float | Validation, seed: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into (kept, held out), both sorted.

    Args:
        labels: int64 [n], or uint8 [n, classes]; without groups, the split is stratified by them.
        groups: [n] or None; all images of a group are on the same side.
        part: what to hold out: a fraction, or one fold of several.
        seed: seed of the shuffle before the split.
        key: the experiment's key, for error messages.

    Raises:
        UserError: there are too few images, or too few of a class or group, for this split.
    """
    if is_multi_label(labels) and groups is None:
        return _hold_out_label_sets(labels, part, seed, key)
    stratified = groups is None and not isinstance(part, Validation)
    if stratified and (found := stratified_split(labels, part, seed)) is not None:
        return found
    from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

    if isinstance(part, Validation):
        kind = GroupKFold if groups is not None else StratifiedKFold
        splitter, wanted = kind(part.folds, shuffle=True, random_state=seed), part.fold
    else:
        kind = GroupShuffleSplit if groups is not None else StratifiedShuffleSplit
        splitter, wanted = kind(1, test_size=part, random_state=seed), 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a class with fewer images than folds; the notes of the data name it
            splits = list(splitter.split(np.zeros(len(labels)), labels, groups))
        return tuple(np.sort(positions) for positions in splits[wanted])
    except ValueError as error:
        if groups is not None:
            raise UserError(Problem(_too_few_groups(groups, part), key=key)) from None
        smallest = count_labels(labels, 0).min() if len(labels) else 0
        cause = _too_few_of_a_class(labels, part) or error
        raise UserError(
            Problem(f"cannot split {len(labels)} images, {smallest} in the smallest class: {cause}", key=key)
        ) from None


def _too_few_groups(groups: np.ndarray, part: float | Validation) -> str:
    """Return why images of these groups cannot be split so."""
    count = len(np.unique(groups))
    left = f"cannot split {len(groups)} images: {counted(count, 'group')} {'is' if count == 1 else 'are'} left to split"
    if isinstance(part, Validation):
        return f"{left}, and {part.folds} folds need as many groups"
    held = math.ceil(part * count)
    return f"{left}, and {part:g} of the groups, rounded up to {held}, leaves none for train"


def _too_few_of_a_class(labels: np.ndarray, part: float | Validation) -> str | None:
    """Return why a stratified split of this share is impossible and what is allowed, or None for another cause."""
    counts = np.unique(labels, return_counts=True)[1]
    if isinstance(part, Validation) or not len(counts):
        return None
    if counts.min() < 2:
        return "each class needs 2 images or more, for one of them is held out"
    held, classes, images = math.ceil(part * len(labels)), len(counts), len(labels)
    smallest = math.ceil(100 * classes / images) / 100
    if held >= classes or images - math.ceil(smallest * images) < classes:
        return None
    return f"{part:g} of them is {held}, fewer than the {classes:,} classes; use {smallest:g} or more"


def _hold_out_label_sets(
    labels: np.ndarray, part: float | Validation, seed: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    folds = isinstance(part, Validation)
    shares, wanted = ([1 / part.folds] * part.folds, part.fold) if folds else ([1 - part, part], 1)
    subsets = stratified_subsets(labels, shares, seed)
    kept, held = np.flatnonzero(subsets != wanted), np.flatnonzero(subsets == wanted)
    if not len(kept) or not len(held):
        raise UserError(Problem(f"cannot split {len(labels)} images: one side would be empty", key=key))
    return kept, held


def names_have_groups(names: Iterable[str], pattern: str) -> bool:
    """Return whether the group of `pattern` matches in every name."""
    return all((match := re.search(pattern, name)) and match.group(1) for name in names)


def match_groups(names: list[str], pattern: str) -> list[str]:
    """Return the text that the group of `pattern` matches in each name.

    Raises:
        UserError: `pattern` does not match a name.
    """
    matches = [re.search(pattern, name) for name in names]
    unmatched = next((name for name, match in zip(names, matches, strict=True) if not (match and match.group(1))), None)
    if unmatched is not None:
        raise UserError(Problem(f"'{pattern}' does not match the name '{unmatched}'", key="data.groups"))
    return [match.group(1) for match in matches]
