"""A `cnn` starts from a file of weights or from a shipped checkpoint; a run is known by what it starts from."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn
from kerasexp.config.shipped_files import PHOTO_WEIGHTS, find_weights, shipped_checkpoints
from kerasexp.console import QuietConsole
from kerasexp.data.new_recipes import RESIDUAL_BLOCKS
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.training.pretrained_weights import load_pretrained

QUIET = QuietConsole()
HOW = Preprocessing(size=[16, 16], channels=3)
BLOCKS = [{"filters": 4, "batch_norm": True, "pool": 2}, {"filters": 8}]


def built(section: Cnn, how: Preprocessing = HOW, seed: int = 1) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_model(section, how, 3, "ours")


@pytest.mark.parametrize("name", ["source.keras", "source.weights.h5"])
def test_it_starts_from_a_file_except_for_its_head(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = built(Cnn(blocks=BLOCKS, pooling="average"), seed=0)
    if name.endswith(".keras"):
        source.save(name)
    else:
        keras.Model(source.input, source.get_layer("average").input).save_weights(name)
    section = Cnn(blocks=BLOCKS, pooling="average", weights=name)
    model = built(section)
    before = model.get_layer("logits").get_weights()[0]
    assert load_pretrained(model, section, QUIET)["file"] == str(tmp_path / name)
    for layer in ("block_1_conv_1", "block_1_conv_1_norm", "block_2_conv_1"):
        for ours, theirs in zip(
            model.get_layer(layer).get_weights(), source.get_layer(layer).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], before)


def test_other_blocks_are_refused_with_the_layer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    built(Cnn(blocks=BLOCKS)).save("source.keras")
    section = Cnn(blocks=[{"filters": 4, "batch_norm": True, "pool": 2}, {"filters": 9}], weights="source.keras")
    with pytest.raises(
        UserError, match=r"model.weights: layer 'block_2_conv_1' has weights of shape .* 9\), \(9,\)\] here"
    ):
        load_pretrained(built(section), section, QUIET)


def test_the_shipped_weights_for_photographs_fit_their_network():
    section = Cnn(blocks=RESIDUAL_BLOCKS, pooling="average", weights=PHOTO_WEIGHTS)
    model = built(section, Preprocessing(size=[64, 64], channels=3))
    assert load_pretrained(model, section, QUIET)["file"] == str(shipped_checkpoints()[PHOTO_WEIGHTS] / "model.keras")


def test_a_file_of_this_name_comes_before_a_shipped_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_weights("part1_scans") == shipped_checkpoints()["part1_scans"] / "model.keras"
    Path("part1_scans").mkdir()
    assert find_weights("part1_scans") == shipped_checkpoints()["part1_scans"] / "model.keras"
    Path("part1_scans").rmdir()
    Path("part1_scans").write_text("")
    assert find_weights("part1_scans") == tmp_path / "part1_scans"
    assert find_weights("part9") is None


@pytest.mark.slow
def test_a_run_is_known_by_the_content_of_its_weights(cli, tiny_yaml):
    keys = ["--set", "training.epochs=1", "--set", "report.plots=false"]
    first = Path(cli("run", tiny_yaml, *keys).last_line)
    shutil.copy(first / "checkpoint/model.keras", "a.keras")
    shutil.copy("a.keras", "b.keras")
    runs = [Path(cli("run", tiny_yaml, *keys, "--set", f"model.weights={name}.keras").last_line) for name in "ab"]
    manifests = [json.loads((run / "manifest.json").read_text()) for run in (first, *runs)]
    assert manifests[0]["key"] != manifests[1]["key"] == manifests[2]["key"]
    assert "a.keras" in json.dumps(manifests[1])
