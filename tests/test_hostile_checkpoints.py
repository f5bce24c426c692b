"""Checkpoints made to do harm: each is refused with a reason, at once, in little memory, and nothing in it is run.

Beside each stands what Keras 3.15 does with it on its own, in safe mode, where that is more than an error.
"""

import functools
import json
import pickle
import re
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from bounds import at_once_and_in_little_memory
from keras import layers
from model_files import CONFIG, KERNEL, ModelFile, called_twice, patched, relink, resize, write_zip

from kerasexp.checkpoint import load_checkpoint
from kerasexp.errors import UserError


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


HUGE = 10**9
ATTACKS = {}


def attack(told: str):
    """Enter a function that makes a model file hostile, with what is to be told about it."""

    def enter(change):
        ATTACKS[change.__name__] = change, told
        return change

    return enter


# Code, and other files


@attack("relu: a layer of class 'Lambda' is not taken")
def a_lambda_layer(file):
    code = layers.Lambda(lambda x: (open("executed", "w").close(), x)[1]).get_config()["function"]
    file.replace("relu", "Lambda", function=code)


@attack("relu: activation: {'class_name': '__lambda__'")
def a_lambda_as_activation(file):
    file.change("relu", activation=layers.Lambda(lambda x: open("executed", "w").close()).get_config()["function"])


@attack("relu: activation: {'module': 'keras.config'")
def a_function_that_is_no_activation(file):
    """Keras calls it: from then on all of the process computes with another epsilon."""
    function = {"module": "keras.config", "class_name": "function", "config": "set_epsilon", "registered_name": None}
    file.change("relu", activation=function)


@attack("logits: kernel_initializer: 'Lambda' is from 'keras.layers'")
def a_lambda_as_initializer(file):
    code = layers.Lambda(lambda shape, dtype: open("executed", "w").close()).get_config()
    file.change(
        "logits",
        kernel_initializer={
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": code,
            "registered_name": None,
        },
    )


@attack("relu: 'Popen' is from 'subprocess'")
def a_class_that_is_not_of_keras(file):
    file.replace("relu", "Popen", module="subprocess", args=["touch", "executed"])


@attack("logits: 'Dense' is from 'keras.layers', registered as 'mine>Dense'")
def a_class_of_a_registered_name(file):
    """Where a program has registered such a class, Keras takes that one."""
    file.layer("logits")["registered_name"] = "mine>Dense"


@attack("relu: a layer of class 'TFSMLayer' is not taken")
def a_tensorflow_program(file):
    file.replace("relu", "TFSMLayer", filepath="program", call_endpoint="serve")


@attack("relu: a layer of class 'TorchModuleWrapper' is not taken")
def a_pickled_torch_module(file):
    file.replace("relu", "TorchModuleWrapper")
    file.change("relu", module=pickle.dumps(Payload()).hex())


@attack("relu: a layer of class 'StringLookup' is not taken")
def a_table_read_from_a_file(file):
    file.replace("relu", "StringLookup", vocabulary="/etc/passwd", num_oov_indices=1)


@attack("relu: a layer of class 'TimeDistributed' is not taken")
def a_layer_around_a_lambda(file):
    code = layers.Lambda(lambda x: open("executed", "w").close()).get_config()
    file.replace("relu", "TimeDistributed", layer={"module": "keras.layers", "class_name": "Lambda", "config": code})


@attack("config.json: 'Sequential' is not a functional model")
def another_kind_of_model(file):
    file.config["class_name"] = "Sequential"


@attack("model.weights.h5 is no HDF5 file of weights")
def a_pickle_as_weights(file):
    file.weights = pickle.dumps(Payload()) + bytes(10_000)


@attack("holds 'assets/evil.txt', 'assets/more.txt' as well, and a Keras model of layers has no such member")
def members_beside_the_model(file):
    """Keras unpacks all of an archive that has them, into a temporary folder."""
    file.others = [("assets/evil.txt", b"x"), ("assets/more.txt", bytes(1000))]


# Memory and time


@attack("'logits' declares 1,440,000,000 weights")
def a_huge_dense_layer(file):
    """Keras draws them all, in 6 GB twice over."""
    file.change("logits", units=10_000_000, use_bias=False)


@attack("'conv' declares 1,600,000,004 weights")
def a_huge_kernel(file):
    file.change("conv", kernel_size=[20_000, 20_000], padding="same")


