"""Tiny ImageNet: 200 classes of 500 images at 64x64, most in colour, with ImageNet's names (Stanford's course CS231n)."""

from __future__ import annotations

from collections import Counter, defaultdict

from kerasexp.config.data_section import Data, DataSource
from kerasexp.data.dataset_lookup import PublishedDataset, find_dataset
from kerasexp.data.image_archive import Files, open_files
from kerasexp.data.image_files import source_from_files
from kerasexp.data.image_formats import is_image_name
from kerasexp.data.source import BrokenImage, Source
from kerasexp.errors import Problem, UserError, listing

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
CHECKSUM = "md5:90528d7ca1a48142e341f4ef8d21d0de"
# The last one has only the first 50 classes.
NAMES = ("tiny-imagenet-200", "tiny-imagenet-200.zip", "tiny-imagenet-50.zip")
WNIDS, WORDS, ANNOTATIONS = "wnids.txt", "words.txt", "val/val_annotations.txt"


def load_tiny_imagenet(data: DataSource) -> Source:
    """List the images of Tiny ImageNet's folder or zip archive; an image is decoded when it is read.

    The classes have the order of `wnids.txt` and the first of their names in `words.txt`. The labels of the original test
    images were never published, so the original val split, 50 images per class, is `test` here, unless `data.test` gives
    another test split. `val`, which selects the model, is always held out of train. A copy may lack images of listed
    classes, unless `data.first_classes` includes them.

    Raises:
        MissingData: the dataset is not found and cannot be downloaded.
        UserError: a list is missing or invalid, or has fewer classes, or fewer with images, than `data.first_classes`.
    """
    found, place = find_dataset(PublishedDataset("Tiny ImageNet", NAMES, URL, CHECKSUM), data.path)
    files = open_files(found)
    root = _root(files)
    wnids = list(dict.fromkeys(line.strip() for line in _lines(files, root + WNIDS) if line.strip()))
    requested = wnids[: data.first_classes]
    if data.first_classes is not None and data.first_classes > len(wnids):
        message = f"{data.first_classes} is more than the {len(wnids)} classes in {root}{WNIDS}"
        raise UserError(Problem(message, files.origin, "data.first_classes"))
    train = _train(files, root, requested)
    missing = [wnid for wnid in requested if wnid not in train]
    if not train or (missing and data.first_classes is not None):
        message = f"has no images of {listing(missing) or 'any class'} in {root}train/<class>/images"
        raise UserError(Problem(message, files.origin))
    listed = {"train": train}
    if not (isinstance(data, Data) and data.test is not None):
        listed["test"] = _annotated(files, root, set(train))
    names = _class_names(files, root, wnids)
    part = f", with {len(train)} of its {len(requested)} classes" if missing else ""
    return source_from_files(
        f"Tiny ImageNet from {place}{part}", files, listed, data.class_names or {wnid: names[wnid] for wnid in train}
    )


def _root(files: Files) -> str:
    """Return the folder of wnids.txt with a trailing slash; empty if it is the top folder."""
    there = [path for path in files.paths if path.rpartition("/")[2] == WNIDS]
    if not there:
        raise UserError(Problem(f"has no {WNIDS}, the list of the classes of Tiny ImageNet", files.origin))
    return min(there, key=lambda path: path.count("/")).removesuffix(WNIDS)


def _train(files: Files, root: str, wnids: list[str]) -> dict[str, list[str]]:
    """Return wnid -> paths `train/<wnid>/images/*`, for the classes that have images."""
    result: dict[str, list[str]] = {wnid: [] for wnid in wnids}
    start = f"{root}train/"
    for path in files.paths:
        if path.startswith(start) and is_image_name(path):
            wnid, *below = path.removeprefix(start).split("/")
            if wnid in result and len(below) == 2 and below[0] == "images":
                result[wnid].append(path)
    return {wnid: paths for wnid, paths in result.items() if paths}


def _annotated(files: Files, root: str, wnids: set[str]) -> dict[str, list[str]]:
    """Return wnid -> paths `val/images/*` from val_annotations.txt: file, wnid and box, separated by tabs."""
    result = defaultdict(list)
    for number, line in enumerate(_lines(files, root + ANNOTATIONS), start=1):
        name, *rest = line.split("\t")
        if line.strip() and (not rest or "/" in name):
            message = f"line {number} is not the name of a file in val/images, a tab and a class"
            raise UserError(Problem(message, f"{files.origin}: {root}{ANNOTATIONS}"))
        if rest and rest[0].strip() in wnids:
            result[rest[0].strip()].append(f"{root}val/images/{name}")
    return dict(result)


def _class_names(files: Files, root: str, wnids: list[str]) -> dict[str, str]:
    """Return wnid -> class name: its first word; the wnid without one; both if several classes share the word."""
    words = {}
    if root + WORDS in files.paths:
        for line in _lines(files, root + WORDS):
            wnid, _, synonyms = line.partition("\t")
            words[wnid] = synonyms.partition(",")[0].strip()
    names = {wnid: words.get(wnid) or wnid for wnid in wnids}
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    return {wnid: f"{name} ({wnid})" if name in shared else name for wnid, name in names.items()}


def _lines(files: Files, path: str) -> list[str]:
    try:
        return files.read(path).decode("utf-8").splitlines()
    except (BrokenImage, UnicodeDecodeError) as error:
        raise UserError(Problem(f"{path} cannot be read: {error}", files.origin)) from None
