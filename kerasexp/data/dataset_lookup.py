"""Where the files of a dataset are: at the experiment's path, in $KERASEXP_DATA, in Keras's cache, or on the web."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.yaml_paths import data_folder, find_file, is_there, places
from kerasexp.data.download import download
from kerasexp.data.source import MissingData
from kerasexp.environment import keras_home
from kerasexp.errors import listing


@dataclass(frozen=True)
class PublishedDataset:
    """A public dataset with a download address.

    Attributes:
        name: for messages.
        files: names of its folder and archives, in order of preference.
        url: address of an archive.
        checksum: checksum of that archive, as `download` takes it.
    """

    name: str
    files: tuple[str, ...]
    url: str
    checksum: str


def find_data_path(path: str) -> Path:
    """Return the file or folder that an experiment names.

    Raises:
        MissingData: it is in none of the places that are searched.
    """
    found = find_file(path)
    if found is None:
        raise MissingData(f"'{path}' is not at {listing(places(path))}")
    return found


def find_dataset(wanted: PublishedDataset, path: str | None) -> tuple[Path, str]:
    """Return the file or folder of a dataset and a description of the place; download it to Keras's cache if needed.

    Args:
        wanted: the dataset.
        path: the experiment's `data.path`, or None to search the usual places.

    Raises:
        MissingData: it is not at `path`; or without a path, it is in no usual place and cannot be downloaded.
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