@attack("'relu' declares 64,128,064 weights")
def a_slope_for_each_of_many_places(file):
    file.replace("conv", "ZeroPadding2D", padding=[4000, 4000])
    file.replace("norm", "MaxPooling2D", pool_size=[1, 1])
    file.replace("relu", "PReLU")


@attack("the output of 'relu' for one picture is (60000, 60000, 4)")
def a_huge_enlargement(file):
    """Keras loads it; its first prediction takes 57 GB."""
    file.replace("relu", "UpSampling2D", size=[10_000, 10_000])
    file.replace("flatten", "GlobalMaxPooling2D")
    file.change_weights(lambda weights: resize(weights, (4, 3), data=np.ones((4, 3))))


@attack("the output of 'pictures' for one picture is")
def a_huge_input(file):
    file.change("pictures", batch_shape=[None, 10**6, 10**6, 1])


@attack("'logits' declares 768,000,003 weights")
def a_mean_for_each_of_many_places(file):
    """Keras lays out 256 million means and variances while it builds the layer."""
    file.replace("conv", "UpSampling2D", size=[2000, 2000])
    file.replace("norm", "Normalization", axis=[1, 2, 3], mean=0.5, variance=1.0)


NEAREST = {"module": "kerasexp.models.nearest", "registered_name": "kerasexp>NearestNeighbours"}
MAPPING = {"module": "kerasexp.models.label_mapping", "registered_name": "kerasexp>LabelMapping"}


@attack("'probabilities' declares 4,000,000,000 weights")
def a_billion_neighbours(file):
    file.replace("probabilities", "NearestNeighbours", **NEAREST, examples=HUGE, neighbours=1, classes=3)


@attack("Keras cannot build 'probabilities'")
def votes_of_many_for_many(file):
    """Each picture would take 64 million numbers."""
    file.replace("probabilities", "NearestNeighbours", **NEAREST, examples=9, neighbours=2**13, classes=2**13)


@attack("Keras cannot build 'probabilities'")
def outputs_that_are_not_there(file):
    file.replace("probabilities", "LabelMapping", **MAPPING, groups=[[0], [HUGE], [2]], combine="max")


@attack("probabilities: groups: 'x' is not taken")
def a_group_of_words(file):
    file.replace("probabilities", "LabelMapping", **MAPPING, groups=[["x"]], combine="max")


@attack("probabilities: 'LabelMapping' is from 'keras.layers'")
def a_layer_of_ours_said_to_be_keras(file):
    file.replace("probabilities", "LabelMapping", groups=[[0], [1], [2]], combine="max")


@attack("logits: kernel_initializer: 'Orthogonal' is not taken")
def an_initializer_that_takes_hours(file):
    """Keras factorises a matrix of the kernel's size before it reads the kernel."""
    orthogonal = {"module": "keras.initializers", "class_name": "Orthogonal", "config": {}, "registered_name": None}
    file.change("logits", kernel_initializer=orthogonal)


@attack("logits: Dense takes no 'lora_rank'")
def weights_beside_the_weights(file):
    file.change("logits", lora_rank=HUGE)


@attack("'logits' declares 435 weights, and model.weights.h5 holds 415 for it and what follows")
def a_layer_too_many_for_the_weights(file):
    file.replace("relu", "Conv2D", filters=4, kernel_size=1)


@attack("config.json has 5,009 layers; no more than 2,000 are taken")
def thousands_of_layers(file):
    entries, relu = file.config["config"]["layers"], json.dumps(file.layer("relu"))
    chain = ["relu", *(f"relu{number}" for number in range(5000))]
    for before, name in zip(chain, chain[1:], strict=False):
        entry = json.loads(relu.replace('"norm"', f'"{before}"').replace('"name": "relu"', f'"name": "{name}"'))
        entries.insert(-4, entry)
    file.layer("flatten")["inbound_nodes"] = json.loads(
        json.dumps(file.layer("flatten")["inbound_nodes"]).replace('"relu"', f'"{chain[-1]}"')
    )


