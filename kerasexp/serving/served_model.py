"""One checkpoint that is served under a name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException

from kerasexp.data.image_decoding import pixel_count
from kerasexp.data.source import BrokenImage
from kerasexp.evaluation.ensemble import Ensemble
from kerasexp.evaluation.file_predictions import (
    ImageFile,
    input_scores,
    listed_predictions,
    model_input,
    reject_threshold,
)
from kerasexp.serving.batch_worker import BatchWorker
from kerasexp.serving.explainer import Explainer
from kerasexp.serving.heat_map import png_text
from kerasexp.serving.request_limits import Budget, RequestLimits
from kerasexp.serving.server_metrics import ServerMetrics

# What precedes an image in base64.
PNG = "data:image/png;base64,"


class UnreadableImages(Exception):
    """Images of a request that cannot be classified.

    Args:
        status: of the answer.
        reasons: name of an image, and why it cannot.
    """

    def __init__(self, status: int, reasons: Sequence[tuple[str, str]]):
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons))
        self.status, self.reasons = status, reasons


class ServedModel:
    """A checkpoint, the thread that predicts with it, and how many images wait for it.

    Args:
        name: in addresses and metrics.
        ensemble: of one checkpoint.
        threshold: probability below which an image is unknown; None: that of the checkpoint, if it has one.
        limits: the most that is accepted.
        metrics: of the server.
        explaining: the one thread in which all models of the server are explained.

    Raises:
        UserError: a threshold is given, and its images have several labels.
    """

    def __init__(
        self,
        name: str,
        ensemble: Ensemble,
        threshold: float | None,
        limits: RequestLimits,
        metrics: ServerMetrics,
        explaining: Executor,
    ):
        self.name, self._ensemble, self._limits, self._metrics = name, ensemble, limits, metrics
        self.threshold = reject_threshold(ensemble, threshold)
        self._checkpoint = ensemble.members[0]
        self._waiting = Budget(limits.waiting_images, f"too many images wait for {name}; try again")
        self._explainer = Explainer(name, Path(ensemble.names[0]), self._checkpoint, explaining)
        self._worker = BatchWorker(
            lambda images, names: input_scores(ensemble, [images], names),
            on_batch=lambda images, seconds: metrics.batch(name, images, seconds),
        )
        metrics.watch_queue(name, lambda: self._waiting.taken)
        # Keras traces the network in its first calls: for one image, and for any number of them.
        for count in (1, 2, 3):
            self._worker.submit(self._blank(count), ["blank"] * count).result()

    @property
    def is_alive(self) -> bool:
        """Whether it can answer."""
        return self._worker.is_alive

    def prepare_explanations(self) -> None:
        """Begin to load what explanations need: whoever opens the page asks for one next."""
        self._explainer.prepare()

    def close(self) -> None:
        """Answer what waits, and end its thread."""
        self._worker.close()

    def description(self) -> dict[str, Any]:
        """Return what a client may want to know of it, and what the page needs to draw as its training images were drawn."""
        preprocessing = self._checkpoint.preprocessing
        return {
            "name": self.name,
            "classes": self._ensemble.class_names,
            "several_labels": self._checkpoint.multi_label,
            "threshold": self.threshold,
            "size": list(preprocessing.size),
            "channels": preprocessing.channels,
            "framing": preprocessing.framing,
            "window": preprocessing.window,
            "invert": preprocessing.invert,
            "stored_size": self._checkpoint.stored_size,
            "explains": self._explainer.explains,
        }

    async def predict(self, files: Sequence[ImageFile], top: int, explain: bool, decoders: Executor) -> list[dict]:
        """Classify the image files of a request.

        Args:
            files: undecoded.
            top: number of classes listed for each image.
            explain: whether to add what the network sees, and its heat map.
            decoders: threads that decode.

        Returns:
            What `predict` prints as JSON; with `explain` also `input` and `heat_map`, PNG images as data URLs.

        Raises:
            UnreadableImages: some cannot be read, or have too many pixels.
            HTTPException: 503 if too many images wait.
        """
        if explain and not self._explainer.explains:
            raise self._no_heat_maps()
        with self._waiting.held(len(files)):
            inputs = await asyncio.get_running_loop().run_in_executor(decoders, self._inputs, files)
            names = [file.name for file in files]
            scores = await asyncio.wrap_future(self._worker.submit(inputs, names))
            heat = None
            if explain:
                heat = await asyncio.wrap_future(self._explainer.heat_maps(inputs, scores.argmax(axis=1)))
                if heat is None:
                    raise self._no_heat_maps()
        answers = list(listed_predictions(self._ensemble, names, scores, top, self.threshold))
        self._metrics.answers(self.name, answers)
        if heat is not None:
            for answer, image, heat_map in zip(answers, inputs, heat, strict=True):
                answer |= {"input": PNG + png_text(image), "heat_map": PNG + png_text(heat_map)}
        return answers

    def _inputs(self, files: Sequence[ImageFile]) -> np.ndarray:
        """Return files as model input, uint8 [n, height, width, channels]; decode none of too many pixels."""
        most = self._limits.pixels
        counts = [(file.name, pixel_count(file.read())) for file in files]
        if large := [(name, f"{count:,} pixels; at most {most:,}") for name, count in counts if count > most]:
            raise UnreadableImages(413, large)
        inputs = [(file.name, model_input(file, self._checkpoint)) for file in files]
        if broken := [(name, str(image)) for name, image in inputs if isinstance(image, BrokenImage)]:
            raise UnreadableImages(422, broken)
        return np.stack([image for _, image in inputs])

    def _blank(self, count: int) -> np.ndarray:
        preprocessing = self._checkpoint.preprocessing
        return np.zeros((count, *preprocessing.size, preprocessing.channels), np.uint8)

    def _no_heat_maps(self) -> HTTPException:
        return HTTPException(
            422, f"{self.name} has no heat maps: it has no convolutions, or its logits have no gradient"
        )
