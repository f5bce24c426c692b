"""Sources of images and labels: one file per source, and this registry of their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kerasexp.config.custom_code import CustomSource
from kerasexp.config.data_section import Data, DataSource
from kerasexp.config.multi_label_rules import may_have_several_labels, one_label_only
from kerasexp.data.source import MissingData, Source
from kerasexp.data.sources.csv import load_csv
from kerasexp.data.sources.custom_source import load_custom
from kerasexp.data.sources.digits import load_digits
from kerasexp.data.sources.dogs_vs_cats import load_dogs_vs_cats
from kerasexp.data.sources.image_folder import load_image_folder
from kerasexp.data.sources.mnist import load_mnist
from kerasexp.data.sources.npz import load_npz
from kerasexp.data.sources.rendered_scans import load_rendered_scans
from kerasexp.data.sources.stl10 import load_stl10
from kerasexp.data.sources.table import load_table
from kerasexp.data.sources.tiny_imagenet import load_tiny_imagenet
from kerasexp.errors import Problem, UserError

SOURCES: dict[str, Callable[[DataSource], Source]] = {
    "mnist": load_mnist,
    "digits": load_digits,
    "image_folder": load_image_folder,
    "table": load_table,
    "csv": load_csv,
    "npz": load_npz,
    "rendered_scans": load_rendered_scans,
    "stl10": load_stl10,
    "tiny_imagenet": load_tiny_imagenet,
    "dogs_vs_cats": load_dogs_vs_cats,
}


def load_source(data: Data, section: str = "data") -> tuple[Source, str | None]:
    """Load the experiment's source, or its offline stand-in if the source is not available.

    Args:
        data: the source.
        section: where it is in the experiment, for error messages.

    Returns:
        The source, and None or a sentence that names the stand-in and the reason for it.

    Raises:
        UserError: neither is available.
    """
    try:
        return _load(data, section), None
    except MissingData as missing:
        if data.offline is None:
            hint = "" if data.path else ". To continue without it, name a stand-in, such as data.offline: digits"
            raise UserError(
                Problem(f"{missing}{hint}", key=missing.key or ("data.path" if data.path else "data.source"))
            ) from None
        stand_in = data.offline
        if stand_in.class_names is None:
            stand_in = stand_in.model_copy(update={"class_names": data.class_names})
        try:
            source = _load(stand_in, "data.offline")
        except MissingData as also_missing:
            raise UserError(
                Problem(f"{missing}; nor is its stand-in available: {also_missing}", key="data.offline")
            ) from None
        wanted = f"{data.source_name} {data.path}" if data.path else data.source_name
        return source, f"'{stand_in.source_name}' stands in for '{wanted}': {missing}"


def _load(data: DataSource, section: str) -> Source:
    """Load a source; the keys in its errors are those of the section."""
    if data.multi_label and not may_have_several_labels(data):
        raise UserError(Problem(one_label_only(data.source_name), key=f"{section}.multi_label"))
    try:
        return load_custom(data) if isinstance(data.source, CustomSource) else SOURCES[data.source](data)
    except UserError as error:
        if section == "data":
            raise
        raise UserError(
            *(replace(p, key=p.key and section + p.key.removeprefix("data")) for p in error.problems)
        ) from None
