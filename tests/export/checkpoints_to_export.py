"""Checkpoints with random weights, and the formats that they are exported to."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, ConvBlock
from kerasexp.environment import missing_of
from kerasexp.models import build_model
from kerasexp.saving.checkpoint import write_sidecars, write_stored_size

WITHOUT = pytest.mark.skipif(
    bool(missing_of("onnx")), reason="the extra is not installed: pip install 'kerasexp[onnx]'"
)
EACH = ["tf_saved_model", "litert", pytest.param("onnx", marks=WITHOUT)]
NAMES = ["a", "b", "c"]


def random_checkpoint(
    name: str, names=NAMES, size: tuple[int, int] | None = None, value_range=None, seed: int = 0, **keys
) -> Path:
    """Make the checkpoint of a small CNN, whose training images had this size, with these keys of the preprocessing."""
    keras.utils.set_random_seed(seed)
    how, folder = Preprocessing(size=[12, 10], **keys), Path(name)
    model = build_model(Cnn(blocks=[ConvBlock(filters=4, pool=2)]), how, len(names), "mine")
    generator = np.random.default_rng(seed)
    model.set_weights([w + generator.uniform(-0.2, 0.2, w.shape).astype(w.dtype) for w in model.get_weights()])
    folder.mkdir()
    model.save(folder / "model.keras")
    write_sidecars(folder, names, {name: name for name in names}, how, value_range)
    if size is not None:
        write_stored_size(folder, size)
    return folder
