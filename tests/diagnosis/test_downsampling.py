"""Downsampling."""

import numpy as np

from kerasexp.data.downsampling import downsampled


def test_images_are_averaged_over_whole_blocks():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3)).astype(np.uint8)
    small = downsampled(images, 4)
    assert small.shape == (3, 4, 4, 3) and small.dtype == np.uint8
    assert small[1, 2, 3, 0] == np.rint(images[1, 4:6, 6:8, 0].mean())
    assert downsampled(images, 8) is images


def test_images_that_are_read_later_are_read_some_at_a_time(read_later):
    images = np.random.default_rng(0).integers(0, 256, (20, 9, 8, 3)).astype(np.uint8)
    later = read_later(images)
    assert np.array_equal(downsampled(later, 4), downsampled(images, 4)) and later.read == [7, 7, 6]
    assert np.array_equal(downsampled(later, 8), images)
