"""Weights from files: those of keras.applications in every format that Keras writes, and files that do not fit."""

import json
from contextlib import nullcontext
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import EfficientNetV2B0, MobileNetV2, ResNet18, ResNet50
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.models.applications import NETWORKS
from kerasexp.training import pretrained_weights
from kerasexp.training.pretrained_weights import load_pretrained

# Keras's networks take seconds to build.
pytestmark = pytest.mark.slow

HOW = Preprocessing(size=[32, 32], channels=3)
RESNET = {"stem": "small", "width": 2}


def built(model) -> keras.Model:
    return build_model(model, HOW, 3, "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> tuple[keras.Model, Path]:
    """Keras's MobileNet v2 with random weights, and a folder with it in every format."""
    keras.utils.set_random_seed(7)
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    folder = tmp_path_factory.mktemp("weights")
    model.save(folder / "whole.keras")
    model.save_weights(folder / "own.weights.h5")
    with h5py.File(folder / "mobilenet_notop.h5", "w") as file:
        save_weights_to_hdf5_group(file, model)
    return model, folder


@pytest.mark.parametrize("name", ["whole.keras", "own.weights.h5", "mobilenet_notop.h5"])
def test_weights_of_keras_give_the_same_features_as_in_keras(theirs, name):
    reference, folder = theirs
    section = MobileNetV2(weights=str(folder / name))
    model = built(section)
    assert load_pretrained(model, section)["file"] == str(folder / name)
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    expected = reference(keras.applications.mobilenet_v2.preprocess_input(images.astype(np.float32)))
    features = keras.Model(model.input, model.get_layer("out_relu").output)(images)
    assert float(keras.ops.std(expected)) > 0.01
    np.testing.assert_allclose(np.asarray(features), np.asarray(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", [MobileNetV2, ResNet50, EfficientNetV2B0])
def test_layers_with_weights_are_in_the_order_of_keras_files(family):
    section = family(weights=None)
    theirs = NETWORKS[section.name].build(weights=None, include_top=False, input_shape=(32, 32, 3))
    names = [[layer.name for layer in model.layers if layer.weights] for model in (theirs, built(section))]
    assert names[0] == names[1][:-1] and names[1][-1] == "logits"


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
    load_pretrained(model, section)
    for layer in ("stem_conv", "stage_3_block_1_shortcut", "stage_4_block_2_conv_2"):
        np.testing.assert_array_equal(model.get_layer(layer).get_weights()[0], source.get_layer(layer).get_weights()[0])
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], before)


def refused(section) -> str:
    with pytest.raises(UserError) as caught:
        load_pretrained(built(section), section)
    assert [problem.key for problem in caught.value.problems] == ["model.weights"]
    return str(caught.value)


def test_weights_of_another_network_are_refused(theirs, tmp_path):
    _, folder = theirs
    assert "has 104 layers with weights, and the network below its pooling has 40" in refused(
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


def test_imagenet_weights_come_from_keras_cache(theirs, tmp_path, monkeypatch):
    """A cached file without a known checksum is used as it is; nothing is downloaded."""
    _, folder = theirs
    cache = tmp_path / "keras" / "models"
    cache.mkdir(parents=True)
    file = NETWORKS["mobilenet_v2"].weights(32, 32, False)
    (cache / file.name).write_bytes((folder / "mobilenet_notop.h5").read_bytes())
    section = MobileNetV2()
    model = built(section)
    assert load_pretrained(model, section)["file"] == str(cache / file.name)
    np.testing.assert_array_equal(model.get_layer("Conv1").kernel, theirs[0].get_layer("Conv1").kernel)


def test_without_a_connection_the_message_names_file_and_folder(tmp_path, monkeypatch):
    def unreachable(*arguments, **keys):
        raise OSError("no route to host")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    message = refused(EfficientNetV2B0())
    url = "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2/efficientnetv2-b0_notop.h5"
    assert "no route to host" in message and url in message and "weights: null" in message
    assert f"into {tmp_path / 'keras' / 'models'}" in message and "file efficientnetv2-b0_notop.h5" in message


def test_the_wait_for_a_silent_server_is_short(monkeypatch):
    import socket

    waited = []
    monkeypatch.setattr(
        "keras.src.utils.file_utils.urlretrieve", lambda *_: waited.append(socket.getdefaulttimeout()) or 1 / 0
    )
    refused(MobileNetV2())
    assert waited == [pretrained_weights.TIMEOUT_SECONDS] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    ("name", "module", "build", "sizes"),
    [
        ("resnet50", "resnet", keras.applications.ResNet50, [(224, 224)]),
        ("mobilenet_v2", "mobilenet_v2", keras.applications.MobileNetV2, [(96, 96), (224, 224), (64, 64)]),
        ("efficientnet_v2_b0", "efficientnet_v2", keras.applications.EfficientNetV2B0, [(224, 224)]),
    ],
)
@pytest.mark.parametrize("with_top", [False, True])
def test_the_files_are_those_that_keras_would_download(name, module, build, sizes, with_top, monkeypatch):
    class Asked(Exception):
        pass

    def ask(file_name, origin, cache_subdir, file_hash=None):
        raise Asked(file_name, origin, cache_subdir, file_hash)

    monkeypatch.setattr(f"keras.src.applications.{module}.file_utils.get_file", ask)
    for height, width in sizes:
        if with_top and height == 64:
            continue  # Keras has none for such images, and would not build it
        with pytest.raises(Asked) as asked, pytest.warns() if height == 64 else nullcontext():
            build(weights="imagenet", include_top=with_top, input_shape=(height, width, 3))
        ours = NETWORKS[name].weights(height, width, with_top)
        assert asked.value.args == (ours.name, ours.url, "models", ours.md5)


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
        assert answer.code == 2 and "model.weights: the ImageNet weights could not be downloaded" in answer.err
    assert not Path("runs").exists()
