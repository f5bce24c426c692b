"""A checkpoint run by LiteRT gives Keras's probabilities, and Keras answers wherever LiteRT cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import layers
from keras_networks import HOW, MobileNetV2, built

from kerasexp.config.model_section import Cnn, Mlp, ResNet18
from kerasexp.saving import litert_graph
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.saving.litert_graph import LiteRtModel, graph_file, keep_graph, load_graph

ROOT = Path(__file__).resolve().parents[2]
PART2 = ROOT / "checkpoints" / "part2_pretrained"
# Runs `predict` in a process of its own, and prints whether it has imported TensorFlow.
COMMAND = """
import sys
if sys.argv.pop(1) == "hidden":
    sys.modules["ai_edge_litert"] = None
from kerasexp.cli import main
try:
    main()
finally:
    print("tensorflow" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def runtime():
    pytest.importorskip(litert_graph.RUNTIME, reason="LiteRT's runtime, ai-edge-litert, is not installed")


def small(activation: str, dtype: str = "float32") -> keras.Model:
    images = keras.Input((32, 32, 3), dtype="uint8")
    features = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    return keras.Model(images, layers.Dense(3, activation=activation, dtype=dtype)(features))


NETWORKS = {
    "cnn": lambda: built(Cnn()),
    "mlp": lambda: built(Mlp()),
    "several labels": lambda: small("sigmoid"),
}
LARGE = {
    "resnet18": lambda: built(ResNet18()),
    "mobilenet_v2": lambda: built(MobileNetV2(weights=None)),
}
BOTH = [*NETWORKS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


@pytest.mark.parametrize("name", BOTH)
def test_the_probabilities_are_those_of_keras(runtime, tmp_path, name):
    model, file = (NETWORKS | LARGE)[name](), tmp_path / "graphs" / "a.tflite"
    assert keep_graph(model, file)
    images = np.random.default_rng(1).integers(0, 256, (37, *HOW.size, 3), np.uint8)
    found = load_graph(file)
    assert (found.input_shape, found.output_shape) == (model.input_shape, model.output_shape)
    np.testing.assert_allclose(found.predict_on_batch(images), model.predict_on_batch(images), rtol=0, atol=1e-4)


def test_no_graph_is_kept_that_differs(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(litert_graph, "TOLERANCE", -1.0)
    file = tmp_path / "graphs" / "a.tflite"
    assert not keep_graph(small("softmax"), file)
    assert file.read_bytes() == b"" and load_graph(file) is None
    monkeypatch.undo()
    assert not keep_graph(small("softmax"), file), "what has failed is not tried at each start"


def test_a_damaged_graph_is_removed(runtime, tmp_path):
    file = tmp_path / "a.tflite"
    file.write_bytes(b"no graph")
    assert load_graph(file) is None and not file.exists()


def test_a_graph_belongs_to_one_model_and_one_reading_of_it(tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes(b"one")
    first = graph_file(model, ["a", "b"], False)
    assert first == graph_file(model, ["a", "b"], False) != graph_file(model, ["a", "b"], True)
    model.write_bytes(b"another")
    assert graph_file(model, ["a", "b"], False) != first


def test_keras_answers_where_tensorflow_is_there_already():
    assert isinstance(load_checkpoint(PART2, for_predictions=True).model, keras.Model)


def predicted(image: Path, hidden: str = "") -> tuple[list, bool]:
    command = [sys.executable, "-c", COMMAND, hidden, "predict", PART2, image, "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr.splitlines()[-1] == "True"


@pytest.mark.slow
def test_predict_starts_without_tensorflow_from_the_second_time(runtime, tmp_path):
    image = tmp_path / "seven.png"
    cv2.imwrite(str(image), cv2.putText(np.zeros((60, 60), np.uint8), "7", (10, 50), 0, 1.5, 255, 4))
    first, second, hidden = predicted(image), predicted(image), predicted(image, "hidden")
    assert [by_tensorflow for _, by_tensorflow in (first, second, hidden)] == [True, False, True]
    for (one,), (other,) in ((first[0], second[0]), (first[0], hidden[0])):
        assert one["class"] == other["class"] == "7"
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_the_runtime_takes_any_number_of_images(runtime, tmp_path):
    file = tmp_path / "graphs" / "a.tflite"
    assert keep_graph(small("softmax"), file)
    images = np.zeros((litert_graph.BATCH + 1, 32, 32, 3), np.uint8)
    network = LiteRtModel(file)
    assert [len(network.predict_on_batch(images[:count])) for count in (1, 17, 2, 16)] == [1, 17, 2, 16]
