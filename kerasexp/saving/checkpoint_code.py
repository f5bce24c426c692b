"""Checkpoints of networks whose layers are not all ordinary ones: a user's code builds them again, once it is trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from kerasexp.config.custom_code import CustomCode, CustomModel
from kerasexp.config.data_section import Preprocessing
from kerasexp.config.section_base import Section
from kerasexp.custom.code_copies import copied_code
from kerasexp.errors import Problem, UserError
from kerasexp.saving.model_archive import copied_weights, open_members
from kerasexp.saving.model_file_graph import read_graph
from kerasexp.saving.model_file_refusal import Refused, refusing
from kerasexp.storage import write_json

if TYPE_CHECKING:
    import keras

    from kerasexp.models.decoding_layer import Decoding

CODE = "code.json"
MAX_BYTES = 2**20


class StoredCode(Section):
    """The content of `code.json`: what builds the network, and what is added to its logits."""

    model: CustomModel
    precision: Literal["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"]
    scale: float = 1.0
    offset: list[float] | None = None


def reason_for_code(model: keras.Model) -> str | None:
    """Return what a network has that a checkpoint without code cannot hold; None if all of its layers are ordinary ones.

    Raises:
        UserError: the network cannot be saved at all, because a layer of it cannot.
    """
    try:
        content = json.loads(model.to_json())
    except Exception as error:  # from any layer's get_config
        text = " ".join(str(error).split())[:300]
        raise UserError(Problem(f"a layer cannot be saved: {type(error).__name__}: {text}", key="model.name")) from None
    try:
        read_graph(content)
    except Refused as refused:
        return str(refused).removeprefix("config.json: ")
    return None


def write_code(folder: Path, model: CustomModel, precision: str, decoding: Decoding) -> None:
    """Write `code.json` and a copy of the code into a checkpoint folder.

    Raises:
        RunError: the disk is full, or the place cannot be written.
    """
    moved = copied_code([model], folder)
    name = moved.get(model.name, model.name)
    content = {"model": {**model.model_dump(mode="json"), "name": name}, "precision": precision}
    write_json(folder / CODE, {**content, "scale": decoding.scale, "offset": decoding.offset})


def needs_code(folder: Path) -> bool:
    """Return whether a checkpoint needs code to be loaded."""
    return (folder / CODE).is_file()


def read_code(folder: Path) -> StoredCode:
    """Return what a checkpoint says of its code, which is not run.

    Raises:
        UserError: it cannot be read, or does not fit the code.
    """
    from kerasexp.config.code_keys import locate_code
    from kerasexp.config.section_validation import validated

    file = folder / CODE
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES:,} bytes")
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        stored = validated(StoredCode, locate_code(content, (folder,)), str(file), {})
        reference = stored.model.reference
        if reference.module is None and not reference.file.is_relative_to(folder.resolve()):
            raise ValueError(f"it names {reference.file}, which is not in the checkpoint")
        return stored
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise UserError(Problem(f"cannot be read: {error}", str(file))) from None


def approve_checkpoint(folder: Path, trust_code: bool = False) -> None:
    """Let the code run that a checkpoint needs, if it needs any.

    Raises:
        UserError: its digest is not remembered, and the user has not said to trust it.
    """
    if needs_code(folder):
        from kerasexp.custom.trust import approve_parts

        approve_parts(_parts(folder), str(folder / CODE), None, trust_code)


def checkpoint_questions(folder: Path) -> list[Problem]:
    """Return what `approve_checkpoint` would refuse without `trust_code`; raise UserError if the code cannot be read."""
    from kerasexp.custom.trust import questions_about

    return questions_about(_parts(folder), str(folder / CODE), None) if needs_code(folder) else []


def _parts(folder: Path) -> list[tuple[str, CustomCode]]:
    return [("model.name", read_code(folder).model)]


def build_by_code(
    folder: Path, weights: Path, preprocessing: Preprocessing, class_names: Sequence[str], multi_label: bool = False
) -> keras.Model:
    """Build the network of a checkpoint by its code, which must be trusted, and load its weights.

    Raises:
        UserError: the code is not trusted, or the weights do not fit.
        CodeError: it raised an exception.
    """
    import keras

    from kerasexp.models import build_model
    from kerasexp.models.decoding_layer import Decoding
    from kerasexp.saving.weights_file import count_weights

    stored = read_code(folder)
    approve_checkpoint(folder)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(stored.precision)
    try:
        decoding, activation = Decoding(stored.scale, stored.offset), "sigmoid" if multi_label else "softmax"
        model = build_model(stored.model, preprocessing, len(class_names), "custom", decoding, activation)
    finally:
        keras.config.set_dtype_policy(before)
    try:
        with open_members(weights) as archive, copied_weights(archive) as copy:
            count_weights(copy)
            with refusing("its weights do not fit the network that its code builds"):
                model.load_weights(copy)
    except Refused as refused:
        raise UserError(Problem(str(refused), str(weights))) from None
    return model
