"""A map over images in threads: order, errors, and what becomes of OpenCV's own threads."""

import time

import cv2
import pytest

from kerasexp.data.decoding_threads import TASK_ITEMS, map_threads


@pytest.fixture(autouse=True)
def three_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


def slow(item: int) -> tuple[int, int]:
    time.sleep(2e-4)
    return item, cv2.getNumThreads()


def test_results_are_in_the_order_of_the_items():
    assert [item for item, _ in map_threads(slow, range(50))] == list(range(50))


def test_opencv_has_one_thread_while_others_decode_and_its_own_again_after_the_last():
    first, second = map_threads(slow, range(50)), map_threads(slow, range(50))
    for _ in range(TASK_ITEMS + 1):
        next(first), next(second)
    assert {threads for _, threads in first} == {1}
    assert cv2.getNumThreads() == 1
    assert {threads for _, threads in second} == {1}
    assert cv2.getNumThreads() == 3


def test_an_error_gives_opencv_its_threads_back():
    def fail(item):
        if item == 40:
            raise ValueError(item)
        return slow(item)

    with pytest.raises(ValueError, match="40"):
        list(map_threads(fail, range(50)))
    assert cv2.getNumThreads() == 3
