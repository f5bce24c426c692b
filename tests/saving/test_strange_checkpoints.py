"""Model files that are no attacks, but that Keras would not write: strange values, strange structure."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bounds import at_once_and_in_little_memory
from keras import layers
from model_files import CLASSES, KERNEL, ModelFile

from kerasexp.errors import UserError
from kerasexp.saving import weights_file as weights
from kerasexp.saving.checkpoint import load_checkpoint


def part(class_name: str, module: str = "keras", registered_name: str | None = None, **config) -> dict:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


@pytest.mark.parametrize(
    ("layer", "values", "message"),
    [
        ("conv", {"filters": 2**40}, "conv: filters: 1099511627776 is not a number"),
        ("conv", {"strides": float("inf")}, "conv: strides: inf is not a number"),
        ("conv", {"strides": [1] * 5000}, "conv: strides: [1, 1"),
        ("conv", {"strides": [[[[[1]]]]]}, "conv: strides: [1] is not a number"),
        ("conv", {"strides": {"value": 1}}, "conv: strides: {'value': 1} is not a number"),
        ("conv", {"padding": "/etc/passwd"}, "conv: padding: '/etc/passwd' is not accepted"),
        ("conv", {"data_format": "channels_first"}, "conv: data_format: 'channels_first' is not accepted"),
        ("conv", {"call": "relu"}, "conv: Conv2D takes no 'call'"),
        ("conv", {"dtype": "int8_from_float32"}, "conv: dtype: 'int8_from_float32' is not accepted"),
        ("conv", {"dtype": part("DTypePolicy", "mine", name="float32")}, "conv: dtype: 'DTypePolicy' is from 'mine'"),
        ("conv", {"dtype": part("QuantizedDTypePolicy", name="float32")}, "conv: dtype: 'QuantizedDTypePolicy' is not"),
        ("conv", {"kernel_regularizer": "l2"}, "conv: kernel_regularizer: got 'l2', and expected an object"),
        ("conv", {"name": "other"}, "conv: its config says 'other'"),
        ("images", {"batch_shape": [1, 8, 8, 1]}, "images: batch_shape is [1, 8, 8, 1]"),
        ("images", {"batch_shape": [None, None, 8, 1]}, "images: batch_shape is [None, None, 8, 1]"),
        ("images", {"batch_shape": None}, "images: batch_shape is None"),
        ("images", {"dtype": "string"}, "images: dtype: 'string' is not accepted"),
        ("relu", {"activation": ["relu"]}, "relu: activation: ['relu'] is not accepted"),
        ("logits", {"units": -1}, "Keras cannot build 'logits'"),
        ("rescaling", {"offset": [1, 2, 3, 4, 5]}, "Keras cannot call 'honest'"),
    ],
)
def test_a_layer_of_strange_values_is_refused(tmp_path, layer, values, message):
    file = ModelFile()
    file.change(layer, **values)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(message)):
        load_checkpoint(file.save(tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depth_multiplier": 2**40}, "conv: depth_multiplier: 1099511627776 is not a number"),
        ({"depth_multiplier": 10**6}, "'conv' declares 10,000,000 weights"),
        ({"data_format": "channels_first"}, "conv: data_format: 'channels_first' is not accepted"),
        ({"padding": "causal"}, "conv: padding: 'causal' is not accepted"),
        ({"activation": "mine"}, "conv: activation: 'mine' is not accepted"),
        ({"depthwise_initializer": "ones"}, "conv: depthwise_initializer: got 'ones', and expected an object"),
        (
            {"depthwise_initializer": part("OrthogonalInitializer", "keras.initializers")},
            "conv: depthwise_initializer: 'OrthogonalInitializer' is not accepted",
        ),
        (
            {"depthwise_initializer": part("VarianceScaling", "keras.initializers", mode="mine")},
            "conv: depthwise_initializer: mode: 'mine' is not accepted",
        ),
        ({"depthwise_constraint": part("Lambda", "mine")}, "conv: depthwise_constraint: 'Lambda' is from 'mine'"),
        ({"filters": 4}, "conv: DepthwiseConv2D takes no 'filters'"),
    ],
)
def test_a_depthwise_convolution_of_strange_values_is_refused(tmp_path, values, message):
    file = ModelFile()
    file.replace("conv", "DepthwiseConv2D", **{"kernel_size": [3, 3], **values})
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(message)):
        load_checkpoint(file.save(tmp_path / "checkpoint"))


def test_a_residual_sum_of_maps_that_do_not_fit_is_refused(tmp_path):
    file = ModelFile()
    file.replace("relu", "Add")
    (tensor,) = file.call("relu")["args"]
    shallow = {**tensor, "config": {**tensor["config"], "keras_history": ["rescaling", 0, 0]}}
    file.call("relu")["args"] = [[tensor, shallow]]
    with at_once_and_in_little_memory(), pytest.raises(UserError, match="Keras cannot build 'relu'"):
        load_checkpoint(file.save(tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.config.update(module="mine"), "config.json: 'Functional' is from 'mine'"),
        (lambda file: file.config.update(config=[]), "config.json: got [], and expected an object"),
        (lambda file: file.config["config"].update(layers={}), "config.json: layers is not a list"),
        (
            lambda file: file.config["config"].update(input_layers=["conv", 0, 0]),
            "has 1 input layers; it must have exactly one",
        ),
        (
            lambda file: file.config["config"].update(output_layers=["logits", 0, 1]),
            "is not the single output of a layer",
        ),
        (lambda file: file.layer("relu").update(name="norm"), "norm: two layers have this name"),
        (lambda file: file.layer("relu").update(name="\x1b[2J"), r"'\x1b[2J' is not a valid name of a layer"),
        (lambda file: file.layer("relu").update(inbound_nodes=[]), "relu: each layer must be called once"),
        (lambda file: file.call("relu").update(args=[]), "relu: a layer must be called on one tensor"),
        (lambda file: file.call("relu").update(kwargs={"mask": part("Lambda")}), "relu: is called with 'mask'"),
        (lambda file: file.call("relu").update(kwargs={"training": 1}), "relu: training is 1"),
        (lambda file: file.call("relu").update(args=[part("__numpy__", value=1)]), "relu: is called on '__numpy__'"),
        (lambda file: setattr(file, "metadata", b"[]"), "metadata.json is not a JSON object"),
        (lambda file: setattr(file, "config", b"{}"), "config.json: None is not a functional or sequential model"),
        (lambda file: file.change_weights(lambda h5: h5.__setitem__("kind", np.dtype("f4"))), "is neither a group nor"),
        (
            lambda file: file.change_weights(lambda h5: h5[KERNEL].attrs.update(note=1)),
            "has attributes that Keras does not",
        ),
    ],
)
def test_a_file_of_strange_structure_is_refused(tmp_path, change, message):
    file = ModelFile()
    change(file)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(message)):
        load_checkpoint(file.save(tmp_path / "checkpoint"))


def test_weights_with_too_many_arrays_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "MAX_OBJECTS", 20)
    with pytest.raises(UserError, match="holds more than 20 groups and arrays"):
        load_checkpoint(ModelFile().save(tmp_path / "checkpoint"))


def test_build_config_and_compile_config_are_not_read(tmp_path):
    """Keras would create a kernel of 12 GB from `build_config`, and any loss that `compile_config` names."""
    file = ModelFile()
    file.layer("logits")["build_config"] = {"input_shape": [None, 10**9]}
    file.config["compile_config"] = {"loss": layers.Lambda(lambda x: open("executed", "w").close()).get_config()}
    folder = file.save(tmp_path / "checkpoint")
    with at_once_and_in_little_memory():
        load_checkpoint(folder)
    assert not Path("executed").exists()


# Sidecars


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("classes.json", b" " * 2_000_000, "is larger than 1,048,576 bytes"),
        ("classes.json", b"[" * 1_000_000, "is nested too deep"),
        ("classes.json", {**CLASSES, "class_names": "abc"}, "class_names: is not a list of class names"),
        ("classes.json", {**CLASSES, "class_names": ["a", "b", 3]}, "class_names: is not a list of class names"),
        ("classes.json", {**CLASSES, "class_names": ["a", "b", "b"]}, "class_names: names the class 'b' 2 times"),
        ("classes.json", {**CLASSES, "class_names": ["a", "b", "c", "d"]}, "to (None, 3); its sidecars say"),
        (
            "classes.json",
            {**CLASSES, "class_names": ["a", "b", "\x1b[2J"]},
            "the name '\\x1b[2J' has control characters",
        ),
        ("classes.json", {**CLASSES, "folders": ["a"]}, "folders: is not a map of folders to class names"),
        ("classes.json", {**CLASSES, "folders": {"a": ["a"]}}, "folders: is not a map of folders to class names"),
        ("preprocessing.json", {"size": [10**9, 10**9]}, "preprocessing.json: size.0"),
        ("preprocessing.json", {"size": [9, 8]}, "maps (None, 8, 8, 1)"),
        ("preprocessing.json", b"[" * 1_000_000, "is nested too deep"),
        ("calibration.json", b'{"temperature": NaN}', "temperature is nan"),
        ("calibration.json", {"temperature": 10**400}, "temperature is 1000"),
        ("calibration.json", {"temperature": True}, "temperature is True"),
        ("calibration.json", {"temperature": [1] * 1000}, "temperature is [1, 1"),
        ("augmentation.json", {"flip": "up"}, "flip: is 'up'; allowed: true, false, horizontal, vertical, both"),
        ("augmentation.json", {"flip": [1] * 1000}, "flip: is [1, 1"),
    ],
)
def test_a_sidecar_is_refused(tmp_path, name, content, message):
    folder = ModelFile().save(tmp_path / "checkpoint")
    (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(message)) as refusal:
        load_checkpoint(folder)
    assert str(folder) in str(refusal.value) and len(str(refusal.value)) < 500
