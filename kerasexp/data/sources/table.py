"""Image files that a table lists with their labels, and optionally with their splits and groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import find_data_path
from kerasexp.data.file_accounting import Rows, counted
from kerasexp.data.file_matching import FileMatching
from kerasexp.data.found_images import FileLists, FoundImages, UnlistedFiles, find_images
from kerasexp.data.image_archive import Files
from kerasexp.data.image_files import source_from_files
from kerasexp.data.label_sets import SEPARATOR, label_set, with_label_sets
from kerasexp.data.source import Source
from kerasexp.data.sources.image_folder import SPLIT_FOLDERS
from kerasexp.data.sources.image_table import ImageTable, read_image_table
from kerasexp.data.sources.stored_labels import stored_value
from kerasexp.data.sources.table_labels import has_label, row_labels
from kerasexp.data.table_files import KEY, files_in_table, find_table_files, place_of_images
from kerasexp.errors import Problem, UserError, listing

# Files with several labels are left out if they are at most this share; more are another kind of table.
MOST_AMBIGUOUS = 0.1
WRONG_LENGTH = "with too few or too many values"
NO_PATH, NO_LABEL, NO_SPLIT = "without a path", "without a label", "without a split"
REPEATED, AMBIGUOUS = "that repeat another row", "whose file has another label in another row"
IN_NO_ROW, IN_LEFT_OUT_ROW = "that are images in no row of the table", "of rows that are not used"


@dataclass(frozen=True)
class TableRow:
    """A row that is complete.

    Attributes:
        place: its place in the table, for messages.
        path: what it has for the path of its image.
        label, split: as stored, and `train`, `val` or `test`.
        group: empty if it has none.
    """

    place: str
    path: str
    label: str
    split: str
    group: str


@dataclass(frozen=True)
class TableRows:
    """The rows of a table.

    Attributes:
        complete: the rows that have a path, a label and a split.
        left_out: reason -> path or place of each row that is not used.
        notes: sentences about the splits.
    """

    complete: list[TableRow]
    left_out: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TableListing:
    """What a table lists.

    Attributes:
        files: the folder or archive of the images.
        used: (split, file) -> row of the images that are used.
        rest: what became of the other files and rows.
        has_groups: whether the table has a column of groups.
        labels: those that have a column of 0 and 1.
    """

    files: Files
    used: dict[tuple[str, str], TableRow]
    rest: UnlistedFiles
    has_groups: bool
    labels: list[str] = field(default_factory=list)


def load_table(data: DataSource) -> Source:
    """List the images that a table names; an image is decoded when it is read.

    The order of the rows does not matter: images have the order of their paths, as in a folder.

    Raises:
        MissingData, UserError: see `list_table`.
    """
    listed = list_table(data)
    lists: FileLists = {}
    for (split, file), row in sorted(listed.used.items()):
        lists.setdefault(split, {}).setdefault(row.label, []).append(file)
    splits = {split: lists[split] for split in ("train", "val", "test") if split in lists}
    name = Path(data.path).name
    origin = name if data.images is None else f"{name}, images in {listed.files.name}"
    class_names = None if data.multi_label else data.class_names
    source = source_from_files(origin, listed.files, splits, class_names, data.range, listed.rest)
    if data.multi_label:
        source = with_label_sets(source, data.class_names, listed.labels)
    return _with_groups(source, listed.used) if listed.has_groups else source


def list_table(data: DataSource) -> TableListing:
    """Read a table and find its images.

    Raises:
        MissingData: there is no such table, folder or archive.
        UserError: the table cannot be read, has none of the files, or says of many files that they have several labels.
    """
    path = find_data_path(data.path)
    table = read_image_table(_table_file(path), data.columns, data.multi_label)
    rows = complete_rows(table)
    texts = [row.path for row in rows.complete]
    if table.contents is None:
        files, matching = find_table_files(path, data.images, texts)
    elif data.images is not None:
        raise UserError(Problem("holds the images itself; remove this key", str(path), KEY))
    else:
        files = files_in_table(path, [row[table.columns.image] for row in table.rows], table.contents)
        matching = FileMatching(dict(zip(texts, texts, strict=True)))
    if not matching.found:
        raise UserError(_nothing_found(path, data.images, rows.complete))
    if data.multi_label:
        rows = _joined_rows(rows, matching)
    used, left_out = _used_rows(rows, matching, table)
    found = find_images(files)
    account = Rows(path.name, len(used), {reason: names for reason, names in left_out.items() if names})
    notes = [*table.notes, *rows.notes, *_name_notes(matching)]
    rest = UnlistedFiles(found, _unlisted(found, used, matching), [], notes, "label", account)
    labels = [table.header[column] for column in table.columns.flags] if table.header else []
    return TableListing(files, used, rest, table.columns.group is not None, labels)


def _table_file(path: Path) -> Path:
    if path.is_dir():
        message = "is a folder; path names the table, a file, and images the folder or archive of the images"
        raise UserError(Problem(message, str(path), "data.path"))
    return path


def complete_rows(table: ImageTable) -> TableRows:
    """Return the rows that have a path, a label and a split, and the others with the reason.

    Raises:
        UserError: a label or a split is invalid, or there are splits and none is `train`.
    """
    columns, left_out = table.columns, defaultdict(list)
    kept: list[int] = []
    for position, row in enumerate(table.rows):
        reason = None
        if len(row) != table.width:
            reason = WRONG_LENGTH
        elif not row[columns.image]:
            reason = NO_PATH
        elif not has_label(table, row):
            reason = NO_LABEL
        elif columns.split is not None and not row[columns.split]:
            reason = NO_SPLIT
        if reason is None:
            kept.append(position)
        else:
            named = len(row) == table.width and row[columns.image]
            left_out[reason].append(named or table.place(position))
    labels, label_notes = row_labels(table, kept)
    splits, notes = _splits(table, kept)
    groups = [None if columns.group is None else stored_value(table.rows[position][columns.group]) for position in kept]
    complete = [
        TableRow(table.place(position), table.rows[position][columns.image], label, split, group or "")
        for position, label, split, group in zip(kept, labels, splits, groups, strict=True)
    ]
    return TableRows(complete, dict(left_out), [*label_notes, *notes])


def _splits(table: ImageTable, positions: list[int]) -> tuple[list[str], list[str]]:
    """Return the split of each of these rows, and a sentence if all rows are of one split."""
    column = table.columns.split
    if column is None:
        return ["train"] * len(positions), []
    stored = [table.rows[position][column] for position in positions]
    for position, value in zip(positions, stored, strict=True):
        if value.lower() not in SPLIT_FOLDERS:
            message = (
                f"{table.place(position)} has the split '{value}'; allowed: {listing(SPLIT_FOLDERS)}, in any case; "
                "columns: {split: false} leaves the column out"
            )
            raise UserError(Problem(message, table.file, "data.columns.split"))
    splits = [SPLIT_FOLDERS[value.lower()] for value in stored]
    there = list(dict.fromkeys(splits))
    if len(there) > 1 and "train" not in there:
        message = f"has rows of the splits {listing(sorted(there))}, and none of train"
        raise UserError(Problem(message, table.file, "data.columns.split"))
    if len(there) == 1 and there != ["train"]:
        return ["train"] * len(splits), [f"all rows are of the split {there[0]}, and used as one set without splits"]
    return splits, []


def _joined_rows(rows: TableRows, matching: FileMatching) -> TableRows:
    """Return the rows with those of one image and split joined, which have further labels of it."""
    first: dict[tuple[str, str], TableRow] = {}
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows.complete:
        image = row.split, matching.found.get(row.path, row.path)
        first.setdefault(image, row)
        labels[image] |= set(filter(None, row.label.split(SEPARATOR)))
    joined = [replace(row, label=label_set(labels[image])) for image, row in first.items()]
    if more := len(rows.complete) - len(joined):
        note = f"{counted(more, 'row')} with further labels of an image, or with the same ones again"
        return TableRows(joined, rows.left_out, [*rows.notes, note])
    return replace(rows, complete=joined)


def _used_rows(
    rows: TableRows, matching: FileMatching, table: ImageTable
) -> tuple[dict[tuple[str, str], TableRow], dict[str, list[str]]]:
    """Return (split, file) -> row of the rows that are used, and the others with the reason.

    Raises:
        UserError: many files have several labels.
    """
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows.complete:
        if row.path in matching.found:
            labels[matching.found[row.path]][row.label] = None
    several = {file: list(own) for file, own in labels.items() if len(own) > 1}
    if len(several) > MOST_AMBIGUOUS * len(labels):
        file, own = next(iter(several.items()))
        message = (
            f"{len(several):,} of {counted(len(labels), 'file')} have several labels, such as {file}: {listing(own, 4)}; "
            "data.multi_label: true keeps several labels an image"
        )
        raise UserError(Problem(message, table.file))
    used, left_out = {}, defaultdict(list, {reason: list(names) for reason, names in rows.left_out.items()})
    for row in rows.complete:
        file = matching.found.get(row.path)
        if file is None:
            left_out[matching.lost.get(row.path)].append(row.path)
        elif file in several:
            left_out[AMBIGUOUS].append(f"{row.path} ({row.label})")
        elif (row.split, file) in used:
            left_out[REPEATED].append(row.path)
        else:
            used[row.split, file] = row
    if not used:
        raise UserError(Problem("has no row with a file and a label", table.file))
    return used, dict(left_out)


def _unlisted(
    found: FoundImages, used: dict[tuple[str, str], TableRow], matching: FileMatching
) -> dict[str, list[str]]:
    """Return reason -> images that are not used."""
    taken, named = {file for _, file in used}, set(matching.found.values())
    rest = [path for path in found.paths if path not in taken]
    return {
        IN_LEFT_OUT_ROW: [path for path in rest if path in named],
        IN_NO_ROW: [path for path in rest if path not in named],
    }


def _name_notes(matching: FileMatching) -> Iterator[str]:
    if matching.by_name:
        text, path = next(iter(matching.by_name.items()))
        yield f"{counted(len(matching.by_name), 'file')} found by name, in other folders: {text} is {path}"


def _with_groups(source: Source, used: dict[tuple[str, str], TableRow]) -> Source:
    """Return the source with the group of each image; an image without one is a group of its own."""
    splits = {
        split: replace(images, groups=[used[split, name].group or f"\0{name}" for name in images.names])
        for split, images in source.splits.items()
    }
    return replace(source, splits=splits)


def _nothing_found(table: Path, images: str | None, rows: list[TableRow]) -> Problem:
    """Return the problem of a table without files, with the folder or archive beside it that has them."""
    if not rows:
        return Problem("has no row with a path and a label", str(table))
    where = f"in {images}" if images is not None else "at its path"
    message = f"none of its {counted(len(rows), 'image')} is {where}, such as {rows[0].path}"
    place, count = place_of_images(table, [row.path for row in rows])
    if place is None:
        return Problem(f"{message}; images names the folder or archive of the images", str(table), KEY)
    return Problem(f"{message}; {count:,} are in {place.name}: write images: {place}", str(table), KEY)
