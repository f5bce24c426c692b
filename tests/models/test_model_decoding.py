"""From logits to an answer."""

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.decode_section import Argmax, Argmin, LogitAdjustment
from kerasexp.config.model_section import Mlp
from kerasexp.models import build_model, logits_model
from kerasexp.models.decoding_layer import ARGMAX, decoding_of
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars

LOGITS = np.array([[2.0, 1.0, -1.0]], np.float32)
COUNTS = [90, 9, 1]


@pytest.mark.parametrize(
    ("decode", "expected"),
    [
        (Argmax(), LOGITS),
        (Argmin(), -LOGITS),
        (LogitAdjustment(), LOGITS - np.log([0.9, 0.09, 0.01])),
        (LogitAdjustment(tau=0.5), LOGITS - 0.5 * np.log([0.9, 0.09, 0.01])),
        (LogitAdjustment(tau=0), LOGITS),
    ],
    ids=["argmax", "argmin", "adjusted", "half", "by nothing"],
)
def test_the_map_and_its_layer(decode, expected):
    decoding = decoding_of(decode, COUNTS)
    np.testing.assert_allclose(decoding(LOGITS), expected, rtol=1e-6)
    layer = decoding.layer()
    np.testing.assert_allclose(LOGITS if layer is None else layer(LOGITS), expected, rtol=1e-6)
    assert (layer is None) == (decode == Argmax())


def test_a_class_of_which_nothing_was_learned_is_left_as_it_is():
    assert decoding_of(LogitAdjustment(), [50, 0, 50]).offset == [np.log(2), 0, np.log(2)]


def test_the_saved_model_decodes_on_its_own(tmp_path):
    how = Preprocessing(size=[4, 4])
    model = build_model(Mlp(units=[3]), how, 3, "adjusted", decoding_of(LogitAdjustment(), COUNTS))
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    logits = logits_model(model).predict(images, verbose=0)
    expected = keras.ops.softmax(logits - np.log([0.9, 0.09, 0.01]))
    model.save(tmp_path / "model.keras")
    write_sidecars(tmp_path, ["a", "b", "c"], {}, how)
    for loaded in (keras.models.load_model(tmp_path / "model.keras"), load_checkpoint(tmp_path).model):
        np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, rtol=1e-5)


def test_most_models_have_no_layer_for_it():
    assert ARGMAX.layer() is None
    assert "decoded_logits" not in [layer.name for layer in build_model(Mlp(), Preprocessing(), 3, "plain").layers]
