"""What quantization costs and saves: accuracy on val, size and latency, before and after."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasexp.evaluation.intervals import mcnemar
from kerasexp.export.validation_images import ValidationImages

# Predictions of one image that are timed, after some that are not.
TIMED, WARM_UP = 20, 3

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class QuantizationCost:
    """An exported model before and after quantization.

    Attributes:
        origin: of the images of val.
        count: number of them.
        accuracy: before and after.
        only: number of images that are right only before, and only after.
        p_value: of McNemar's exact test.
        bytes: size of the file before and after.
        seconds: latency for one image before and after, the median of several predictions.
    """

    origin: str
    count: int
    accuracy: tuple[float, float]
    only: tuple[int, int]
    p_value: float
    bytes: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def lost(self) -> float:
        """Accuracy before minus accuracy after."""
        return self.accuracy[0] - self.accuracy[1]

    def sentences(self) -> list[str]:
        """Return what a user reads."""
        images, (before, after) = f"{self.count:,} images of {self.origin}", self.only
        sizes, latencies = (f"{n / 1000:,.0f} kB" for n in self.bytes), (f"{1000 * s:.2f} ms" for s in self.seconds)
        return [
            f"accuracy on {images}: {self.accuracy[0]:.4f} before, {self.accuracy[1]:.4f} after; {self.lost:.4f} lost "
            f"({before} right only before, {after} right only after; McNemar p = {self.p_value:.2g})",
            f"size: {' before, '.join(sizes)} after; latency for one image: {' before, '.join(latencies)} after",
        ]


def quantization_cost(
    before: tuple[Path, Predict], after: tuple[Path, Predict], images: ValidationImages
) -> QuantizationCost:
    """Measure two exported models, each a file and its function from images to probabilities."""
    correct = [images.is_correct(_probabilities(predict, images)) for _, predict in (before, after)]
    first, second = correct
    only = int((first & ~second).sum()), int((second & ~first).sum())
    image = images.read(0)[np.newaxis]
    return QuantizationCost(
        images.origin,
        len(first),
        (float(first.mean()), float(second.mean())),
        only,
        mcnemar(*only),
        (before[0].stat().st_size, after[0].stat().st_size),
        (_latency(before[1], image), _latency(after[1], image)),
    )


def _probabilities(predict: Predict, images: ValidationImages) -> np.ndarray:
    return np.concatenate([np.array(predict(batch)) for batch in images.batches()])


def _latency(predict: Predict, image: np.ndarray) -> float:
    """Return the median time of a prediction, in seconds."""
    seconds = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        predict(image)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])
