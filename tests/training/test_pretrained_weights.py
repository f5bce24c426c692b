"""Weights from files: those of keras.applications in every format that Keras writes, and files that do not fit."""

import json
import os
from functools import partial
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from pydantic import TypeAdapter

from kerasexp.config.application_facts import APPLICATIONS, PLAIN
from kerasexp.config.data_section import Preprocessing
from kerasexp.config.head_section import Head, ZeroShot
from kerasexp.config.model_section import MobileNet as AnyMobileNet
from kerasexp.config.model_section import MobileNetV3, Model, PlainApplication, ResNet18
from kerasexp.console import Console
from kerasexp.errors import UserError
from kerasexp.models import build_model
from kerasexp.models.application_files import weight_file, weight_sides
from kerasexp.models.applications import NETWORKS, imagenet_logits
from kerasexp.training import imagenet_files
from kerasexp.training.imagenet_files import imagenet_file
from kerasexp.training.pretrained_weights import load_pretrained

# Keras's networks take seconds to build.
pytestmark = pytest.mark.slow

ResNet50 = partial(PlainApplication, name="resnet50")
EfficientNetB0 = partial(PlainApplication, name="efficientnet_b0")
EfficientNetV2B0 = partial(PlainApplication, name="efficientnet_v2_b0")
MobileNet, MobileNetV2 = partial(AnyMobileNet, name="mobilenet"), partial(AnyMobileNet, name="mobilenet_v2")
QUIET = Console(quiet=True)
HOW = Preprocessing(size=[32, 32], channels=3)
FULL = bool(os.environ.get("KERASEXP_FULL"))
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


def refused(section) -> str:
    with pytest.raises(UserError) as caught:
        load_pretrained(built(section), section, QUIET)
    assert [problem.key for problem in caught.value.problems] == ["model.weights"]
    return str(caught.value)


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


def test_imagenet_weights_come_from_keras_cache(theirs, tmp_path, monkeypatch):
    """A cached file without a known checksum is used as it is; nothing is downloaded."""
    _, folder = theirs
    cache = tmp_path / "keras" / "models"
    cache.mkdir(parents=True)
    file = weight_file(MobileNetV2(), 224, False)
    (cache / file.name).write_bytes((folder / "mobilenet_notop.h5").read_bytes())
    section = MobileNetV2()
    model = built(section)
    assert load_pretrained(model, section, QUIET)["file"] == str(cache / file.name)
    np.testing.assert_array_equal(model.get_layer("Conv1").kernel, theirs[0].get_layer("Conv1").kernel)


def test_without_a_connection_the_message_names_file_and_folder(tmp_path, monkeypatch):
    def unreachable(*arguments, **keys):
        raise OSError("no route to host")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    message = refused(EfficientNetV2B0())
    url = "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2/efficientnetv2-b0_notop.h5"
    assert "no route to host" in message and url in message and "weights: null" in message
    cache = tmp_path / "keras" / "models"
    assert f"Put the file into {cache} or the folder models of $KERASEXP_DATA" in message
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    assert f"into {cache} or {tmp_path / 'data' / 'models'};" in refused(EfficientNetV2B0())


def test_the_wait_for_a_silent_server_is_short(monkeypatch):
    import socket

    waited = []
    monkeypatch.setattr(
        "keras.src.utils.file_utils.urlretrieve", lambda *_: waited.append(socket.getdefaulttimeout()) or 1 / 0
    )
    refused(MobileNetV2())
    assert set(waited) == {imagenet_files.TIMEOUT_SECONDS} and socket.getdefaulttimeout() is None


