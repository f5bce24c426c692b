"""Dogs vs. cats: photographs of any size, from the Asirra dataset (Elson et al., CCS 2007)."""

from __future__ import annotations

import re

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import PublishedDataset, find_dataset
from kerasexp.data.image_archive import Files, open_files
from kerasexp.data.image_files import source_from_files
from kerasexp.data.image_formats import EXTENSIONS, is_image_name
from kerasexp.data.source import Source
from kerasexp.errors import Problem, UserError, listing

URL = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip"
CHECKSUM = "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"
# The full dataset of 25,000 images is preferred to the smaller archive of 2,000.
NAMES = ("PetImages", "kagglecatsanddogs_5340.zip", "dogs_vs_cats", "dogs_vs_cats.zip")
# The folder gives the class in PetImages/Cat/1.jpg and training_set/cats/cat.1.jpg, the file name in Kaggle's train/cat.1.jpg.
BY_FOLDER = re.compile(r"(?:^|/)(cat|dog)s?/[^/]+$", re.IGNORECASE)
BY_FILE = re.compile(r"(?:^|/)(cat|dog)\.\d+\.\w+$", re.IGNORECASE)


def load_dogs_vs_cats(data: DataSource) -> Source:
    """List the images of a folder or zip archive in any of the published layouts; an image is decoded when it is read.

    Microsoft's archive has empty and truncated files, which are left out and reported like any broken image. Images in a
    folder `test_set` are the test split if there are others outside it.

    Raises:
        MissingData: the dataset is not found and cannot be downloaded.
        UserError: there are no images of cats, or none of dogs.
    """
    found, place = find_dataset(PublishedDataset("Dogs vs. cats", NAMES, URL, CHECKSUM), data.path)
    files = open_files(found)
    listed: dict[str, dict[str, list[str]]] = {}
    for path in files.paths:
        kind = _kind(path)
        if kind is not None:
            split = "test" if "test_set" in path.split("/") else "train"
            listed.setdefault(split, {"cat": [], "dog": []})[kind].append(path)
    if "train" not in listed:
        listed = {"train": listed.get("test", {})}
    _refuse_without(listed["train"], files)
    return source_from_files(f"dogs and cats from {place}", files, listed, data.class_names)


def _kind(path: str) -> str | None:
    """Return `cat`, `dog` or, for any other file, None."""
    match = is_image_name(path) and (BY_FOLDER.search(path) or BY_FILE.search(path))
    return match.group(1).lower() if match else None


def _refuse_without(members: dict[str, list[str]], files: Files) -> None:
    absent = [kind for kind in ("cat", "dog") if not members.get(kind)]
    if not absent:
        return
    message = (
        f"has no images ({', '.join(EXTENSIONS)}) of {' or '.join(f'{kind}s' for kind in absent)}; expected: "
        "training_set/cats/..., PetImages/Cat/... or train/cat.0.jpg"
    )
    inner = [path for path in files.paths if path.lower().endswith(".zip")]
    hint = (
        f". It contains other archives ({listing(inner)}): unpack it and name the archive that has the images"
        if inner
        else ""
    )
    raise UserError(Problem(message + hint, files.origin))
