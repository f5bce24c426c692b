"""The views of test-time augmentation."""

import numpy as np
import pytest

from kerasexp.evaluation.image_views import View, views_for

IMAGES = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5, 1)


@pytest.mark.parametrize(
    ("flip", "count"), [(False, 5), (True, 10), ("horizontal", 10), ("vertical", 10), ("both", 20)]
)
def test_views_are_mirrored_as_training_was(flip, count):
    views = views_for((28, 28), flip)
    assert len(views) == len(set(views)) == count
    assert any(view.mirrored for view in views) == (flip in (True, "horizontal", "both"))
    assert any(view.upside_down for view in views) == (flip in ("vertical", "both"))
    np.testing.assert_array_equal(views[0].of(IMAGES), IMAGES)
    assert all(view.of(IMAGES).shape == IMAGES.shape and view.of(IMAGES).dtype == np.uint8 for view in views)


@pytest.mark.parametrize(
    ("size", "step"), [((16, 16), (1, 1)), ((28, 28), (1, 1)), ((96, 128), (3, 4)), ((8, 224), (1, 7))]
)
def test_a_view_is_moved_by_about_a_pixel_of_32(size, step):
    views = views_for(size, False)
    assert {(view.down, view.right) for view in views} == {
        (0, 0),
        (step[0], 0),
        (-step[0], 0),
        (0, step[1]),
        (0, -step[1]),
    }


def test_the_border_is_repeated():
    for axis, view in ((1, View(down=1)), (2, View(right=1))):
        moved = np.roll(IMAGES, 1, axis)
        edge = [slice(None)] * 4
        edge[axis] = slice(0, 1)
        moved[tuple(edge)] = IMAGES[tuple(edge)]
        np.testing.assert_array_equal(view.of(IMAGES), moved)


def test_an_image_is_mirrored_before_it_is_moved():
    np.testing.assert_array_equal(View(mirrored=True).of(IMAGES), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(View(upside_down=True).of(IMAGES), IMAGES[:, ::-1])
    np.testing.assert_array_equal(View(right=-1, mirrored=True).of(IMAGES)[:, :, :-1], IMAGES[:, :, ::-1][:, :, 1:])
