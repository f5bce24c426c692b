"""What a training changes in the process of its caller, and what of it is given back."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def callers_state_kept() -> Iterator[None]:
    """Give the states of `random` and of NumPy's global generator, and Keras's dtype policy, back after the block.

    Keras is not imported for this. Where it was not there before the block, its policy becomes the default.
    """
    import numpy as np

    of_random, of_numpy = random.getstate(), np.random.get_state()
    policy = "float32" if (config := _keras_config()) is None else config.dtype_policy()
    try:
        yield
    finally:
        random.setstate(of_random)
        np.random.set_state(of_numpy)
        if (config := _keras_config()) is not None:
            config.set_dtype_policy(policy)


def _keras_config() -> Any:
    """Return `keras.config`; None while Keras is not imported."""
    return getattr(sys.modules.get("keras"), "config", None)
