"""ImageNet weights of ResNet18: KerasHub's network equals ours layer by layer; and the messages if weights are missing."""

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import ResNet18
from kerasexp.console import QuietConsole
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.training import hub_weights
from kerasexp.training.pretrained_weights import load_pretrained

MODEL = ResNet18(weights="imagenet")
QUIET = QuietConsole()
HOW = Preprocessing(size=[65, 96], channels=3)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(hub_weights, "missing_of", lambda extra: ["keras_hub"])
    with pytest.raises(UserError, match=r"pip install 'kerasexp\[hub\]'"):
        load_pretrained(build_model(MODEL, HOW, 3, "ours"), MODEL, QUIET)


def test_the_message_of_a_failed_download_names_the_folder(monkeypatch):
    hub = pytest.importorskip("keras_hub", reason="KerasHub, the extra `hub`, is not installed")

    def refuse(preset):
        raise OSError("no network here")

    monkeypatch.setattr(hub.models.ResNetBackbone, "from_preset", refuse)
    with pytest.raises(UserError, match="no network here.*KAGGLEHUB_CACHE.*weights: null"):
        load_pretrained(build_model(MODEL, HOW, 3, "ours"), MODEL, QUIET)


@pytest.mark.slow
def test_features_equal_those_of_kerashub(monkeypatch):
    hub = pytest.importorskip("keras_hub", reason="KerasHub, the extra `hub`, is not installed")
    theirs = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
    )
    generator = np.random.default_rng(0)
    # Statistics and scales as after a training: those of a new network are all equal, which would hide swapped layers.
    theirs.set_weights(
        [w * generator.uniform(0.5, 1.5, w.shape) + generator.normal(0, 0.01, w.shape) for w in theirs.get_weights()]
    )
    monkeypatch.setattr(hub_weights, "hub_backbone", lambda: theirs)
    model = build_model(MODEL, HOW, 3, "ours")
    assert load_pretrained(model, MODEL, QUIET) == {"hub": "KerasHub: resnet_18_imagenet"}
    images = generator.integers(0, 256, (3, 65, 96, 3)).astype(np.uint8)
    scaled = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    maps = keras.Model(model.input, model.get_layer("average").input).predict(images, verbose=0)
    expected = theirs.predict(scaled.astype(np.float32), verbose=0)
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
