"""Augmentations of a user's own: what they draw follows from (seed, epoch, index)."""

import numpy as np
import pytest
import tensorflow as tf
from user_code import write_code

from kerasexp.config import load_experiment
from kerasexp.custom import trust
from kerasexp.custom.code_import import CodeError
from kerasexp.data.custom_augmentation import custom_changes
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 1), np.uint8)
SPLIT = Split(IMAGES, np.arange(30) % 2, [str(i) for i in range(30)])


@pytest.fixture
def augmentation(tmp_path):
    def section(text: str, layers: str):
        (tmp_path / "a.py").write_text(f"import keras\nimport tensorflow as tf\n\n\n{text}\n")
        (tmp_path / "exp.yaml").write_text(f"data: {{augmentation: {{layers: {layers}}}}}\n")
        found = load_experiment(tmp_path / "exp.yaml").data.augmentation
        trust.remember(found.layers)
        return found

    return section


def batches(augmentation, seed=0, epochs=2, start=(0, 0)) -> list[np.ndarray]:
    found = training_batches(SPLIT, Sampling(8), seed, augmentation, epochs, start)
    return [images.numpy() for images, _ in found]


@pytest.mark.parametrize(
    "layers", ["[mine/my_changes.py:brighten]", "[mine/my_changes.py:move, mine/my_changes.py:brighten]"]
)
def test_the_same_seed_draws_the_same_and_a_resumed_epoch_goes_on(augmentation, tmp_path, layers):
    write_code(tmp_path / "mine")
    found = augmentation("", layers)
    whole = batches(found)
    for first, second in zip(whole, batches(found), strict=True):
        np.testing.assert_array_equal(first, second)
    for first, second in zip(whole[6:], batches(found, start=(1, 2)), strict=True):
        np.testing.assert_array_equal(first, second)
    assert any((a != b).any() for a, b in zip(whole, batches(found, seed=1), strict=True))
    assert all(batch.dtype == np.uint8 for batch in whole)


def test_other_draws_are_the_same_with_and_without_it(augmentation):
    """Code of one's own draws last: the shuffling and our augmentations stay as they were."""
    found = augmentation("def same(images, seeds):\n    return images", "[a.py:same], rotation: 20")
    for first, second in zip(batches(found), batches(found.model_copy(update={"layers": []})), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("layer", ["RandomFlip()", "RandomContrast(0.5)", "Dropout(0.5)", "RandomErasing()"])
def test_layers_of_keras_keep_no_state_of_their_own(augmentation, layer):
    text = f"def make():\n    return keras.Sequential([keras.layers.{layer}, keras.layers.RandomTranslation(0.2, 0.2)])"
    found = augmentation(text, "[a.py:make]")
    first = batches(found)
    for a, b in zip(first, batches(found), strict=True):
        np.testing.assert_array_equal(a, b)
    plain = batches(found.model_copy(update={"layers": []}))
    assert sum((a != b).any() for a, b in zip(first, plain, strict=True)) == len(plain)


def test_images_of_a_batch_are_changed_independently(augmentation):
    text = (
        "def add(images, seeds):\n"
        "    return images * 0 + tf.cast(tf.abs(seeds[:, 0]) % 200, tf.float32)[:, None, None, None]"
    )
    first = batches(augmentation(text, "[a.py:add]"))[0][:, 0, 0, 0]
    assert len(set(first.tolist())) > 5


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("def f(images, seeds):\n    return images[:, 1:]", UserError, "returned shape [2, 11, 12, 1]"),
        ("def f(images, seeds):\n    return None", UserError, "returned shape []"),
        ("def f():\n    return 3", UserError, "returned a int"),
        ("def f(images):\n    return images", UserError, "takes 1 positional parameters; a augmentation is given"),
        ("def f(images, seeds):\n    return images.nothing", CodeError, "a.py, line 6, in f: AttributeError"),
        ("def f():\n    return keras.layers.Dense(3)", UserError, "returned shape [2, 12, 12, 3]"),
    ],
)
def test_what_is_none_is_refused(augmentation, text, error, message):
    with pytest.raises(error) as raised:
        custom_changes(augmentation(text, "[a.py:f]").layers, (12, 12, 1))
    assert message in str(raised.value)


def test_values_are_rounded_and_clipped(augmentation):
    found = augmentation("def f(images, seeds):\n    return images * 2 - 100.4", "[a.py:f]")
    shown = np.sort(np.concatenate(batches(found, epochs=1)).ravel())
    expected = np.clip(np.rint(IMAGES.astype(np.float32) * 2 - np.float32(100.4)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(shown, np.sort(expected.ravel()))
    assert tf.executing_eagerly()
