"""From a stored image to the model's input: area averaging, framings, ink, channels."""

import cv2
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.preprocessing import border_means, preprocess, preprocess_array, resize

FRAMINGS = [
    {"framing": "stretch"},
    {"framing": "fit"},
    {"framing": "center"},
    {"framing": "window", "window": [0.1, 0.2, 0.9, 0.7]},
]


def how(**keys) -> Preprocessing:
    return Preprocessing(**keys)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def page(height: int, width: int, box: tuple[int, int, int, int], ink: int = 255) -> np.ndarray:
    """An image with a filled box (top, left, bottom, right) on a page of the opposite shade."""
    image = np.full((height, width, 1), 255 - ink, np.uint8)
    image[box[0] : box[2], box[1] : box[3]] = ink
    return image


def box_of(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what is brighter than mid grey."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def center_of_mass(image: np.ndarray) -> np.ndarray:
    values = image[..., 0].astype(float)
    return np.array(
        [(values.sum(axis=1) @ np.arange(len(values))), (values.sum(axis=0) @ np.arange(values.shape[1]))]
    ) / (values.sum())


# Resizing


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((900, 1200, 1), (28, 28)),
        ((900, 1200, 3), (64, 64)),
        ((64, 64, 3), (28, 28)),
        ((56, 84, 1), (28, 28)),
        ((97, 131, 1), (28, 28)),
        ((61, 37, 3), (19, 23)),
        ((29, 28, 1), (28, 28)),
        ((28, 333, 1), (28, 28)),
        ((28, 28, 3), (28, 28)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_shrinking_is_area_averaging(shape, size, kind):
    image = noise(*shape).astype(kind)
    wanted = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, shape[2])
    small = resize(image, *size)
    assert small.dtype == np.float32
    assert np.abs(small - wanted).max() <= 1


@pytest.mark.parametrize("shape", [(10, 10, 1), (8, 8, 3), (27, 28, 1), (1, 1, 3)], ids=str)
def test_growing_is_linear(shape):
    image = noise(*shape)
    wanted = cv2.resize(image.astype(np.float32), (28, 28), interpolation=cv2.INTER_LINEAR).reshape(28, 28, -1)
    assert np.abs(resize(image, 28, 28) - wanted).max() < 0.01


@pytest.mark.parametrize("shape", [(901, 1203, 1), (64, 64, 3), (900, 20, 1), (20, 900, 1), (12, 12, 1)], ids=str)
def test_resizing_keeps_the_mean_of_a_flat_image(shape):
    assert resize(np.full(shape, 77, np.uint8), 28, 28) == pytest.approx(77, abs=1e-3)


@pytest.mark.parametrize("thick", [1, 4, 13])
def test_a_thin_stroke_keeps_its_ink_wherever_it_lies(thick):
    for top in range(300, 333, 4):
        image = page(900, 1200, (top, 0, top + thick, 1200), ink=0)
        assert (255 - resize(image, 28, 28)).mean() == pytest.approx(255 * thick / 900, rel=0.01)


@pytest.mark.parametrize("thick", [1, 4, 13])
def test_an_image_that_shrinks_one_way_and_grows_the_other_is_averaged_where_it_shrinks(thick):
    for top in range(300, 333, 4):
        strip = page(900, 20, (top, 0, top + thick, 20), ink=0)
        for image in (strip, strip.transpose(1, 0, 2)):
            assert (255 - resize(image, 28, 28)).mean() == pytest.approx(255 * thick / 900, rel=0.01)


# Framings


def test_stretch_shows_the_whole_image_whatever_its_aspect():
    small = preprocess(page(100, 200, (0, 0, 50, 200)), how())
    assert (small[:14] == 255).all() and (small[14:] == 0).all()


def test_fit_keeps_the_aspect_and_centres_the_image():
    small = preprocess(page(100, 200, (0, 0, 100, 200)), how(framing="fit"))
    assert small.shape == (28, 28, 1) and (small == 255).all()  # all the border is ink, and so is what is added
    small = preprocess(page(100, 200, (1, 1, 99, 199)), how(framing="fit"))
    assert box_of(small) == (7, 0, 21, 28)


def test_fit_fills_with_the_shade_of_the_border():
    image = page(50, 100, (20, 40, 30, 60), ink=0)
    image[image == 255] = 200
    small = preprocess(image, how(framing="fit"))
    assert (small[:7] == 200).all() and (small[21:] == 200).all()
    assert small.min() < 60


def test_fit_enlarges_a_small_image_with_its_aspect():
    small = page(7, 14, (1, 1, 6, 13))
    assert box_of(preprocess(small, how(framing="fit"))) == (9, 2, 19, 26)


def test_window_crops_the_same_part_of_every_image():
    inputs = how(framing="window", window=[0.25, 0.5, 0.75, 1.0])
    small = preprocess(page(200, 400, (50, 300, 100, 400)), inputs)
    assert box_of(small) == (0, 14, 14, 28)


def test_window_keeps_the_place_of_the_ink():
    inputs = how(framing="window", window=[0.2, 0.2, 0.8, 0.8])
    one, other = (preprocess(page(500, 500, (y, 200, y + 50, 250)), inputs) for y in (200, 300))
    assert box_of(other)[0] - box_of(one)[0] == pytest.approx(100 * 28 / 300, abs=1)
    assert box_of(other)[1] == box_of(one)[1]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (4, 4, 3)], ids=str)
