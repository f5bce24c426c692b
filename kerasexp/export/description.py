"""What an exported model says of itself, since it comes without the checkpoint's other files."""

from __future__ import annotations

import json
from typing import Any

from kerasexp import __version__
from kerasexp.saving.checkpoint import Checkpoint

# The name of the file in the formats that hold files.
DESCRIPTION = "kerasexp.json"


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what is needed to feed the model and to name what it sees, as plain JSON values.

    `preprocessing` is what the checkpoint's `preprocessing.json` says: how a stored image becomes the model's input,
    which the exported model does not do itself. `temperature` is the one fitted on val, by which log probabilities are
    divided where calibrated ones are wanted; null where the checkpoint has none.
    """
    return {
        "class_names": checkpoint.class_names,
        "preprocessing": checkpoint.preprocessing.model_dump(mode="json"),
        "temperature": checkpoint.temperature,
        "images": {"dtype": "uint8", "shape": checkpoint.model.input_shape, "values": "0 to 255"},
        "probabilities": {"dtype": "float32", "shape": checkpoint.model.output_shape},
        "made_by": f"kerasexp {__version__}",
    }


def as_json(value: Any) -> str:
    """Return JSON in ASCII: a class may have a name that is no UTF-8, and formats differ in what text they take."""
    return json.dumps(value, allow_nan=False)
