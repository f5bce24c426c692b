"""Seeded splits: stratified by class, or by groups that must not be torn apart."""

from __future__ import annotations

import re

import numpy as np

from kerasexp.config.data import Validation
from kerasexp.errors import Problem, UserError


def hold_out(
    labels: np.ndarray, groups: np.ndarray | None, part: float | Validation, seed: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into (kept, held out), both sorted.

    Args:
        labels: int64 [n], by which the split is stratified where there are no groups.
        groups: [n] or None; images of one group end on one side.
        part: a fraction, or one fold of several.
        seed: of the shuffle before the split.
        key: the experiment's key, for the error.

    Raises:
        UserError: there are too few images, or too few of a class or group, for such a split.
    """
    from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

    if isinstance(part, Validation):
        kind = GroupKFold if groups is not None else StratifiedKFold
        splitter, wanted = kind(part.folds, shuffle=True, random_state=seed), part.fold
    else:
        kind = GroupShuffleSplit if groups is not None else StratifiedShuffleSplit
        splitter, wanted = kind(1, test_size=part, random_state=seed), 0
    try:
        for number, (kept, held) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
            if number == wanted:
                return np.sort(kept), np.sort(held)
    except ValueError as error:
        smallest = np.bincount(labels).min() if len(labels) else 0
        raise UserError(
            Problem(f"{len(labels)} images, {smallest} in the smallest class, cannot be split so: {error}", key=key)
        ) from None
    raise AssertionError("a splitter gives as many folds as it was asked for")


def match_groups(names: list[str], pattern: str | None) -> np.ndarray | None:
    """Return what `pattern`'s group matches in each name, or None without a pattern.

    Raises:
        UserError: a name does not match.
    """
    if pattern is None:
        return None
    matches = [re.search(pattern, name) for name in names]
    unmatched = next((name for name, match in zip(names, matches, strict=True) if not (match and match.group(1))), None)
    if unmatched is not None:
        raise UserError(Problem(f"'{pattern}' is not found in the name '{unmatched}'", key="data.groups"))
    return np.array([match.group(1) for match in matches])
