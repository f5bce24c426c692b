"""Sections of networks of keras.applications, and models with random weights of them."""

from functools import partial

import keras
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import MobileNet as AnyMobileNet
from kerasexp.config.model_section import PlainApplication
from kerasexp.console import QuietConsole
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.training.pretrained_weights import load_pretrained

ResNet50 = partial(PlainApplication, name="resnet50")
EfficientNetB0 = partial(PlainApplication, name="efficientnet_b0")
EfficientNetV2B0 = partial(PlainApplication, name="efficientnet_v2_b0")
MobileNet, MobileNetV2 = partial(AnyMobileNet, name="mobilenet"), partial(AnyMobileNet, name="mobilenet_v2")
QUIET = QuietConsole()
HOW = Preprocessing(size=[32, 32], channels=3)


def built(model) -> keras.Model:
    return build_model(model, HOW, 3, "ours")


def refused(section) -> str:
    with pytest.raises(UserError) as caught:
        load_pretrained(built(section), section, QUIET)
    assert [problem.key for problem in caught.value.problems] == ["model.weights"]
    return str(caught.value)