@pytest.mark.parametrize("window", [[0.9, 0.9, 1.0, 1.0], [0.0, 0.0, 0.1, 0.1], [0.6, 0.0, 0.7, 1.0]], ids=str)
def test_a_window_of_a_tiny_image_has_at_least_one_pixel(shape, window):
    small = preprocess(np.full(shape, 90, np.uint8), how(framing="window", window=window, channels=shape[2]))
    assert (small == 90).all()


@pytest.mark.parametrize("corner", [(10, 10), (10, 500), (300, 200)])
def test_center_puts_the_centre_of_mass_in_the_middle(corner):
    image = page(400, 600, (corner[0], corner[1], corner[0] + 80, corner[1] + 20))
    image[corner[0] : corner[0] + 16, corner[1] : corner[1] + 60] = 255  # an upside-down L: heavy at the top left
    small = preprocess(image, how(framing="center"))
    assert center_of_mass(small) == pytest.approx([13.5, 13.5], abs=0.5)


def test_center_scales_the_ink_to_20_of_28_pixels():
    top, left, bottom, right = box_of(preprocess(page(300, 400, (100, 100, 200, 150)), how(framing="center")))
    assert (bottom - top, right - left) == (20, 10)


def test_center_does_not_depend_on_place_and_scale():
    small = preprocess(page(300, 300, (20, 20, 120, 80)), how(framing="center"))
    large = preprocess(page(1000, 700, (500, 300, 900, 540)), how(framing="center"))
    assert np.abs(small.astype(int) - large).max() <= 2


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f["framing"])
def test_an_image_of_the_target_size_passes_through(framing):
    image = noise(28, 28, 1)
    assert np.array_equal(preprocess(image, how(**framing)), image)


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f["framing"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 500, 1), (500, 1, 3), (3, 2, 1), (300, 40, 3)], ids=str)
def test_any_size_gives_the_model_input(framing, channels, shape):
    for image in (noise(*shape), np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
        for invert in (False, True, "auto"):
            small = preprocess(image, how(size=[20, 24], channels=channels, invert=invert, **framing))
            assert small.shape == (20, 24, channels) and small.dtype == np.uint8


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f["framing"])
@pytest.mark.parametrize(
    ("shade", "invert", "result"), [(0, False, 0), (90, False, 90), (255, "auto", 0), (0, True, 255)]
)
def test_a_blank_image_stays_blank(framing, shade, invert, result):
    image = np.full((100, 150, 1), shade, np.uint8)
    assert (preprocess(image, how(invert=invert, **framing)) == result).all()


def test_preprocessing_does_not_modify_the_stored_image():
    image = noise(28, 28, 1)
    before = image.copy()
    preprocess(image, how(invert=True, contrast="stretch"))
    preprocess_array(image[np.newaxis], how(invert=True))
    assert np.array_equal(image, before)


# Ink


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f["framing"])
def test_invert_auto_makes_ink_bright_whatever_the_paper(framing):
    on_white, on_black = page(300, 300, (100, 100, 200, 170), ink=0), page(300, 300, (100, 100, 200, 170))
    inputs = how(invert="auto", **framing)
    one, other = preprocess(on_white, inputs).astype(int), preprocess(on_black, inputs).astype(int)
    assert np.abs(one - other).max() <= 1  # a half is rounded to the even number
    assert one.max() == 255 and one[0, 0] == 0


def test_invert_true_and_false_do_not_depend_on_the_image():
    image = page(56, 56, (20, 20, 30, 30))
    assert np.array_equal(preprocess(image, how(invert=True)), 255 - preprocess(image, how()))


