"""Where a user's images have their labels: in class folders, or in a table in or beside their folder."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kerasexp.config.data_section import DataSource
from kerasexp.config.section_base import composed
from kerasexp.data.folder_listing import entries
from kerasexp.data.found_images import FoundImages, find_images
from kerasexp.data.image_archive import Files, open_files
from kerasexp.data.label_columns import find_label_columns
from kerasexp.data.sources.image_folder import class_folders, find_layout
from kerasexp.data.sources.image_table import PARQUET, TABLES, names_images
from kerasexp.data.sources.table import TableListing, list_table
from kerasexp.data.table_files import find_table_files, place_of_images
from kerasexp.environment import missing_of
from kerasexp.errors import Problem, UserError


def find_source(place: Path, label: str | None) -> tuple[DataSource, list[str]]:
    """Return the source that reads a user's images, and sentences about the choice.

    Class folders are taken where there are any, unless a table in or beside their folder has several labels for one of them.
    Columns of 0 and 1 beside class folders may be anything, and are not taken. Of several tables, the one that lists the most
    images is taken.

    Args:
        place: a folder, a zip archive or a table.
        label: the table's column of labels; None if it is found.

    Raises:
        UserError: no table can be used and there are no class folders, or a column of labels is given and no table has it.
    """
    if place.suffix.lower() in TABLES and place.is_file():
        return _table_source(place, label)
    files = open_files(place)
    found = find_images(files)
    has_classes, notes = _has_class_folders(files, found), []
    refused: list[Problem] = []
    # The number of images that each table lists, the table, and the source that reads it with sentences about the labels.
    fitting: list[tuple[int, Path, DataSource, list[str]]] = []
    for table in _tables_of(place, found):
        try:
            data, about = _table_source(table, label, None if table.parent == place else place)
            listed = list_table(data)
        except UserError as error:
            refused += error.problems
            notes.append(f"not used: the table {table.name}; `new {table}` says what it lacks")
            continue
        if not _concerns(listed, place):
            continue
        if has_classes and listed.labels:
            notes.append(f"not used: the table {table.name}, which has columns of 0 and 1; `new {table}` takes them")
            continue
        if has_classes and _folders_are_classes(listed):
            notes.append(
                f"not used: the table {table.name}, whose labels are those of the folders; `new {table}` takes its names"
            )
            break
        fitting.append((len(listed.used), table, data, about))
    if fitting:
        _, best, data, about = max(fitting, key=lambda each: each[0])
        notes += [
            f"not used: the table {other.name}, which lists no more images" for _, other, *_ in fitting if other != best
        ]
        return data, [*notes, f"the labels are in the table {best.name}", *about]
    if refused and (label is not None or not has_classes):
        raise UserError(*refused)
    if label is not None:
        raise UserError(Problem(f"there is no table of images in or beside {place}", key="--label"))
    return DataSource(source="image_folder", path=str(place)), notes


def _table_source(table: Path, label: str | None, images: Path | None = None) -> tuple[DataSource, list[str]]:
    """Return the source that reads a table, with the folder or archive of its images unless they are at its paths.

    With it come sentences about the labels.
    """
    try:
        found = find_label_columns(table, label)
    except UserError as error:
        problems = (replace(p, key="--label" if p.key == "data.columns.label" else p.key) for p in error.problems)
        raise UserError(*problems) from None
    keys = {"source": "table", "path": str(table.absolute())}
    images = None if found.holds_images else _place_of_images(table, images, found.paths)
    keys |= {} if images is None else {"images": str(images)}
    if columns := found.columns.model_dump(exclude_none=True):
        keys["columns"] = columns
    if found.several is None:
        return DataSource(**keys), []
    return DataSource(**keys, multi_label=True), [f"several labels an image: {found.several} (data.multi_label)"]


def _place_of_images(table: Path, images: Path | None, texts: list[str]) -> Path | None:
    """Return the folder or archive of a table's images; None if they are at its paths."""
    if images is None:
        at_paths = len(find_table_files(table, None, texts)[1].found)
        if 2 * at_paths < len(set(texts)):
            found, count = place_of_images(table, texts)
            images = found if count > at_paths else None
    elif 2 * len(find_table_files(table, None, texts)[1].found) >= len(set(texts)):
        images = None
    return images


def _tables_of(place: Path, found: FoundImages) -> Iterator[Path]:
    """Yield the tables of image files directly in a folder, then those beside it or beside an archive.

    Parquet files that cannot be read here are among them.
    """
    folders = [place, place.absolute().parent] if place.is_dir() else [place.absolute().parent]
    stems = {posixpath.splitext(posixpath.basename(composed(path)))[0] for path in found.paths}
    unread = PARQUET if missing_of("parquet") else ()
    for file in (file for folder in folders for file in entries(folder)):
        ending = file.suffix.lower()
        if ending in TABLES and file.is_file() and (ending in unread or names_images(file, stems)):
            yield file


def _has_class_folders(files: Files, found: FoundImages) -> bool:
    try:
        listed, _ = class_folders(found, find_layout(files, found))
    except UserError:
        return False
    return len({name for members in listed.values() for name in members}) > 1


def _concerns(listed: TableListing, place: Path) -> bool:
    """Return whether a table lists at least half of the images of a folder or archive that it is in or beside."""
    origin, place = Path(listed.files.origin).absolute(), place.absolute()
    images = len(listed.rest.found.paths)
    return (origin == place or place in origin.parents) and 2 * len(listed.used) >= images


def _folders_are_classes(listed: TableListing) -> bool:
    """Return whether all images of a folder have one label in the table."""
    labels: dict[str, set[str]] = defaultdict(set)
    for (_, file), row in listed.used.items():
        labels[posixpath.dirname(file)].add(row.label)
    return len(labels) > 1 and all(len(own) == 1 for own in labels.values())
