"""A loss of a user's own: a function of labels and logits, or a Keras loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasexp.config.loss_section import CustomLoss
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.errors import KerasexpError, Problem, UserError
from kerasexp.losses.logit_loss import LogitLoss

IMAGES = 2


class FunctionLoss(LogitLoss):
    """The loss that a user's function gives for each image."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str):
        super().__init__(name=name)
        self._function = function

    def of_logits(self, labels, logits):
        return self._function(labels, logits)


def custom_loss(loss: CustomLoss, classes: int) -> keras.losses.Loss:
    """Return a user's loss of integer labels [n] and logits [n, classes], after a trial on zeros.

    Raises:
        UserError: it is no Keras loss, or does not give a finite number for each image.
        CodeError: it raised an exception.
    """
    called, code = f"{loss.reference.file.name}:{loss.reference.function}", import_code(loss)
    labels, logits = ops.zeros((IMAGES,), "int32"), ops.zeros((IMAGES, classes), "float32")
    if loss.is_given():
        shape = tuple(getattr(code(labels, logits), "shape", ()))
        if shape != (IMAGES,):
            message = (
                f"{called} returned shape {list(shape)} for {IMAGES} images; the loss of each image is needed, [n]"
            )
            raise UserError(Problem(message, key="training.loss.name"))
        return FunctionLoss(code, loss.reference.function)
    made = code()
    if not isinstance(made, keras.losses.Loss):
        returned = f"{called} returned a {type(made).__name__}"
        message = f"{returned}; a function without the parameters (labels, logits) returns a Keras loss"
        raise UserError(Problem(message, key="training.loss.name"))
    try:
        made(labels, logits)
    except KerasexpError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise CodeError(f"{called}: of labels [n] and logits [n, classes]: {type(error).__name__}: {text}") from error
    return made
