"""Weights from files: those of keras.applications in every format that Keras writes, and files that do not fit."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras_networks import (
    QUIET,
    EfficientNetB0,
    MobileNet,
    MobileNetV2,
    built,
    refused,
)
from pydantic import TypeAdapter

from kerasexp.config.application_facts import APPLICATIONS
from kerasexp.config.data_section import Preprocessing
from kerasexp.config.head_section import Head, ZeroShot
from kerasexp.config.model_section import Model, ResNet18
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.models.applications import NETWORKS, imagenet_logits
from kerasexp.training.pretrained_weights import load_pretrained

# Keras's networks take seconds to build.
pytestmark = pytest.mark.slow

RESNET = {"stem": "small", "width": 2}


@pytest.mark.parametrize("name", ["whole.keras", "own.weights.h5", "mobilenet_notop.h5"])
def test_weights_of_keras_give_the_same_features_as_in_keras(theirs, name):
    reference, folder = theirs
    section = MobileNetV2(weights=str(folder / name))
    model = built(section)
    assert load_pretrained(model, section, QUIET)["file"] == str(folder / name)
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    expected = reference(keras.applications.mobilenet_v2.preprocess_input(images.astype(np.float32)))
    features = keras.Model(model.input, model.get_layer("out_relu").output)(images)
    assert float(keras.ops.std(expected)) > 0.01
    np.testing.assert_allclose(np.asarray(features), np.asarray(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "resnet50", "efficientnet_v2_b0", "mobilenet_v3_small", "convnext_tiny", "densenet121"]
)
def test_layers_with_weights_are_in_the_order_of_keras_files(name):
    section = TypeAdapter(Model).validate_python({"name": name, "weights": None})
    function = getattr(keras.applications, APPLICATIONS[name].function)
    arguments = NETWORKS[name].arguments
    keras.backend.clear_session()
    theirs = function(weights=None, include_top=False, input_shape=(32, 32, 3), **arguments)
    names = [[layer.name for layer in model.layers if layer.weights] for model in (theirs, built(section))]
    assert names[0] == names[1][:-1] and names[1][-1] == "logits"


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_weights_of_the_first_efficientnets_leave_the_standardisation_as_it_is(ending, tmp_path):
    """The published files hold deviations where the layer takes variances."""
    theirs = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array([0.4, 0.4, 0.4]), np.array([0.2, 0.2, 0.2]), np.array(0)])
            layer.finalize_state()
    path = tmp_path / f"theirs{ending}"
    if ending == ".h5":
        with h5py.File(path, "w") as file:
            save_weights_to_hdf5_group(file, theirs)
    else:
        (theirs.save if ending == ".keras" else theirs.save_weights)(path)
    section = EfficientNetB0(weights=str(path))
    model = built(section)
    before = np.asarray(keras.Model(model.input, model.get_layer("normalization").output)(np.ones((1, 32, 32, 3))))
    load_pretrained(model, section, QUIET)
    after = np.asarray(keras.Model(model.input, model.get_layer("normalization").output)(np.ones((1, 32, 32, 3))))
    np.testing.assert_array_equal(before, after)
    stored = [np.asarray(weight) for weight in model.get_layer("normalization").weights[:2]]
    np.testing.assert_allclose(stored, [[0.485, 0.456, 0.406], np.square([0.229, 0.224, 0.225])], rtol=1e-6)
    np.testing.assert_array_equal(model.get_layer("top_conv").kernel, theirs.get_layer("top_conv").kernel)


@pytest.mark.parametrize("name", ["ours.keras", "ours.weights.h5"])
def test_a_resnet18_starts_from_our_file_except_for_its_head(name, tmp_path):
    source = built(ResNet18(**RESNET))
    if name.endswith(".keras"):
        source.save(name)
    else:
        keras.Model(source.input, source.get_layer("average").input).save_weights(name)
    section = ResNet18(weights=name, **RESNET)
    model = built(section)
    before = model.get_layer("logits").get_weights()[0]
    load_pretrained(model, section, QUIET)
    for layer in ("stem_conv", "stage_3_block_1_shortcut", "stage_4_block_2_conv_2"):
        np.testing.assert_array_equal(model.get_layer(layer).get_weights()[0], source.get_layer(layer).get_weights()[0])
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], before)


def test_weights_of_another_network_are_refused(theirs, tmp_path):
    _, folder = theirs
    assert "has 104 layers with weights, and the network has 40 below its top" in refused(
        ResNet18(weights=str(folder / "mobilenet_notop.h5"), **RESNET)
    )
    assert "has no layer 'stem_conv'" in refused(ResNet18(weights=str(folder / "whole.keras"), **RESNET))
    assert "its weights do not fit resnet18" in refused(ResNet18(weights=str(folder / "own.weights.h5"), **RESNET))
    built(ResNet18(stem="small", width=4)).save("wider.keras")
    assert "(3, 3, 3, 2)" in refused(ResNet18(weights="wider.keras", **RESNET))


def test_a_file_with_other_shapes_is_refused(theirs, tmp_path):
    _, folder = theirs
    spoilt = Path("spoilt.h5")
    spoilt.write_bytes((folder / "mobilenet_notop.h5").read_bytes())
    with h5py.File(spoilt, "r+") as file:
        group = file["Conv1"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group[name] = np.zeros((3, 3, 1, 32), np.float32)
    assert "'Conv1' has weights of shape [(3, 3, 1, 32)]" in refused(MobileNetV2(weights="spoilt.h5"))


def test_a_file_that_reaches_outside_itself_is_refused(theirs, tmp_path):
    _, folder = theirs
    spoilt = Path("spoilt.h5")
    spoilt.write_bytes((folder / "mobilenet_notop.h5").read_bytes())
    with h5py.File(spoilt, "r+") as file:
        del file["Conv1"]
        file["Conv1"] = h5py.ExternalLink(str(folder / "mobilenet_notop.h5"), "/Conv1")
    assert "is a link to another place" in refused(MobileNetV2(weights="spoilt.h5"))
    with h5py.File(spoilt, "w") as file:
        file.create_dataset("a", (10,), compression="gzip")
    assert "spoilt.h5: '/a' is compressed" in refused(MobileNetV2(weights="spoilt.h5"))


def test_other_files_are_refused(tmp_path):
    assert "no such file: 'none.keras'; looked for " in refused(ResNet18(weights="none.keras", **RESNET))
    Path("text.h5").write_text("hello")
    assert "text.h5 is not an HDF5 file of weights" in refused(ResNet18(weights="text.h5", **RESNET))
    with h5py.File("empty.h5", "w") as file:
        file["a"] = np.zeros(3)
    assert "has 0 layers with weights" in refused(ResNet18(weights="empty.h5", **RESNET))
    Path("folder.keras").mkdir()
    assert "is not a file" in refused(ResNet18(weights="folder.keras", **RESNET))


ZERO_SHOT = ZeroShot(outputs={"a": [0], "b": [1], "c": [2]})


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".h5"])
def test_a_file_with_its_top_is_read_with_or_without_it(quarter, ending):
    theirs, files = quarter
    section = MobileNet(alpha=0.25, weights=str(files[ending]))
    model = built(section)
    before = model.get_layer("logits").get_weights()[0]
    load_pretrained(model, section, QUIET)
    last, first = model.get_layer("conv_pw_13").get_weights(), model.get_layer("conv1").get_weights()
    np.testing.assert_array_equal(last[0], theirs.get_layer("conv_pw_13").get_weights()[0])
    np.testing.assert_array_equal(first[0], theirs.get_layer("conv1").get_weights()[0])
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], before)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    logits = imagenet_logits(section, inputs)
    whole = keras.Model(inputs, keras.layers.Identity(name="logits")(logits))
    load_pretrained(whole, section.model_copy(update={"head": Head(zero_shot=ZERO_SHOT)}), QUIET)
    probabilities = theirs.predict(keras.applications.mobilenet.preprocess_input(images.astype(np.float32)), verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(whole(images)), probabilities, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", ["whole.keras", "own.weights.h5", "mobilenet_notop.h5"])
def test_a_file_without_a_top_is_refused_where_the_imagenet_classes_are_read(theirs, name):
    section = MobileNetV2(weights=str(theirs[1] / name), head=Head(zero_shot=ZERO_SHOT))
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    whole = keras.Model(inputs, keras.layers.Identity(name="logits")(imagenet_logits(section, inputs)))
    with pytest.raises(UserError, match=r"mobilenet_v2 with its top has 3,538,984; .* needs a file with the top"):
        load_pretrained(whole, section, QUIET)


def test_a_runs_identity_contains_the_weights_content_and_not_their_path(cli, tiny_yaml, tmp_path):
    resnet = ResNet18(**RESNET)
    for seed, name in ((0, "a.keras"), (0, "b.keras"), (1, "c.keras")):
        keras.utils.set_random_seed(seed)
        build_model(resnet, Preprocessing(size=[16, 16]), 3, "source").save(name)
    Path("b.keras").write_bytes(Path("a.keras").read_bytes())
    Path("exp.yaml").write_text(
        "base: tiny.yaml\nmodel: {name: resnet18, stem: small, width: 2, weights: a.keras}\n"
        "training: {epochs: 1, fine_tune: head}\n"
    )
    manifests = {}
    for name in "abc":
        answer = cli("run", "exp.yaml", "--set", f"model.weights={name}.keras", "--run-dir", name)
        assert answer.code == 0, answer.err
        manifests[name] = json.loads(Path(name, "manifest.json").read_text())
        assert manifests[name]["weights"]["file"].endswith(f"{name}.keras")
    assert manifests["a"]["key"] == manifests["b"]["key"] != manifests["c"]["key"]
    kept, source = (keras.models.load_model(path) for path in ("c/checkpoint/model.keras", "c.keras"))
    for one, other in zip(
        kept.get_layer("stage_2_block_1_conv_1_norm").get_weights(),
        source.get_layer("stage_2_block_1_conv_1_norm").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_run_without_its_weights_writes_nothing(cli, tiny_yaml, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", lambda *_: 1 / 0)
    experiment = Path("pretrained.yaml")
    experiment.write_text(
        "base: tiny.yaml\nmodel: {name: mobilenet_v2}\ndata: {preprocessing: {size: [32, 32], channels: 3}}\n"
    )
    for command in ("run", "check"):
        answer = cli(command, experiment)
        assert answer.code == 2 and "model.weights: the ImageNet weights are in neither place" in answer.err
    assert not Path("runs").exists()
