"""Elastic distortions: the field against SciPy's, and the reading of pixels against the affine map's."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from kerasexp.config.augmentation_section import Augmentation, Elastic
from kerasexp.data.augmentation import draw_affine_maps, warp_affine
from kerasexp.data.elastic_distortion import _smoothing, draw_nodes, grid_of, places, read_bilinear, warp_elastic
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split

SIZE = (28, 30)
MANY = 2000


def fields(config: Elastic, count: int = MANY, size=SIZE) -> np.ndarray:
    nodes = draw_nodes(config, count, size, np.random.default_rng(0))
    found = places(whole(count), tf.constant(nodes), config, size) - pixels(size)
    return tf.transpose(found, (0, 2, 3, 1)).numpy()


def whole(count: int) -> tf.Tensor:
    """The affine map that changes nothing."""
    return tf.constant(np.tile(np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float32), (count, 1)))


def pixels(size: tuple[int, int]) -> np.ndarray:
    """Row and column of each pixel, [2, height, width]."""
    return np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")).astype(np.float32)


def simard(config: Elastic, count: int = MANY, size=SIZE) -> np.ndarray:
    """The fields of the paper, image by image, with SciPy."""
    noise = np.random.default_rng(1).uniform(-1, 1, (count, *size, 2))
    return config.alpha * gaussian_filter(noise, (0, config.sigma, config.sigma, 0), mode="constant")


@pytest.mark.parametrize("sigma", [1.0, 1.8, 4.0, 11.0, 100.0])
def test_the_smoothing_of_nodes_has_the_covariance_of_the_smoothing_of_pixels(sigma):
    side = SIZE[0]
    ours = _smoothing(side, grid_of(Elastic(sigma=sigma), SIZE)[0], sigma).astype(np.float64)
    theirs = gaussian_filter1d(np.eye(side), sigma, mode="constant")
    expected = theirs.T @ theirs
    assert np.abs(ours @ ours.T - expected).max() < 0.023 * expected.max()


def test_fields_have_the_variance_and_the_covariance_of_the_paper():
    ours, theirs = fields(Elastic()), simard(Elastic())
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    variance = theirs.var(axis=0).max()
    assert ours.var(axis=0) == pytest.approx(theirs.var(axis=0), abs=0.15 * variance)
    assert ours.var(axis=0).mean() == pytest.approx(theirs.var(axis=0).mean(), rel=0.05)
    assert np.abs(ours.mean(axis=0)).max() < 5 * np.sqrt(variance / MANY)
    for place in ((14, 15), (0, 0), (27, 10)):
        one, other = (np.einsum("n,nyx->yx", found[:, *place, 0], found[..., 0]) / MANY for found in (ours, theirs))
        assert one == pytest.approx(other, abs=0.15 * variance)
    # Down and right are independent.
    assert abs(np.corrcoef(ours[:, 14, 15, 0], ours[:, 14, 15, 1])[0, 1]) < 0.08


def test_in_the_middle_the_deviation_is_what_the_documentation_says():
    found = fields(Elastic())[:, 14, 15].std()
    assert found == pytest.approx(0.163 * 34 / 4, rel=0.03)


def test_a_node_stands_for_sigma_pixels_or_fewer():
    assert grid_of(Elastic(), SIZE) == (7, 8) and grid_of(Elastic(sigma=100), SIZE) == (1, 1)


IMAGES = np.random.default_rng(2).integers(0, 256, (6, 9, 12, 3)).astype(np.float32)
FILLS = ["constant", "nearest", "reflect", "wrap"]
STRONG = Augmentation(rotation=60, shift=0.8, zoom=0.4, shear=20, flip=True)


@pytest.mark.parametrize("fill", FILLS)
def test_without_displacement_it_is_the_affine_map(fill):
    affine = tf.constant(draw_affine_maps(STRONG, 6, (9, 12), np.random.default_rng(3)))
    nodes = tf.zeros((6, 2 * 3 * 3))
    still = warp_elastic(tf.constant(IMAGES), affine, nodes, Elastic(), fill)
    assert still.numpy() == pytest.approx(warp_affine(tf.constant(IMAGES), affine, fill).numpy(), abs=0.02)


@pytest.mark.parametrize("fill", FILLS)
def test_the_same_displacement_of_all_pixels_is_a_shift(fill):
    shifted = whole(6).numpy()
    shifted[:, 2], shifted[:, 5] = -2.5, 1.25
    at = np.tile(pixels((9, 12)) + np.array([1.25, -2.5], np.float32)[:, None, None], (6, 1, 1, 1))
    found = read_bilinear(tf.constant(IMAGES), tf.constant(at), fill).numpy()
    assert found == pytest.approx(warp_affine(tf.constant(IMAGES), tf.constant(shifted), fill).numpy(), abs=0.02)


def test_the_affine_map_comes_first():
    """A pixel is read at the map of its place and its displacement, so that the field moves what the map has changed."""
    affine = draw_affine_maps(STRONG, 4, SIZE, np.random.default_rng(3))
    moved = np.moveaxis(fields(Elastic(), 4), -1, 1) + pixels(SIZE)
    y, x = moved[:, 0], moved[:, 1]
    a0, a1, a2, b0, b1, b2 = (affine[:, k, None, None] for k in range(6))
    nodes = draw_nodes(Elastic(), 4, SIZE, np.random.default_rng(0))
    found = places(tf.constant(affine), tf.constant(nodes), Elastic(), SIZE).numpy()
    assert found[:, 0] == pytest.approx(b0 * x + b1 * y + b2, abs=1e-3)
    assert found[:, 1] == pytest.approx(a0 * x + a1 * y + a2, abs=1e-3)


def test_places_on_pixels_and_on_the_border_are_read_exactly():
    at = np.tile(pixels((9, 12)), (6, 1, 1, 1))
    for fill in FILLS:
        assert np.array_equal(read_bilinear(tf.constant(IMAGES), tf.constant(at), fill), IMAGES), fill
    far = read_bilinear(tf.constant(IMAGES), tf.constant(at + np.float32(9)), "constant").numpy()
    assert not far[:, :, 3:].any() and not far.any()


SPLIT = Split(IMAGES.astype(np.uint8)[..., :1], np.arange(6), [str(k) for k in range(6)])


def batches(start=(0, 0), batch_size=4, **keys) -> list[np.ndarray]:
    augmentation = Augmentation(**keys)
    found = training_batches(SPLIT, Sampling(batch_size), 0, augmentation, 3, start)
    return [images.numpy() for images, _ in found]


def test_distorted_batches_follow_from_seed_epoch_and_index():
    keys = {"elastic": Elastic(alpha=20, sigma=3), "rotation": 5.0}
    whole = batches(**keys)
    for first, second in zip(whole[3:], batches(start=(1, 1), **keys), strict=True):
        np.testing.assert_array_equal(first, second)
    one = np.concatenate(batches(batch_size=6, **keys))
    np.testing.assert_array_equal(one, np.concatenate(whole))
    plain = batches(rotation=5.0)
    assert all((a != b).any() for a, b in zip(whole, plain, strict=True))
