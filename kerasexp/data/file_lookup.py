"""Where the files of a data set are: where the experiment says, in $KERASEXP_DATA, in Keras's cache, or on the net."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.files import data_folder, find_file, is_there, places
from kerasexp.data.download import download
from kerasexp.data.source import MissingData
from kerasexp.environment import keras_home
from kerasexp.errors import listing


@dataclass(frozen=True)
class PublishedDataset:
    """A data set that has one address, and one name wherever it lies.

    Attributes:
        name: for people.
        files: names of its folder and archives, the best first.
        url: address of an archive.
        checksum: of that archive, as `download` takes it.
    """

    name: str
    files: tuple[str, ...]
    url: str
    checksum: str


def find_data_path(path: str) -> Path:
    """Return the file or folder that an experiment names.

    Raises:
        MissingData: it is at none of the places where it is looked for.
    """
    found = find_file(path)
    if found is None:
        raise MissingData(f"'{path}' is not at {listing(places(path))}")
    return found


def find_dataset(wanted: PublishedDataset, path: str | None) -> tuple[Path, str]:
    """Return a data set's file or folder, and in words where that is; it is downloaded into Keras's cache where it is nowhere.

    Args:
        wanted: the data set.
        path: where the experiment says that it is, or None.

    Raises:
        MissingData: it is not at `path`; or there is none, and it is at no usual place and cannot be downloaded.
    """
    if path is not None:
        found = find_data_path(path)
        return found, found.name
    cache = keras_home() / "datasets"
    folders = {"$KERASEXP_DATA": data_folder(), "Keras's cache": cache}
    usual = {folder / name: place for place, folder in folders.items() if folder for name in wanted.files}
    found = next((file for file in usual if is_there(file)), None)
    if found is None:
        try:
            found = download(wanted.url, cache / wanted.url.rpartition("/")[2], wanted.checksum)
        except MissingData as failed:
            looked = " or ".join(str(folder / wanted.files[0]) for folder in folders.values() if folder)
            others = f" (nor, in the same folders, {listing(wanted.files[1:])})" if wanted.files[1:] else ""
            raise MissingData(f"{wanted.name} is not at {looked}{others}, and {failed}") from None
    return found, usual.get(found, "Keras's cache")