def test_invert_auto_depends_on_the_border_only():
    mostly_ink = page(100, 100, (5, 5, 95, 95), ink=0)
    assert preprocess(mostly_ink, how(invert="auto"))[14, 14] == 255


def test_the_border_is_the_mean_of_the_four_outer_lines():
    image = np.zeros((2, 4, 6, 1), np.uint8)
    image[0, 1:-1, 1:-1] = 255
    image[1, 0], image[1, -1] = 100, 100
    image[1, :, 0], image[1, :, -1] = 100, 100
    assert border_means(image).tolist() == [0, 100]


def test_contrast_stretch_brings_the_brightest_pixel_to_255():
    faint = page(56, 56, (20, 20, 30, 30)) // 3
    small = preprocess(faint, how(contrast="stretch"))
    assert small.max() == 255 and small.min() == 0
    assert preprocess(faint, how()).max() == 85


def test_contrast_stretch_leaves_a_black_image_black():
    assert (preprocess(np.zeros((56, 56, 1), np.uint8), how(contrast="stretch")) == 0).all()


# Channels


def test_colour_becomes_grey_by_its_luminance():
    image = np.zeros((28, 28, 3), np.uint8)
    image[:, :10, 0], image[:, 10:20, 1], image[:, 20:, 2] = 255, 255, 255
    assert preprocess(image, how())[0, [0, 10, 20], 0].tolist() == [76, 150, 29]


def test_grey_stays_grey_in_three_channels():
    grey = noise(90, 70, 1)
    colour = preprocess(grey, how(channels=3))
    assert np.array_equal(colour, np.repeat(preprocess(grey, how()), 3, axis=2))


def test_grey_stored_in_three_channels_is_the_same_as_grey_stored_in_one():
    grey = noise(90, 70, 1)
    stored = np.repeat(grey, 3, axis=2)
    assert np.abs(preprocess(stored, how()).astype(int) - preprocess(grey, how())).max() <= 1


# Many at once


@pytest.mark.parametrize("invert", [False, True, "auto"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda f: f["framing"])
def test_preprocessing_an_array_equals_one_by_one(framing, channels, invert):
    images = noise(6, 28, 28, channels)
    images[3:, [0, -1]], images[3:, :, [0, -1]] = 255, 255
    inputs = how(channels=channels, invert=invert, **framing)
    one_by_one = np.stack([preprocess(image, inputs) for image in images])
    assert np.array_equal(preprocess_array(images, inputs), one_by_one)


@pytest.mark.parametrize(
    ("shape", "keys"), [((2, 28, 29, 1), {}), ((2, 28, 28, 3), {}), ((2, 28, 28, 1), {"contrast": "stretch"})], ids=str
)
def test_images_that_need_framing_are_not_preprocessed_as_an_array(shape, keys):
    assert preprocess_array(noise(*shape), how(**keys)) is None


# Crops


@pytest.mark.parametrize(
    "framing",
    [{"framing": "stretch"}, {"framing": "fit"}, {"framing": "window", "window": [0.1, 0.2, 0.9, 0.7]}],
    ids=str,
)
@pytest.mark.parametrize("size", [(200, 100), (28, 28), (20, 9)])
def test_a_crop_is_a_part_of_what_the_framing_shows(framing, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    inputs = how(channels=3, **framing)
    box = (0.25, 0.1, 0.75, 0.6)
    top, left, bottom, right = inputs.window or (0, 0, 1, 1)
    if size == (28, 28):
        top, left, bottom, right = 0, 0, 1, 1
    rows, columns = round(bottom * size[0]) - round(top * size[0]), round(right * size[1]) - round(left * size[1])
    first = round(top * size[0]) + round(0.25 * rows), round(left * size[1]) + round(0.1 * columns)
    end = round(top * size[0]) + round(0.75 * rows), round(left * size[1]) + round(0.6 * columns)
    part = image[first[0] : end[0], first[1] : end[1]]
    plain = how(channels=3, framing="fit" if framing["framing"] == "fit" else "stretch")
    assert np.array_equal(preprocess(image, inputs, box), preprocess(part, plain))


def test_whether_a_crop_is_inverted_follows_from_the_whole_image():
    image = np.full((60, 60, 1), 255, np.uint8)
    image[10:50, 10:50] = 0
    assert (preprocess(image, how(invert="auto"), (0.3, 0.3, 0.7, 0.7)) == 255).all()
