"""One thread that owns a model: images of requests that arrive together become one batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread

import numpy as np


@dataclass
class WaitingRequest:
    """The images of one request, and where their result goes.

    Attributes:
        images: uint8 [n, height, width, channels].
        names: of the images.
        result: their probabilities, float32 [n, classes].
    """

    images: np.ndarray
    names: Sequence[str]
    result: Future[np.ndarray] = field(default_factory=Future)


class BatchWorker:
    """A queue of requests and the thread that does them.

    A batch is as large as what is waiting, up to `max_batch` images; while fewer wait, the thread waits for more, but not
    longer than `wait_seconds`.

    Args:
        score: returns the probabilities, float32 [n, classes], of images and their names.
        max_batch: images.
        wait_seconds: from the arrival of the first request of a batch, or from the end of the batch before if that is later.
        on_batch: is called with the number of images and the seconds of each batch.
    """

    def __init__(
        self,
        score: Callable[[np.ndarray, Sequence[str]], np.ndarray],
        max_batch: int = 64,
        wait_seconds: float = 0.002,
        on_batch: Callable[[int, float], None] = lambda images, seconds: None,
    ):
        self._score, self._on_batch = score, on_batch
        self._max_batch, self._wait_seconds = max_batch, wait_seconds
        self._requests: deque[WaitingRequest] = deque()
        self._changed, self._is_closing = Condition(), False
        self._thread = Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread works."""
        return self._thread.is_alive()

    def submit(self, images: np.ndarray, names: Sequence[str]) -> Future[np.ndarray]:
        """Queue the images of a request; see `WaitingRequest`."""
        request = WaitingRequest(images, names)
        with self._changed:
            if self._is_closing:
                raise RuntimeError("the worker is closed")
            self._requests.append(request)
            self._changed.notify()
        return request.result

    def close(self) -> None:
        """Do what is queued, and end the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                self._do(batch)
            except Exception as error:
                if len(batch) > 1:  # the images of one request are no reason to refuse those of another
                    for request in batch:
                        self._do_alone(request)
                else:
                    batch[0].result.set_exception(error)

    def _do_alone(self, request: WaitingRequest) -> None:
        try:
            self._do([request])
        except Exception as error:
            request.result.set_exception(error)

    def _next_batch(self) -> list[WaitingRequest] | None:
        """Wait for requests; return those of the next batch that are still wanted, or None if all is done and no more will come."""
        with self._changed:
            while not self._requests:
                if self._is_closing:
                    return None
                self._changed.wait()
            # Counted from now, also if the first request has waited for the batch before: the clients of that batch ask again
            # within milliseconds. Without this wait, two halves of the clients would take turns, in batches of half the size.
            until = time.monotonic() + self._wait_seconds
            while not self._is_closing and self._waiting() < self._max_batch:
                if (left := until - time.monotonic()) <= 0:
                    break
                self._changed.wait(left)
            batch, count = [], 0
            while self._requests and (not batch or count + len(self._requests[0].images) <= self._max_batch):
                batch.append(self._requests.popleft())
                count += len(batch[-1].images)
        return [request for request in batch if request.result.set_running_or_notify_cancel()]

    def _waiting(self) -> int:
        return sum(len(request.images) for request in self._requests)

    def _do(self, batch: list[WaitingRequest]) -> None:
        if not batch:
            return
        started = time.perf_counter()
        scores = self._score(
            np.concatenate([request.images for request in batch]), [name for request in batch for name in request.names]
        )
        self._on_batch(len(scores), time.perf_counter() - started)
        ends = np.cumsum([len(request.images) for request in batch])
        for request, own in zip(batch, np.split(scores, ends[:-1]), strict=True):
            request.result.set_result(own)
