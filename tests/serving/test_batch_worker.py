"""Batches of requests that arrive together."""

import time
from threading import Event

import numpy as np
import pytest

from kerasexp.serving.batch_worker import BatchWorker

CLASSES = 3


def images(count: int, value: int = 0) -> np.ndarray:
    return np.full((count, 2, 2, 1), value, np.uint8)


class HeldScore:
    """Scores that are zero, and come when `go_on` is set; the sizes of the batches are kept."""

    def __init__(self):
        self.sizes, self.begun, self.go_on = [], Event(), Event()

    def __call__(self, batch: np.ndarray, names) -> np.ndarray:
        self.sizes.append(len(batch))
        self.begun.set()
        self.go_on.wait(10)
        return np.zeros((len(batch), CLASSES), np.float32)


@pytest.fixture
def start():
    """Return a function that starts a worker whose scores are the images' values; all are closed after the test."""
    workers = []

    def make(score=None, **options) -> BatchWorker:
        def own(batch: np.ndarray, names) -> np.ndarray:
            return np.repeat(batch[:, 0, 0], CLASSES, axis=1).astype(np.float32)

        workers.append(BatchWorker(score or own, **options))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def test_each_request_gets_its_own_answer(start):
    worker = start()
    found = [worker.submit(images(k + 1, k), ["a"] * (k + 1)) for k in range(20)]
    for k, future in enumerate(found):
        assert future.result(10).tolist() == [[k] * CLASSES] * (k + 1)


def test_what_waits_becomes_one_batch_up_to_its_limit(start):
    score = HeldScore()
    worker = start(score, max_batch=8, wait_seconds=0)
    first = worker.submit(images(1), ["a"])
    score.begun.wait(10)
    others = [worker.submit(images(3), ["a"] * 3) for _ in range(5)] + [worker.submit(images(20), ["a"] * 20)]
    score.go_on.set()
    for future in [first, *others]:
        future.result(10)
    assert score.sizes == [1, 6, 6, 3, 20]


def test_a_few_milliseconds_are_waited_for_others(start):
    sizes = []
    worker = start(wait_seconds=0.5, max_batch=4, on_batch=lambda count, seconds: sizes.append(count))
    begin = time.monotonic()
    for future in [worker.submit(images(1), ["a"]) for _ in range(4)]:
        future.result(10)
    assert sizes == [4] and time.monotonic() - begin < 0.5


def test_a_request_that_has_waited_for_a_batch_is_joined_by_those_that_follow_its_answers(start):
    score = HeldScore()
    worker = start(score, max_batch=4, wait_seconds=1.0)
    first = worker.submit(images(4), ["a"] * 4)
    score.begun.wait(10)
    second = worker.submit(images(1), ["a"])
    time.sleep(1.1)
    score.go_on.set()
    first.result(10)
    third = worker.submit(images(3), ["a"] * 3)
    second.result(10), third.result(10)
    assert score.sizes == [4, 4]


def test_one_bad_request_does_not_fail_the_others(start):
    def score(batch, names):
        if "bad" in names:
            raise ValueError("no probability")
        return np.zeros((len(batch), CLASSES), np.float32)

    worker = start(score, wait_seconds=0.1)
    found = [worker.submit(images(1), [name]) for name in ("a", "bad", "b")]
    assert found[0].result(10).shape == found[2].result(10).shape == (1, CLASSES)
    with pytest.raises(ValueError, match="no probability"):
        found[1].result(10)
    with pytest.raises(ValueError, match="no probability"):
        worker.submit(images(1), ["bad"]).result(10)
    assert worker.is_alive


def test_closing_answers_what_waits(start):
    worker = start(wait_seconds=5)
    found = [worker.submit(images(1, k), ["a"]) for k in range(3)]
    given_up = worker.submit(images(1), ["a"])
    given_up.cancel()
    worker.close()
    assert [future.result(0)[0, 0] for future in found] == [0, 1, 2] and not worker.is_alive
    with pytest.raises(RuntimeError, match="the worker is closed"):
        worker.submit(images(1), ["a"])
