"""Callbacks of a user's own."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kerasexp.config.custom_code import CustomCallback
from kerasexp.custom.code_import import import_code
from kerasexp.errors import Problem, UserError

# The class attribute of a callback with the names of its attributes that a saved state holds.
SAVED = "saved_attributes"


def custom_callbacks(callbacks: Sequence[CustomCallback]) -> list[keras.callbacks.Callback]:
    """Return the callbacks of an experiment, made by users' functions or classes.

    Raises:
        UserError: the code is not trusted, or makes something else.
        CodeError: it raised an exception.
    """
    made = []
    for position, code in enumerate(callbacks):
        callback = import_code(code)()
        if not isinstance(callback, keras.callbacks.Callback):
            message = f"made a {type(callback).__name__}; a Keras callback is needed"
            raise UserError(Problem(message, code.name, f"training.callbacks.{position}"))
        made.append(callback)
    return made


def saved_attributes(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    """Return the names of the attributes of a user's callback that `--resume` restores: plain values, as in JSON."""
    return tuple(getattr(callback, SAVED, ()))
