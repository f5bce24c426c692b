"""The import of users' code, and its errors, which are shown as theirs."""

import sys

import keras
import pytest
from user_code import FILES, write_code

from kerasexp.config import load_experiment
from kerasexp.config.data_section import Preprocessing
from kerasexp.custom import trust
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.models import build_model


@pytest.fixture
def code(tmp_path):
    """A function that returns a trusted section `model` of code in a folder."""

    def section(folder: str = "mine", **changes: str):
        path = write_code(tmp_path / folder, **changes)
        path.write_text("data: digits\nmodel: my_net.py:build\n")
        model = load_experiment(path).model
        trust.remember([model])
        return model

    return section


def test_two_folders_may_have_modules_of_the_same_names(code):
    text = "import helper\n\n\ndef build(images):\n    import helper as again\n    return helper.NAME, again.NAME\n"
    first = import_code(code("a", my_net__py=text, helper__py="NAME = 'a'\n"))
    second = import_code(code("b", my_net__py=text, helper__py="NAME = 'b'\n"))
    assert first(None) == ("a", "a") and second(None) == ("b", "b") and first(None) == ("a", "a")
    assert not {"helper", "my_net"} & sys.modules.keys()


def test_a_module_beside_it_does_not_replace_one_that_is_imported(code):
    text = "import colorsys\n\n\ndef build(images):\n    return colorsys.NAME\n"
    import colorsys

    assert import_code(code(my_net__py=text, colorsys__py="NAME = 'mine'\n"))(None) == "mine"
    assert sys.modules["colorsys"] is colorsys


def test_packages_beside_it_and_classes_work(code, tmp_path):
    (tmp_path / "mine" / "parts").mkdir(parents=True)
    (tmp_path / "mine" / "parts" / "__init__.py").write_text("from .inner import X\n")
    (tmp_path / "mine" / "parts" / "inner.py").write_text("from dataclasses import dataclass\n\nX = 3\n")
    text = """
from __future__ import annotations

from dataclasses import dataclass

from parts import X


@dataclass
class build:
    images: int = X
"""
    text = text.replace("class build", "class Settings") + "\n\ndef build(images):\n    return Settings().images\n"
    assert import_code(code(my_net__py=text))(None) == 3


