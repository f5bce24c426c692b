"""Images in memory: their shapes, and the range of their values, which may be that of the checkpoint's training."""

import numpy as np
import pytest
from PIL import Image

from kerasexp.data.image_files import file_conversion
from kerasexp.data.source import BrokenImage
from kerasexp.data.value_range import ValueRange
from kerasexp.errors import UserError
from kerasexp.evaluation.images_in_memory import images_of

PAGE = np.array([[0, 8], [16, 4]])


def pixels(given, value_range=None) -> list[np.ndarray]:
    return [image.pixels(None, file_conversion(value_range)) for image in images_of(given, value_range)]


@pytest.mark.parametrize(
    ("shape", "count"),
    [((4, 5), 1), ((4, 5, 1), 1), ((4, 5, 3), 1), ((6, 4, 5), 6), ((6, 4, 5, 1), 6), ((6, 4, 5, 3), 6), ((3, 4, 5), 3)],
)
def test_arrays_of_all_shapes_are_images(shape, count):
    found = pixels(np.full(shape, 100, np.uint8))
    assert len(found) == count and {image.shape[:2] for image in found} == {(4, 5)}
    assert {image.shape[2] for image in found} == {3 if shape[-1] == 3 else 1}


@pytest.mark.parametrize(("channels", "colours"), [(2, r"images\[\.\.\., :1\]"), (4, r"images\[\.\.\., :3\]")])
def test_an_image_with_alpha_is_not_taken_for_many_grey_ones(channels, colours):
    advice = rf"image 0: has the shape \(60, 80, {channels}\); .* Pillow's image or {colours}"
    with pytest.raises(UserError, match=advice):
        pixels(np.full((60, 80, channels), 100, np.uint8))
    assert len(pixels(np.full((60, 80, channels, 1), 100, np.uint8))) == 60


def test_a_range_of_arrays_is_that_of_the_training():
    trained = ValueRange(0, 16, "detected", "arrays")
    for dtype in (np.uint8, np.float64, np.uint16):
        assert pixels(PAGE.astype(dtype), trained)[0][..., 0].tolist() == [[0, 128], [255, 64]]
    with pytest.raises(
        UserError, match=r"image 1: data.range: it has the pixel 17, which is outside the range 0\.\.16"
    ):
        pixels([PAGE, PAGE + 1], trained)


def test_bytes_are_not_stretched_and_fractions_are():
    assert pixels(PAGE.astype(np.uint8))[0][..., 0].tolist() == PAGE.tolist()
    assert pixels(PAGE / 16)[0][..., 0].tolist() == [[0, 128], [255, 64]]
    assert pixels(PAGE > 4)[0][..., 0].tolist() == [[0, 255], [255, 0]]


def test_sixteen_bits_have_the_range_of_files():
    deep = (PAGE * 4095).astype(np.uint16)
    assert pixels(deep)[0].max() == 255
    twelve = ValueRange(0, 4095, "given", "files")
    assert pixels((PAGE * 255).astype(np.uint16), twelve)[0].max() == 254
    with pytest.raises(BrokenImage, match="its range is not known"):
        pixels(PAGE.astype(np.uint16))


def test_an_image_of_pillow_is_turned_upright_as_its_file_is(tmp_path):
    image, exif = Image.fromarray(PAGE.astype(np.uint8) * 10).convert("RGB"), Image.Exif()
    exif[274] = 6  # the orientation of a phone that was held upright
    image.save(tmp_path / "phone.png", exif=exif)
    by_file, by_image = pixels(tmp_path / "phone.png"), pixels(Image.open(tmp_path / "phone.png"))
    assert np.array_equal(by_file[0], by_image[0]) and not np.array_equal(by_file[0], np.asarray(image))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "1", "L", "LA", "P", "RGBA", "RGBX"])
def test_images_of_pillow_in_all_modes_are_predicted(mode):
    (found,) = pixels(Image.new("RGB", (4, 3), (200, 30, 30)).convert(mode))
    assert found.shape[:2] == (3, 4)


def test_images_of_pillow_with_32_bits_are_refused():
    for mode in ("I", "F"):
        with pytest.raises(UserError, match="has 32 bits a pixel; convert it to 8 or 16 bits"):
            pixels(Image.new(mode, (4, 3)))