@attack("relu: level18: level17: level16: level15: models are nested deeper than 4")
def calls_that_double_at_each_level(file):
    """Keras loads it; its first prediction would take a million steps."""
    relu, entries = file.layer("relu"), file.config["config"]["layers"]
    inner = {**relu, "name": "leaf", "config": {**relu["config"], "name": "leaf"}}
    for level in range(20):
        inner = called_twice(inner, "relu" if level == 19 else f"level{level}")
    entries[entries.index(relu)] = {**inner, "inbound_nodes": relu["inbound_nodes"]}


@attack("relu: is called on 10,000 tensors; no more than 256 are taken")
def a_sum_of_thousands(file):
    file.replace("relu", "Add")
    file.call("relu").update(args=[file.call("relu")["args"] * 10_000])


@attack("refers to 'probabilities', which is no layer before it")
def a_graph_that_bites_its_tail(file):
    calls = json.dumps(file.layer("conv")["inbound_nodes"])
    file.layer("conv")["inbound_nodes"] = json.loads(calls.replace("rescaling", "probabilities"))


@attack("config.json cannot be read: maximum recursion depth exceeded")
def deep_json(file):
    file.config = b"[" * 1_000_000


@attack("config.json has 8,000,002 bytes")
def long_json(file):
    """Keras makes 200 MB of objects of it."""
    file.config = b"[" + b"{}," * 2_666_666 + b"{}]"


# Weights


@attack("model.weights.h5: '/layers/dense' is a link to elsewhere")
def weights_in_another_file(file):
    file.change_weights(lambda weights: relink(weights, h5py.ExternalLink("/tmp/other.h5", "/layers/dense")))


@attack("model.weights.h5: '/layers/dense' is a link to elsewhere")
def weights_by_a_soft_link(file):
    file.change_weights(lambda weights: relink(weights, h5py.SoftLink("/layers/conv2d")))


@attack("is compressed, cut into pieces or kept in another file")
def an_array_that_lies_in_another_file(file):
    def change(weights):
        del weights[KERNEL]
        weights.create_dataset(KERNEL, (144, 3), "f4", external=[("/etc/passwd", 0, 144 * 12)])

    file.change_weights(change)


@attack("is compressed, cut into pieces or kept in another file")
def an_array_put_together_from_others(file):
    def change(weights):
        del weights[KERNEL]
        layout = h5py.VirtualLayout((144, 3), "f4")
        layout[:] = h5py.VirtualSource("/tmp/other.h5", "secret", (144, 3))
        weights.create_virtual_dataset(KERNEL, layout)

    file.change_weights(change)


@attack("is compressed, cut into pieces or kept in another file")
def arrays_that_unpack_to_gigabytes(file):
    """Keras makes the layer, and fills 3 GB with what is stored in 3 MB."""
    file.change("logits", units=5_000_000)
    file.change_weights(lambda weights: resize(weights, (144, 5_000_000), chunks=(144, 50_000), compression=1))


@attack("declares 2,880,000,000 bytes that are not in the file")
def arrays_of_which_nothing_is_there(file):
    """Keras makes the layer, and fills 3 GB with zeros."""
    file.change("logits", units=5_000_000)
    file.change_weights(lambda weights: resize(weights, (144, 5_000_000)))


@attack("'/layers/dense/vars/0' is no array of numbers")
def words_as_weights(file):
    file.change_weights(lambda weights: resize(weights, (144, 3), dtype=h5py.string_dtype()))


@attack("is reached in two ways")
def a_group_that_holds_itself(file):
    file.change_weights(lambda weights: weights["layers"].__setitem__("again", weights))


@attack("model.weights.h5: its arrays have 8,001,")
def arrays_that_share_their_bytes(file):
    """A hundred arrays in the place of one."""
    places = []

    def change(weights):
        places.append(weights.create_dataset("optimizer/0", data=np.ones(20_000, "f4")).id.get_offset())
        for number in range(1, 100):
            weights.create_dataset(f"optimizer/{number}", (20_000,), "f4")

    file.change_weights(change)
    size = (80_000).to_bytes(8, "little")
    file.weights = file.weights.replace(b"\xff" * 8 + size, places[0].to_bytes(8, "little") + size)


@attack("its weights do not fit its layers")
def weights_of_another_shape(file):
    file.change_weights(lambda weights: resize(weights, (9, 48), data=np.zeros((9, 48), "f4")))


@attack("model.weights.h5 is no HDF5 file of weights")
def weights_cut_off(file):
    file.weights = file.weights[:3000]


# The archive


