"""The files that the paths in a table mean: at these paths, or in other folders under names that are unambiguous."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kerasexp.config.section_base import composed
from kerasexp.data.image_formats import is_image_name

MISSING, SHARED_NAME = "whose file is not there", "whose name several files or rows have"


@dataclass(frozen=True)
class FileMatching:
    """What the paths in a table mean.

    Attributes:
        found: path in the table -> path of its file.
        by_name: those of `found` that lie in other folders, or lack the extension.
        lost: path in the table -> why it has no file.
    """

    found: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


def match_files(texts: Iterable[str], paths: Sequence[str], root: str, base: str) -> FileMatching:
    """Find the files that paths in a table mean.

    If less than half of them are files, the table was made for another place: paths are then matched by their last
    components. A name that two files have goes to the one whose folders are the same further up; if there is no such one, or
    two rows would have one file, it is not matched.

    Args:
        texts: the paths in the table, with `/` or backslashes, with or without the extension.
        paths: the files, relative to `root`.
        root: absolute path of their folder or archive, with `/`.
        base: absolute path of the folder that relative paths start at.
    """
    texts, index = list(dict.fromkeys(texts)), _Index(paths)
    found = {text: path for text in texts if (path := index.at(text, root, base)) is not None}
    rest = [text for text in texts if text not in found]
    if 2 * len(found) >= len(texts):
        return FileMatching(found, {}, dict.fromkeys(rest, MISSING))
    taken, claims, lost = set(found.values()), defaultdict(list), {}
    for text in rest:
        candidates = [path for path in index.named(text) if path not in taken]
        if len(candidates) == 1:
            claims[candidates[0]].append(text)
        else:
            lost[text] = SHARED_NAME if candidates else MISSING
    by_name = {claiming[0]: path for path, claiming in claims.items() if len(claiming) == 1}
    lost |= {text: SHARED_NAME for claiming in claims.values() if len(claiming) > 1 for text in claiming}
    return FileMatching({**found, **by_name}, by_name, lost)


class _Index:
    """Files by their paths and by their names, with and without the extension, in Unicode's composed form."""

    def __init__(self, paths: Sequence[str]):
        self.exact = {composed(path): path for path in paths}
        self.by_name: dict[str, list[str]] = defaultdict(list)
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        self.without_extension: dict[str, list[str]] = defaultdict(list)
        for path in filter(is_image_name, paths):
            stem = composed(path.rpartition(".")[0])
            self.without_extension[stem].append(path)
            self.by_stem[posixpath.basename(stem)].append(path)
        for path in paths:
            self.by_name[posixpath.basename(composed(path))].append(path)

    def at(self, text: str, root: str, base: str) -> str | None:
        """Return the file at this very path; None if there is none."""
        for spelled in dict.fromkeys((text, slashed(text))):
            path = posixpath.normpath(posixpath.join(base, spelled))
            inside = composed(path[len(root.rstrip("/")) + 1 :]) if path.startswith(root.rstrip("/") + "/") else None
            if inside in self.exact:
                return self.exact[inside]
            ends = [] if inside is None or is_image_name(text) else self.without_extension.get(inside, [])
            if len(ends) == 1:
                return ends[0]
        return None

    def named(self, text: str) -> list[str]:
        """Return the files of this name: those that have the most folders above it in common with the path."""
        parts = composed(slashed(text)).split("/")
        candidates = self.by_name.get(parts[-1]) or ([] if is_image_name(text) else self.by_stem.get(parts[-1], []))
        if len(candidates) < 2:
            return candidates
        common = [_common_end(parts[:-1], composed(path).split("/")[:-1]) for path in candidates]
        return [path for path, length in zip(candidates, common, strict=True) if length == max(common)]


def slashed(text: str) -> str:
    """Return a path of Windows with `/` between its components."""
    return text.replace("\\", "/")


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        length += 1
    return length