# A network is built before its file is asked for, which takes seconds for most.
SECTIONS = [
    MobileNet(), MobileNet(alpha=0.25), MobileNetV2(), MobileNetV2(alpha=0.35),
    *(MobileNetV3(name=f"mobilenet_v3_{size}", alpha=alpha) for size in ("small", "large") for alpha in (0.75, 1.0)),
    *(MobileNetV3(name=f"mobilenet_v3_{size}", minimalistic=True) for size in ("small", "large")),
    *(PlainApplication(name=name) for name in (PLAIN if FULL else ("resnet50", "vgg16", "efficientnet_b0", "nasnet_mobile"))),
]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.name}-{getattr(section, 'alpha', '')}")
@pytest.mark.parametrize("with_top", [False, True])
def test_the_files_are_those_that_keras_would_download(section, with_top, monkeypatch):
    class Asked(Exception):
        pass

    def ask(file_name, origin, cache_subdir, file_hash=None):
        raise Asked(file_name, origin, cache_subdir, file_hash)

    function = getattr(keras.applications, APPLICATIONS[section.name].function)
    module = (
        function.__module__.replace("resnet_v2", "resnet")
        if "inception" not in function.__module__
        else function.__module__
    )
    monkeypatch.setattr(f"{module}.file_utils.get_file", ask)
    keys = {key: getattr(section, key) for key in ("alpha", "minimalistic") if hasattr(section, key)}
    for side in {"mobilenet": (128, 224), "mobilenet_v2": (96, 224)}.get(
        section.name, (APPLICATIONS[section.name].side,)
    ):
        with pytest.raises(Asked) as asked:
            function(weights="imagenet", include_top=with_top, input_shape=(side, side, 3), **keys)
        ours = weight_file(section, weight_sides(section, side, side)[0], with_top)
        assert asked.value.args == (ours.name, ours.url, "models", ours.checksum)


def test_sizes_without_weights_of_their_own_take_the_largest():
    assert weight_sides(MobileNet(), 128, 128) == [128, 224] and weight_sides(MobileNet(), 128, 160) == [224]
    assert weight_sides(MobileNetV2(), 64, 64) == [224] and weight_sides(ResNet50(), 64, 64) == [0]


@pytest.fixture(scope="module")
def quarter(tmp_path_factory) -> tuple[keras.Model, dict[str, Path]]:
    """A MobileNet of a quarter of the width with its top, and files of it by their endings."""
    keras.utils.set_random_seed(3)
    model = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(32, 32, 3))
    folder = tmp_path_factory.mktemp("quarter")
    files = {ending: folder / f"with_top{ending}" for ending in (".keras", ".weights.h5", ".h5")}
    model.save(files[".keras"])
    model.save_weights(files[".weights.h5"])
    with h5py.File(files[".h5"], "w") as file:
        save_weights_to_hdf5_group(file, model)
    return model, files


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


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize("place", ["keras/models", "data/models"])
def test_imagenet_weights_are_found_in_both_places_for_every_size(quarter, top, place, tmp_path, monkeypatch, capsys):
    """Below the top, the file with the top serves too; the weights of 224 serve where those of 128 are not to be had."""
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", lambda *_: 1 / 0)
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    theirs, files = quarter
    folder = tmp_path / place
    folder.mkdir(parents=True)
    file = folder / "mobilenet_2_5_224_tf.h5"
    file.write_bytes(files[".h5"].read_bytes())
    section = MobileNet(alpha=0.25)
    assert imagenet_file(section, 224, 224, top) == (file, None)
    found, note = imagenet_file(section, 128, 128, top)
    assert found == file and note.endswith("those for 224x224 images; there are none for 128x128 here")
    model = built(section)
    origin = load_pretrained(model, section, Console())
    assert origin["note"] in capsys.readouterr().out and "none for 32x32 here" in origin["note"]
    np.testing.assert_array_equal(model.get_layer("conv1").get_weights()[0], theirs.get_layer("conv1").get_weights()[0])


def test_an_incomplete_download_in_keras_cache_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", lambda *_: 1 / 0)
    file = weight_file(ResNet50(), 0, False)
    for place in ("keras", "data"):
        (tmp_path / place / "models").mkdir(parents=True)
        (tmp_path / place / "models" / file.name).write_bytes(b"half of it")
    with pytest.raises(UserError, match=file.name):
        imagenet_file(ResNet50(), 224, 224, False)
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    assert imagenet_file(ResNet50(), 224, 224, False)[0] == tmp_path / "data" / "models" / file.name


@pytest.mark.real
@pytest.mark.parametrize(
    ("section", "top"),
    [(MobileNet(), True), (MobileNet(), False), (MobileNetV2(), False), (MobileNetV2(alpha=0.35), False)],
)
def test_published_weights_fit(section, top):
    """The real files, by the names of Keras's cache."""
    path, _ = imagenet_file(section, 96, 96, top)
    assert path.parent.name == "models"
    model = built(section)
    load_pretrained(model, section.model_copy(update={"weights": str(path)}), QUIET)
    features = keras.Model(model.input, model.get_layer("average").output)(np.full((1, 32, 32, 3), 128, np.uint8))
    assert 0.01 < float(keras.ops.std(features)) < 10


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