@attack("the member 'config.json' unpacks from 65,233 to 67,108,864 bytes")
def a_bomb_of_a_config(file):
    """Keras unpacks it; at most 4 GiB."""
    file.config = b" " * 2**26
    file.pack = functools.partial(write_zip, compression=zipfile.ZIP_DEFLATED)


@attack("the member 'config.json' is there twice")
def two_configs(file):
    file.others = [(CONFIG, b"{}")]


@attack("the member '../config.json' points outside the archive")
def a_member_outside(file):
    file.others = [("../config.json", b"{}")]


@attack("the member 'metadata.json' is encrypted")
def an_encrypted_member(file):
    file.pack = patched(b"PK\x01\x02", 8, b"\x01")


@attack("the member 'config.json' overlaps 'metadata.json'")
def members_that_overlap(file):
    file.pack = patched(b"PK\x01\x02", 20, (500).to_bytes(4, "little"))


@attack("config.json cannot be read: Bad CRC-32")
def a_damaged_config(file):
    file.pack = patched(b"PK\x01\x02", 16, bytes(4), which=1)


@attack("begins with something else; its first member 'metadata.json' is at byte 25")
def an_archive_behind_a_program(file):
    def pack(path, members):
        write_zip(path, members)
        path.write_bytes(b"#!/bin/sh\ntouch executed\n" + path.read_bytes())

    file.pack = pack


@attack("is not a readable zip archive: its directory has")
def an_archive_of_a_million_members(file):
    """Keras makes a million objects of it, in 4 s and 280 MB."""

    def pack(path, members):
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, *[0] * 8, 1, *[0] * 6) + b"a"
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(entry) * 10**6, 0, 0)
        path.write_bytes(entry * 10**6 + end)

    file.pack = pack


@attack("is no Keras model: it lacks model.weights.h5")
def weights_in_another_format(file):
    """Keras reads NumPy's archives as well."""
    file.weights, file.others = None, [("model.weights.npz", pickle.dumps(Payload()))]


@attack("metadata.json is compressed, and Keras stores it as it is")
def compressed_members(file):
    file.pack = functools.partial(write_zip, compression=zipfile.ZIP_DEFLATED)


@pytest.fixture
def hostile(tmp_path):
    """Makes a checkpoint folder by an attack's name."""

    def make(name: str) -> Path:
        file = ModelFile()
        ATTACKS[name][0](file)
        return file.save(tmp_path / name)

    return make


def test_the_file_that_the_attacks_change_is_taken(tmp_path):
    folder = ModelFile().save(tmp_path / "checkpoint")
    with at_once_and_in_little_memory():
        assert load_checkpoint(folder).class_names == ["a", "b", "c"]


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused_and_nothing_in_it_is_run(hostile, name):
    folder = hostile(name)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(ATTACKS[name][1])) as refusal:
        load_checkpoint(folder)
    assert str(folder / "model.keras") in str(refusal.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("name", ["a_lambda_layer", "a_huge_dense_layer", "weights_in_another_file", "two_configs"])
def test_the_commands_tell_it_in_one_message(cli, hostile, pictures, name):
    folder = hostile(name)
    for command in (("predict", folder, "pictures"), ("evaluate", folder, "--data", "digits")):
        answer = cli(*command)
        assert answer.code == 2 and ATTACKS[name][1] in answer.err and "Traceback" not in answer.err
    assert not Path("executed").exists()


def test_what_was_refused_leaves_nothing_to_be_made_later(tmp_path, hostile):
    """Keras makes variables that were put off as soon as it can; those of a huge layer must never be made."""
    with pytest.raises(UserError):
        load_checkpoint(hostile("a_huge_dense_layer"))
    with at_once_and_in_little_memory():
        load_checkpoint(ModelFile().save(tmp_path / "checkpoint"))


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model.PKL", "model.pt", "saved", "other.keras"])
def test_a_model_in_another_format_is_refused(cli, pictures, name):
    if name == "saved":
        Path(name).mkdir()
        Path("saved/saved_model.pb").touch()
    else:
        Path(name).write_bytes(pickle.dumps(Payload()))
    answer = cli("predict", name, "pictures")
    assert answer.code == 2 and "a folder with model.keras, classes.json and preprocessing.json" in answer.err
    assert ("can run code of their own" in answer.err) == (name != "other.keras")
    assert not Path("executed").exists()
