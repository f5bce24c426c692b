"""Importing TensorFlow without its start-up chatter."""

from __future__ import annotations

import os
import sys


def import_tensorflow() -> None:
    """Import TensorFlow and Keras; what they write to standard error on the way is dropped.

    These lines come from C++ before any log level is read, and tell about oneDNN and absent GPUs. Failures are raised as
    exceptions and so are still seen.
    """
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)
