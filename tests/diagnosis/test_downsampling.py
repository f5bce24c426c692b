"""Downsampling."""

import numpy as np

from kerasexp.data.downsampling import downsampled


def test_images_are_averaged_over_whole_blocks():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3)).astype(np.uint8)
    small = downsampled(images, 4)
    assert small.shape == (3, 4, 4, 3) and small.dtype == np.uint8
    assert small[1, 2, 3, 0] == np.rint(images[1, 4:6, 6:8, 0].mean())
    assert downsampled(images, 8) is images
