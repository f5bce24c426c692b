"""Model files of a small ordinary model, which tests modify."""

import functools
import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
from keras import layers

from kerasexp.config.data_section import Preprocessing
from kerasexp.saving.checkpoint import write_sidecars

KERNEL = "layers/dense/vars/0"
METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
CLASSES = {"class_names": ["a", "b", "c"], "folders": {"a": "a", "b": "b", "c": "c"}}


@functools.cache
def honest() -> dict[str, bytes]:
    """Return the members of a small model's file, as Keras writes it."""
    x = images = keras.Input((8, 8, 1), dtype="uint8", name="images")
    for layer in (
        layers.Rescaling(1 / 255, name="rescaling"),
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Activation("relu", name="relu"),
        layers.Flatten(name="flatten"),
        layers.Dropout(0.5, name="dropout"),
        layers.Dense(3, name="logits"),
        layers.Activation("softmax", name="probabilities"),
    ):
        x = layer(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        keras.Model(images, x, name="honest").save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in (METADATA, CONFIG, WEIGHTS)}


class ModelFile:
    """The content of a model file, which an attack modifies before it is saved."""

    def __init__(self):
        self.metadata, self.weights = honest()[METADATA], honest()[WEIGHTS]
        self.config = json.loads(honest()[CONFIG])
        for entry in self.config["config"][
            "layers"
        ]:  # optional for Keras, which reports some attacks as errors with it
            entry.pop("build_config", None)
        self.others: list[tuple[str, bytes]] = []
        self.pack = write_zip

    def layer(self, name: str) -> dict:
        return next(entry for entry in self.config["config"]["layers"] if entry["config"]["name"] == name)

    def call(self, name: str) -> dict:
        return self.layer(name)["inbound_nodes"][0]

    def change(self, name: str, /, **values) -> None:
        self.layer(name)["config"].update(values)

    def replace(self, name: str, kind: str, module: str = "keras.layers", registered_name=None, **config) -> None:
        """Replace a layer by one of another class."""
        entry = self.layer(name)
        entry.update(module=module, class_name=kind, registered_name=registered_name)
        entry["config"] = {"name": name, "trainable": True, "dtype": "float32", **config}
        self.call(name)["kwargs"] = {}

    def make_sequential(self) -> None:
        """Turn the model into a plain `Sequential`, whose weights have the same names."""
        layers = [
            {k: v for k, v in e.items() if k not in ("name", "inbound_nodes")} for e in self.config["config"]["layers"]
        ]
        self.config = sequential(layers, self.config["config"]["name"])

    def change_weights(self, change) -> None:
        content = io.BytesIO(self.weights)
        with h5py.File(content, "r+") as file:
            change(file)
        self.weights = content.getvalue()

    def save(self, folder: Path) -> Path:
        """Save it as a checkpoint folder."""
        folder.mkdir()
        write_sidecars(folder, CLASSES["class_names"], CLASSES["folders"], Preprocessing(size=[8, 8]))
        config = self.config if isinstance(self.config, bytes) else json.dumps(self.config).encode()
        members = [(METADATA, self.metadata), (CONFIG, config), (WEIGHTS, self.weights), *self.others]
        self.pack(folder / "model.keras", [member for member in members if member[1] is not None])
        return folder


def sequential(layers: list[dict], name: str) -> dict:
    """Return the config of a sequential model, as Keras writes it."""
    config = {"name": name, "trainable": True, "layers": layers, "build_input_shape": [None, 8, 8, 1]}
    return {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": config}


def write_zip(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a name given twice
        for name, content in members:
            archive.writestr(name, content)


def resize(weights: h5py.File, shape: tuple[int, ...], dtype="f4", **options) -> None:
    del weights[KERNEL]
    weights.create_dataset(KERNEL, shape, dtype, **options)


def relink(weights: h5py.File, link) -> None:
    del weights["layers/dense"]
    weights["layers/dense"] = link


def patched(header: bytes, offset: int, value: bytes, which: int = 0):
    """Return a function that packs the members and then overwrites bytes of one header of this kind."""

    def pack(path, members):
        write_zip(path, members)
        data, at = bytearray(path.read_bytes()), -1
        for _ in range(which + 1):
            at = data.find(header, at + 1)
        data[at + offset : at + offset + len(value)] = value
        path.write_bytes(data)

    return pack


def called_twice(inner: dict, name: str) -> dict:
    """Return a model as a layer; it calls `inner` on the output of `inner`."""

    def call(origin: str) -> dict:
        tensor = {"shape": [None, 6, 6, 4], "dtype": "float32", "keras_history": [origin, 0, 0]}
        return {"args": [{"class_name": "__keras_tensor__", "config": tensor}], "kwargs": {}}

    start = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None, "name": "start"}
    start["config"] = {"batch_shape": [None, 6, 6, 4], "dtype": "float32", "name": "start"}
    inner = {**inner, "inbound_nodes": [call("start"), call(inner["name"])]}
    second = 2 if inner["class_name"] == "Functional" else 1  # Keras counts the calls of a model from 1
    config = {"name": name, "trainable": True, "layers": [{**start, "inbound_nodes": []}, inner]}
    ends = {"input_layers": ["start", 0, 0], "output_layers": [inner["name"], second, 0]}
    model = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
    return {**model, "name": name, "config": {**config, **ends}}


def within(file, entries):
    """Replace the layer `relu` by a sequential model of an input and these layers."""
    start = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None}
    start["config"] = {"batch_shape": [None, 6, 6, 4], "dtype": "float32", "name": "start"}
    file.layer("relu").update(sequential([start, *entries], "relu"))
