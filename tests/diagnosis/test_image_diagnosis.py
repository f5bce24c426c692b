"""Checks of the images."""

import time

import numpy as np

from kerasexp.data.dataset_statistics import ImageStatistics
from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis.image_diagnosis import check_stored_images, find_duplicates, find_unusual_images


def split(images, labels=None) -> Split:
    labels = np.zeros(len(images), int) if labels is None else np.array(labels)
    return Split(images, labels, [f"p{i}" for i in range(len(images))])


def drawn(count, seed=0, shape=(8, 8, 1)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def test_the_same_image_within_a_split_across_splits_and_with_two_labels():
    train, test = drawn(6), drawn(3, 1)
    train[4] = train[1]
    train[5], test[2] = train[0], train[0]
    found = find_duplicates({"train": split(train, [0, 1, 1, 1, 2, 0]), "test": split(test)})
    assert found.groups == [[("train", 1), ("train", 4)], [("train", 0), ("train", 5), ("test", 2)]]
    assert (found.conflicting, found.across, found.images) == ([0], [1], 3)


def test_without_duplicates_and_without_images():
    assert find_duplicates({"train": split(drawn(20)), "test": split(drawn(0))}).groups == []
    assert find_duplicates({"train": split(drawn(0))}).images == 0
    # Blank images are equal, but are not duplicates.
    assert find_duplicates({"train": split(np.zeros((5, 4, 4, 1), np.uint8))}).groups == []


def test_sixty_thousand_images_take_less_than_a_second():
    images = split(drawn(60_000, shape=(28, 28, 1)))
    start = time.perf_counter()
    find_duplicates({"train": images})
    assert time.perf_counter() - start < 1


def test_blank_and_inverted_images_of_ink():
    pages = np.zeros((30, 12, 12, 1), np.uint8)
    pages[:, 4:8, 4:8] = drawn(30, shape=(4, 4, 1)) // 2 + 128
    pages[7] = 255 - pages[7]
    pages[9] = 3
    found = find_unusual_images({"train": split(pages[:20]), "test": split(pages[20:])})
    assert (found.inverted, found.blank) == ([("train", 7)], [("train", 9)])


def test_photographs_have_no_polarity():
    photographs = drawn(40, shape=(12, 12, 3))
    photographs[::2] //= 3
    assert find_unusual_images({"train": split(photographs)}).inverted == []


def statistics(sizes, colour) -> ImageStatistics:
    heights, widths = np.array(sizes).T
    count = len(sizes)
    names = [f"p{i}" for i in range(count)]
    return ImageStatistics(names, heights, widths, np.array(colour), np.zeros(count, bool), np.zeros((count, 4)), [])


def test_unusual_sizes_and_colours():
    found = check_stored_images(statistics([(28, 28)] * 19 + [(6, 28)], [False] * 18 + [True, False]))
    assert found.size == (28, 28) and found.odd_sizes == ["p19"] and found.tiny == ["p19"]
    assert found.odd_colours == ["p18"] and not found.colour and found.smallest == (6, 28)


def test_where_all_differ_nothing_is_unusual():
    found = check_stored_images(statistics([(20 + i, 30) for i in range(20)], [True] * 12 + [False] * 8))
    assert found.size is None and found.odd_sizes == [] and found.odd_colours == [] and found.tiny == []
    assert (found.smallest, found.largest) == ((20, 30), (39, 30))
    assert check_stored_images(statistics(np.zeros((0, 2), int), [])) is None
