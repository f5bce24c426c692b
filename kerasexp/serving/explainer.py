"""The heat maps of a served checkpoint, from a thread of their own."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.grad_cam_support import supports_grad_cam
from kerasexp.saving.checkpoint import MODEL, Checkpoint, find_checkpoint, load_checkpoint
from kerasexp.saving.litert_graph import LiteRtModel
from kerasexp.serving.heat_map import heat_maps
from kerasexp.storage import digest_of_file

if TYPE_CHECKING:
    from kerasexp.evaluation.interpretation import GradCam


class Explainer:
    """Heat maps of a checkpoint by Grad-CAM, which needs the layers of Keras.

    Where LiteRT predicts, they are loaded when they are first needed. That takes seconds, and predictions do not wait for it.

    Args:
        name: under which the checkpoint is served.
        path: of the checkpoint.
        checkpoint: as it was loaded to predict.
        thread: an executor of one thread, which all explainers of a server share: Keras loads one model after another.
    """

    def __init__(self, name: str, path: Path, checkpoint: Checkpoint, thread: Executor):
        self._name, self._file, self._checkpoint, self._thread = name, find_checkpoint(path) / MODEL, checkpoint, thread
        self._digest, known = None, None
        if isinstance(checkpoint.model, LiteRtModel):
            self._digest, known = digest_of_file(self._file), supports_grad_cam(self._file)
        self.explains = self._can_explain() if known is None else known

    def prepare(self) -> None:
        """Begin to load what explanations need, if they need anything that is not loaded."""
        if self.explains:
            self._thread.submit(lambda: self._grad_cam)

    def heat_maps(self, images: np.ndarray, classes: np.ndarray) -> Future[np.ndarray | None]:
        """Return the future heat maps of images; see `kerasexp.serving.heat_map.heat_maps`."""
        return self._thread.submit(lambda: heat_maps(self._grad_cam, images, classes))

    @cached_property
    def _grad_cam(self) -> GradCam:
        if self._digest is None:
            model = self._checkpoint.model
        else:
            model = load_checkpoint(self._file).model
            if digest_of_file(self._file) != self._digest:
                message = (
                    "has changed since it was served; heat maps would explain another network. Start `serve` again"
                )
                raise UserError(Problem(message, str(self._file)))
        from kerasexp.evaluation.interpretation import GradCam

        return GradCam(model)

    def _can_explain(self) -> bool:
        """Return whether there are heat maps; not every network that Keras can build has them."""
        size, channels = self._checkpoint.preprocessing.size, self._checkpoint.preprocessing.channels
        blank = np.zeros((1, *size, channels), np.uint8)
        try:
            return self.heat_maps(blank, np.zeros(1, np.int64)).result() is not None
        except Exception as error:
            print(f"{self._name}: no heat maps: {type(error).__name__}: {error}")
            return False
