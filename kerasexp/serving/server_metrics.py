"""What the server counts and times, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from kerasexp.saving.json_values import text_of

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64)


class ServerMetrics:
    """Counters and histograms of one server."""

    def __init__(self):
        # Of its own, so that several servers in one process do not share theirs.
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        model = ["model"]
        self._requests = Counter("kerasexp_requests", "Requests for predictions", [*model, "status"], registry=registry)
        self._seconds = Histogram(
            "kerasexp_request_seconds", "From request to answer", model, buckets=SECONDS, registry=registry
        )
        self._predictions = Counter(
            "kerasexp_predictions", "Images by predicted class", [*model, "class"], registry=registry
        )
        self._unknown = Counter("kerasexp_unknown_images", "Images below the threshold", model, registry=registry)
        self._batch = Histogram(
            "kerasexp_batch_images", "Images predicted together", model, buckets=IMAGES, registry=registry
        )
        self._model_seconds = Histogram(
            "kerasexp_model_seconds", "Time of the network for a batch", model, buckets=SECONDS, registry=registry
        )
        self._waiting = Gauge(
            "kerasexp_waiting_images", "Images that wait or are being predicted", model, registry=registry
        )

    def request(self, model: str, status: int, seconds: float) -> None:
        """Count a request by the status of its answer; 499 if its client went away before."""
        self._requests.labels(model, str(status)).inc()
        self._seconds.labels(model).observe(seconds)

    def batch(self, model: str, images: int, seconds: float) -> None:
        """Count a batch."""
        self._batch.labels(model).observe(images)
        self._model_seconds.labels(model).observe(seconds)

    def answers(self, model: str, answers: Iterable[dict[str, Any]]) -> None:
        """Count predicted classes."""
        for answer in answers:
            if answer.get("is_unknown"):
                self._unknown.labels(model).inc()
            else:
                labels = [label["class"] for label in answer["labels"]] if "labels" in answer else [answer["class"]]
                for name in labels:
                    self._predictions.labels(model, text_of(name)).inc()

    def watch_queue(self, model: str, waiting: Callable[[], int]) -> None:
        """Show how many images wait for a model, whenever the metrics are read."""
        self._waiting.labels(model).set_function(waiting)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
