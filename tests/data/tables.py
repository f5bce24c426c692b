"""Tables of images for tests."""

from __future__ import annotations

import csv
from pathlib import Path

from folder_trees import images

from kerasexp.config.data_section import Data, DataSource
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.data.source import Source
from kerasexp.data.sources.table import load_table

# Eight images beside a table, and the rows for them.
FILES = images("scans", each=8)
ROWS = [[path, "cat" if number % 2 else "dog"] for number, path in enumerate(FILES)]
HEADER = ["image", "label"]


def write_csv_table(path: Path, rows: list[list[str]], encoding: str = "utf-8", **dialect) -> Path:
    """Write rows as Python's csv module does."""
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, **dialect).writerows(rows)
    return path


def load(path: Path, **keys) -> Source:
    """Load a table with these keys of the source."""
    return load_table(DataSource(source="table", path=str(path), **keys))


def lines(path: Path, **keys) -> list[str]:
    """Return the lines that account for its rows and files."""
    return list(load(path, **keys).accounting.lines())


def labelled(source: Source, split: str = "train") -> dict[str, str]:
    """Return file -> class of a split."""
    images = source.splits[split]
    return {name: source.class_names[label] for name, label in zip(images.names, images.labels, strict=True)}


def prepared(path: Path, **keys) -> PreparedData:
    return prepare(Data(source="table", path=str(path), **{"validation": 0.3, "test": 0.3, **keys}))
