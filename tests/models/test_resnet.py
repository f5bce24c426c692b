"""ResNet18: as published, for large images and for small ones, and through a whole run."""

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Head, ResNet18
from kerasexp.evaluation.interpretation import feature_maps, grad_cam
from kerasexp.models import build_model
from kerasexp.models.flops import multiply_adds
from kerasexp.saving.checkpoint import load_checkpoint


def built(size: int = 32, channels: int = 3, **keys) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(ResNet18(**keys), Preprocessing(size=[size, size], channels=channels), 3, "resnet")


def trained(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def test_parameters_and_multiply_adds_equal_those_in_the_paper():
    model = built(224)
    assert trained(model) - (512 * 3 + 3) == 11_176_512  # 11,689,512 with the 513,000 of a thousand classes
    assert multiply_adds(model) == pytest.approx(1.8e9, rel=0.02)  # He et al. 2016, table 1
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len([layer for layer in convolutions if "shortcut" not in layer.name]) + 1 == 18


def test_stages_halve_the_size_and_double_the_maps():
    model = built(224)
    sides = {stage: model.get_layer(f"stage_{stage}_block_2_relu").output.shape[1:] for stage in range(1, 5)}
    assert sides == {1: (56, 56, 64), 2: (28, 28, 128), 3: (14, 14, 256), 4: (7, 7, 512)}
    shortcuts = [layer.name for layer in model.layers if layer.name.endswith("shortcut")]
    assert shortcuts == [f"stage_{stage}_block_1_shortcut" for stage in (2, 3, 4)]


def test_the_small_stem_keeps_the_size_of_small_images():
    model = built(28, channels=1, stem="small", width=8, head=Head(units=[5]))
    assert model.get_layer("stage_1_block_1_relu").output.shape == (None, 28, 28, 8)
    assert model.get_layer("stage_4_block_2_relu").output.shape == (None, 4, 4, 64)
    assert model.get_layer("stem_conv").kernel.shape == (3, 3, 1, 8)
    assert [layer.name for layer in model.layers[-4:]] == [
        "head_dense_1", "head_dense_1_relu", "logits", "probabilities",
    ]  # fmt: skip


def test_the_signal_neither_fades_nor_explodes():
    model = built(32, stem="small", width=16)
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3)).astype(np.uint8)
    through = keras.Model(model.input, [model.get_layer(f"stage_{s}_block_2_relu").output for s in (1, 4)])
    first, last = (float(keras.ops.std(maps)) for maps in through(images, training=True))
    assert 0.2 < last / first < 5


def test_a_block_adds_its_input_to_the_output_of_two_convolutions():
    model = built(16, stem="small", width=4)
    names = ("stem_conv_relu", "stage_1_block_1_conv_2_norm", "stage_1_block_1_relu")
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    before, residual, after = map(np.asarray, parts(images))
    np.testing.assert_allclose(after, np.maximum(before + residual, 0), atol=1e-6)


@pytest.mark.slow
def test_a_run_trains_saves_explains_and_predicts(cli, tiny_yaml, tmp_path):
    experiment = tmp_path / "resnet.yaml"
    experiment.write_text("base: tiny.yaml\nmodel: {name: resnet18, stem: small, width: 8}\ntraining: {epochs: 2}\n")
    assert cli("check", experiment).code == 0
    answer = cli("run", experiment)
    assert answer.code == 0, answer.err
    run = Path(answer.last_line)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "finished" and manifest["parameters"] > 170_000 and manifest["flops"] > 0
    ours, stock = load_checkpoint(run).model, keras.models.load_model(run / "checkpoint" / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_allclose(ours.predict(images, verbose=0), stock.predict(images, verbose=0), rtol=1e-5, atol=1e-6)
    assert grad_cam(ours, images, np.zeros(4, int)).shape == (4, 16, 16)
    maps = feature_maps(ours, images[0])
    assert "stem_conv" in maps and maps["stage_4_block_2_conv_2"].shape == (2, 2, 64)
    assert cli("predict", run, "images").code == 0