def test_a_folder_without_an_init_file_is_a_package_of_what_is_imported(code, tmp_path):
    (tmp_path / "mine" / "parts" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "parts" / "blocks.py").write_text("X = 3\n")
    (tmp_path / "mine" / "parts" / "deep" / "inner.py").write_text("from ..blocks import X\n\nY = X + 1\n")
    (tmp_path / "mine" / "parts" / "hidden.py").write_text("")
    text = """
import importlib

from parts import blocks
from parts.deep.inner import Y


def build(images):
    try:
        importlib.import_module("parts.hidden")  # no digest covers it
    except ModuleNotFoundError:
        return blocks.X, Y
"""
    assert import_code(code(my_net__py=text))(None) == (3, 4)
    assert not {"parts", "parts.blocks", "parts.deep"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("def build(images):\n    return 1 / 0\n", "line 2, in build", "ZeroDivisionError"),
        ("1 / 0\ndef build(images):\n    pass\n", "line 1: ", "ZeroDivisionError"),
        ("import nothing_like_it\ndef build(images):\n    pass\n", "line 1: ", "ModuleNotFoundError"),
        ("def build(images):\n    images.nothing\n", "line 2, in build", "AttributeError"),
        ("def build(images):\n    raise SystemError\n", "line 2, in build", "SystemError"),
        ("import keras\ndef build(images):\n    return keras.layers.Dense(-1)(images)\n", "line 3", "ValueError"),
        ("import sys\nsys.exit()\ndef build(images):\n    pass\n", "line 2: ", "SystemExit"),
        ("import sys\ndef build(images):\n    sys.exit('no')\n", "line 3, in build", "SystemExit: no"),
    ],
)
def test_an_error_is_shown_with_its_file_and_line(code, cli, tmp_path, text, line, message):
    code(my_net__py=text)
    answer = cli("run", tmp_path / "mine" / "own.yaml")
    assert answer.code == 1 and "Traceback" not in answer.err
    assert f"my_net.py, {line}" in answer.err and message in answer.err and len(answer.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_the_error_names_the_line_of_a_module_beside_it(code):
    broken = FILES["blocks.py"].replace("keras.layers.Conv2D(", "keras.layers.NoSuchLayer(")
    with pytest.raises(CodeError, match=r"blocks.py, line 5, in down: AttributeError"):
        import_code(code(blocks__py=broken))(keras.Input((8, 8, 1)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return None", "returned nothing; it must return features"),
        ("return 3", "returned a int; it must return features"),
        ("return images", "[n, f] is needed: end it in Flatten"),
        ("return keras.layers.Dense(3, name='logits')(keras.layers.Flatten()(images))", "names a layer 'logits'"),
        ("return keras.layers.Flatten()(keras.Input((4, 4, 1)))", "built no network"),
    ],
)
def test_a_network_that_is_none_is_refused(code, cli, tmp_path, text, message):
    code(my_net__py=f"import keras\n\n\ndef build(images):\n    {text}\n")
    answer = cli("check", tmp_path / "mine" / "own.yaml")
    assert answer.code == 2 and message in answer.err, answer.err


def test_layers_without_a_name_are_numbered_within_their_network(code):
    keras.layers.Conv2D(1, 1)  # Keras has counted further
    text = """
from keras import layers


def build(images):
    x = layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(images))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(x))
    return layers.Dense(3, name="conv2d")(layers.Dense(3, name="dense_4")(x))
"""
    model, how = code(my_net__py=text), Preprocessing(size=[8, 8])
    names = [[layer.name for layer in build_model(model, how, 2, "mine").layers] for _ in range(2)]
    ours = ["rescaling", "conv2d_1", "conv2d_2", "global_average_pooling2d", "dense_4", "conv2d"]
    assert names[0] == names[1] == ["images", *ours, "logits", "probabilities"]


def test_a_layer_of_several_outputs_is_counted(code, cli, tmp_path):
    text = """
from keras import layers


def build(images):
    x = layers.Reshape((-1, 4))(layers.Conv2D(4, 3, strides=4)(layers.Rescaling(1 / 255)(images)))
    x, _ = layers.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True)
    return layers.Flatten()(x)
"""
    code(my_net__py=text)
    answer = cli("check", tmp_path / "mine" / "own.yaml")
    assert answer.code == 0 and "unknown FLOPs for one image" in answer.out, answer.err


@pytest.mark.parametrize(
    ("loss", "code_", "message"),
    [
        ("return logits", 2, "returned shape [2, 10] for 2 images"),
        ("return 3", 2, "returned shape []"),
        ("raise KeyError('x')", 1, "my_loss.py, line 2, in poly: KeyError"),
    ],
)
def test_a_loss_that_is_none_is_refused_before_the_training(cli, tmp_path, loss, code_, message):
    path = write_code(tmp_path / "mine", my_loss__py=f"def poly(labels, logits, *, epsilon=1.0):\n    {loss}\n")
    answer = cli("run", path, "--set", "data.source=digits", "--set", "data.preprocessing.size=[12,12]")
    assert answer.code == code_ and message in answer.err, answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("line", "error"), [("self.nothing.append(epoch)", "AttributeError"), ("raise SystemExit", "SystemExit")]
)
def test_an_error_of_a_callback_is_shown_as_its_own(cli, tmp_path, line, error):
    text = FILES["my_callback.py"].replace("self.epochs.append(epoch)", line)
    answer = cli("run", write_code(tmp_path / "mine", my_callback__py=text), "--run-dir", "run")
    assert answer.code == 1 and f"my_callback.py, line 12, in on_epoch_end: {error}" in answer.err, answer.err


def test_a_metric_that_fails_costs_itself_alone(cli, tmp_path):
    text = "def kappa(predictions, *, scale=1.0):\n    return 1 / 0\n\n\ndef endless(predictions):\n    return float('inf')\n"
    path = write_code(tmp_path / "mine", my_metric__py=text)
    there = f"metrics=[{tmp_path}/mine/my_metric.py:kappa, {tmp_path}/mine/my_metric.py:endless]"
    answer = cli("run", path, "--set", there, "--set", "training.epochs=1", "--run-dir", "run")
    assert answer.code == 0, answer.err
    assert "the metric kappa failed" in answer.out and "my_metric.py, line 2, in kappa: ZeroDivisionError" in answer.out
    assert "endless is left out: it returned inf" in answer.out
    twice = cli("check", path, "--set", there.replace("endless", "kappa"))
    assert twice.code == 2 and "there is a metric 'kappa' already" in twice.err
