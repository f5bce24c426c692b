"""What a run is known by: a digest of everything that decides its result."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from kerasexp.config import Experiment
from kerasexp.config.code_keys import custom_parts, moved_code
from kerasexp.config.model_section import IMAGENET, Backbone
from kerasexp.config.shipped_files import find_weights
from kerasexp.config.yaml_paths import find_file
from kerasexp.data.images_in_files import crops_stored
from kerasexp.data.prepared_data import PreparedData
from kerasexp.saving.teacher_checkpoints import teacher_digest
from kerasexp.storage import digest_of_file

# Raise it whenever the arithmetic of training or preprocessing changes: runs of before are then other runs.
NUMERICS_VERSION = 4
# Keys of `training` that change no result.
WITHOUT_EFFECT = {"validate_at", "save_minutes"}
# Lists of code of users, which are empty in most experiments.
CODE_LISTS = ("metrics", "callbacks", "layers")
# Keys that came later than the numerics version: section, name of its kind or "" for all, keys with defaults that change nothing.
LATER_KEYS = (
    ("model", "cnn", {"weights": None, "resize": None, "stochastic_depth": 0.0}),
    ("model", "resnet18", {"stochastic_depth": 0.0}),
    ("training", "", {"distill": None, "accumulate": 1, "average": None, "sharpness_aware": None}),
    ("training.fine_tune", "", {"head_epochs": 0, "batch_norm": "trained"}),
    ("training.schedule", "constant", {"warmup": 0.0}),
    ("training.schedule", "step", {"warmup": 0.0}),
)
# The same for `data.augmentation`.
LATER_AUGMENTATIONS = {
    "hue": 0,
    "blur": 0,
    "erase_sides": [0.2, 0.5],
    "erase_fill": "mean",
    "elastic": None,
    "rand_augment": None,
    "mixup": 0,
    "cutmix": 0,
    "mix_share": 1,
}


@dataclass(frozen=True)
class Identity:
    """What a run is known by.

    Attributes:
        run: digest of all that decides the result: resolved content, data, what it starts from, and the numerics version. The
            experiment's name, its reported metrics, what is watched and shown, its trackers, and the places of files have no part
            in it. Code of users has its digest in it; that of a source is in the digest of the data.
        resume: the same but for the number of epochs and the limit of time: a run may be resumed for more of both.
    """

    run: str
    resume: str


def identify(experiment: Experiment, data: PreparedData, upstream_key: str | None) -> Identity:
    """Return the identity of an experiment with its data; `upstream_key` is that of the run that it starts from."""
    return Identity(
        _digest(experiment, data, upstream_key, WITHOUT_EFFECT),
        _digest(experiment, data, upstream_key, WITHOUT_EFFECT | {"epochs", "max_minutes"}),
    )


def _digest(experiment: Experiment, data: PreparedData, upstream_key: str | None, left_out: set[str]) -> str:
    irrelevant = {**dict.fromkeys(("name", "reported", "report", "track", "data", "init"), True), "training": left_out}
    content = experiment.model_dump(mode="json", exclude=irrelevant)
    init = experiment.init.model_dump(mode="json", exclude={"experiment"}) if experiment.init else None
    augmentation = experiment.data.model_dump(mode="json", include={"augmentation", "oversample"})
    if isinstance(experiment.model, Backbone) and experiment.model.weights not in (None, IMAGENET):
        content["model"]["weights"] = digest_of_file(find_weights(experiment.model.weights))
    if (distill := experiment.training.distill) is not None:
        content["training"]["distill"]["checkpoint"] = list(map(teacher_digest, distill.checkpoints))
    _leave_out_later_keys(content)
    _leave_out_later_augmentations(augmentation["augmentation"])
    _crops_of(augmentation["augmentation"], data)
    custom = [part for _, part in custom_parts(experiment)]
    code = {part.name: f"{part.reference.function} {part.digest}" for part in custom}
    files = {path: digest_of_file(find_file(path)) or path for part in custom for path in part.paths}
    content, augmentation = (_in_content(moved_code(part, code), files) for part in (content, augmentation))
    parts = [content, init, augmentation, data.fingerprint, upstream_key, NUMERICS_VERSION]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _leave_out_later_keys(content: dict[str, Any]) -> None:
    """Leave out keys with their defaults that experiments did not have from the start: a run of before is still the same."""
    for path, name, keys in LATER_KEYS:
        section = functools.reduce(dict.__getitem__, path.split("."), content)
        for key, default in keys.items() if name in ("", section.get("name")) else ():
            if section[key] == default:
                del section[key]


def _leave_out_later_augmentations(augmentation: dict[str, Any] | None) -> None:
    """Leave out augmentations with their defaults that came later than the numerics version."""
    for key, default in LATER_AUGMENTATIONS.items() if augmentation is not None else ():
        if augmentation[key] == default:
            del augmentation[key]


def _crops_of(augmentation: dict[str, Any] | None, data: PreparedData) -> None:
    """Leave out the key `crop` where nothing is cropped, and say whether stored images are: their crops are other images."""
    if augmentation is not None and augmentation["crop"] is None:
        del augmentation["crop"]
    elif augmentation is not None and crops_stored(data.splits["train"].images):
        augmentation["crop"]["of"] = "stored images"


def _in_content(node: Any, files: dict[str, str | None]) -> Any:
    """Return keys with the digests of files in place of their paths, and without empty lists of code of users.

    A run of before there were such lists is so still the same.
    """
    if isinstance(node, dict):
        return {k: _in_content(v, files) for k, v in node.items() if not (k in CODE_LISTS and v == [])}
    if isinstance(node, list):
        return [_in_content(item, files) for item in node]
    return files.get(node, node) if isinstance(node, str) else node
