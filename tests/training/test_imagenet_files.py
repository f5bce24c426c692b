"""The files of ImageNet weights: their names, where they are found, and what is said where they are not."""

import os

import keras
import numpy as np
import pytest
from keras_networks import QUIET, EfficientNetV2B0, MobileNet, MobileNetV2, ResNet50, built, refused

from kerasexp.config.application_facts import APPLICATIONS, PLAIN
from kerasexp.config.application_files import weight_file, weight_sides
from kerasexp.config.model_section import MobileNetV3, PlainApplication
from kerasexp.console import Console
from kerasexp.errors import UserError
from kerasexp.training import imagenet_files
from kerasexp.training.imagenet_files import imagenet_file
from kerasexp.training.pretrained_weights import load_pretrained

# Keras's networks take seconds to build.
pytestmark = pytest.mark.slow

FULL = bool(os.environ.get("KERASEXP_FULL"))


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
