"""A checkpoint run by LiteRT gives Keras's probabilities, and Keras answers wherever LiteRT cannot."""

import errno
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
from keras_networks import HOW, EfficientNetV2B0, MobileNetV2, ResNet50, built

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Cnn, Mlp, ResNet18
from kerasexp.data.value_range import ValueRange
from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.evaluation.file_predictions import image_files, image_scores
from kerasexp.saving import image_memory, litert_graph, model_file
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars
from kerasexp.saving.fitted_values import write_calibration, write_thresholds
from kerasexp.saving.litert_graph import LiteRtModel, graph_file, is_quicker, keep_graph, load_graph

ROOT = Path(__file__).resolve().parents[2]
PART2 = ROOT / "checkpoints" / "part2_pretrained"
# Runs a command in a process of its own, and prints whether it has imported TensorFlow.
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
def runtime(monkeypatch):
    pytest.importorskip(litert_graph.RUNTIME, reason="LiteRT's runtime, ai-edge-litert, is not installed")
    monkeypatch.setattr(litert_graph, "LARGEST", 2**28)


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
    "resnet50": lambda: built(ResNet50(weights=None)),
    "mobilenet_v2": lambda: built(MobileNetV2(weights=None)),
    "efficientnet_v2_b0": lambda: built(EfficientNetV2B0(weights=None)),
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


def saved(folder: Path, activation: str = "softmax", **sidecars) -> Path:
    """Save a checkpoint with random weights for RGB images."""
    names = ["a", "b", "c"]
    folder.mkdir()
    small(activation).save(folder / "model.keras")
    write_sidecars(folder, names, {}, Preprocessing(size=[32, 32], channels=3, framing="fit"), **sidecars)
    return folder


def calibrated(folder: Path) -> Path:
    write_calibration(saved(folder), 1.7, 0.4)
    return folder


def of_several_labels(folder: Path) -> Path:
    write_thresholds(saved(folder, "sigmoid", multi_label=True), {"a": 0.2, "b": 0.5, "c": 0.6})
    return folder


QUICK = {"calibrated": calibrated, "several labels": of_several_labels}
CHECKPOINTS = {
    **QUICK,
    "part2_pretrained": lambda folder: PART2,
    "part1_scans": lambda folder: PART2.with_name("part1_scans"),
    "tiny_imagenet": lambda folder: PART2.with_name("tiny_imagenet"),
    "files of 16 bits": lambda folder: saved(folder, value_range=ValueRange(0, 65_535, "detected", "files")),
}


@pytest.mark.parametrize(
    "kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in CHECKPOINTS if kind not in QUICK)]
)
def test_answers_for_files_are_those_of_keras(runtime, tmp_path, kind):
    random, folder = np.random.default_rng(2), CHECKPOINTS[kind](tmp_path / "saved")
    for number, (shape, dtype) in enumerate([((40, 52), "uint8"), ((28, 28, 3), "uint8"), ((90, 60), "uint16")]):
        image = random.integers(0, np.iinfo(dtype).max, shape, dtype)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    files = image_files(sorted(tmp_path.glob("*.png")))
    by_keras, by_litert = (load_ensemble([folder], tta=kind in QUICK, by_litert=True) for _ in range(2))
    assert isinstance(by_keras.members[0].model, keras.Model)
    assert isinstance(by_litert.members[0].model, LiteRtModel)
    (names, expected), (also, found) = (next(image_scores(one, [files])) for one in (by_keras, by_litert))
    assert names == also and len(names) == 3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_run_makes_the_graph_of_its_checkpoint(runtime, cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml).last_line)
    assert isinstance(load_checkpoint(run, by_litert=True).model, LiteRtModel)


@pytest.mark.slow
def test_runs_of_a_study_make_none(runtime, cli, tiny_yaml, tmp_path):
    tiny_yaml.write_text(tiny_yaml.read_text() + "seeds: [0, 1]\n")
    assert cli("run", tiny_yaml).code == 0
    assert not (tmp_path / "cache" / litert_graph.FOLDER).exists()


def test_large_models_have_no_graph(monkeypatch):
    monkeypatch.setattr(litert_graph, "LARGEST", (PART2 / "model.keras").stat().st_size - 1)
    assert graph_file(PART2 / "model.keras", ["a"], False) is None


def test_the_graphs_that_were_used_last_stay(runtime, tmp_path, monkeypatch):
    first, second, third = (tmp_path / "graphs" / f"{name}.tflite" for name in "abc")
    keep_graph(small("softmax"), first)
    keep_graph(small("softmax"), second)
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    assert load_graph(first) is not None
    monkeypatch.setattr(litert_graph, "KEPT", 2.5 * first.stat().st_size)
    keep_graph(small("softmax"), third)
    assert sorted(file.name for file in third.parent.iterdir()) == ["a.tflite", "c.tflite"]


def test_a_gpu_is_worth_the_import_for_many_images(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr(litert_graph, "may_have_gpu", lambda: True)
    assert is_quicker(1) and not is_quicker(1000) and not is_quicker()
    monkeypatch.setattr(litert_graph, "may_have_gpu", lambda: False)
    assert is_quicker(1000) and is_quicker()


def test_no_graph_is_kept_that_differs(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(litert_graph, "TOLERANCE", -1.0)
    file = tmp_path / "graphs" / "a.tflite"
    assert not keep_graph(small("softmax"), file)
    assert file.read_bytes() == b"" and load_graph(file) is None
    monkeypatch.undo()
    assert not keep_graph(small("softmax"), file), "what has failed is not tried at each start"


def test_no_graph_is_made_where_a_batch_takes_too_much_memory(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(image_memory, "MAX_BATCH", litert_graph.BATCH * 32 * 32 * 3 - 1)
    file = tmp_path / "graphs" / "a.tflite"
    assert not keep_graph(small("softmax"), file) and file.read_bytes() == b""


def test_a_damaged_graph_is_removed(runtime, tmp_path):
    file = tmp_path / "a.tflite"
    file.write_bytes(b"no graph")
    assert load_graph(file) is None and not file.exists()


def test_a_graph_belongs_to_one_model_and_one_reading_of_it(runtime, tmp_path):
    model = tmp_path / "model.keras"
    model.write_bytes(b"one")
    first = graph_file(model, ["a", "b"], False)
    assert first == graph_file(model, ["a", "b"], False) != graph_file(model, ["a", "b"], True)
    model.write_bytes(b"another")
    assert graph_file(model, ["a", "b"], False) != first


def test_a_cache_that_cannot_be_written_can_be_used(runtime, tmp_path, monkeypatch):
    file = tmp_path / "graphs" / "a.tflite"
    keep_graph(small("softmax"), file)

    def refuse(path):
        raise PermissionError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "utime", refuse)
    assert isinstance(load_graph(file), LiteRtModel)


def test_no_graph_is_kept_of_a_model_that_was_replaced_meanwhile(runtime, tmp_path, monkeypatch):
    folder, other, load = saved(tmp_path / "saved"), saved(tmp_path / "other"), model_file.load_classifier
    file = graph_file(folder / "model.keras", ["a", "b", "c"], False)

    def replace_and_load(path, *names):
        (other / "model.keras").replace(path)
        return load(path, *names)

    monkeypatch.setattr(model_file, "load_classifier", replace_and_load)
    load_checkpoint(folder, by_litert=True)
    assert not file.exists()


def test_keras_answers_where_tensorflow_is_there_already():
    assert not is_quicker(1) and not is_quicker()


def answered(*words: object, hidden: bool = False) -> tuple[list | dict, bool]:
    """Return what a command prints as JSON, and whether it has imported TensorFlow; LiteRT may be hidden from it."""
    command = [sys.executable, "-c", COMMAND, "hidden" if hidden else "", *words, "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr.splitlines()[-1] == "True"


@pytest.mark.slow
def test_predict_starts_without_tensorflow_from_the_second_time(runtime, tmp_path):
    image = tmp_path / "seven.png"
    cv2.imwrite(str(image), cv2.putText(np.zeros((60, 60), np.uint8), "7", (10, 50), 0, 1.5, 255, 4))
    first, second = answered("predict", PART2, image), answered("predict", PART2, image)
    hidden = answered("predict", PART2, image, hidden=True)
    assert [by_tensorflow for _, by_tensorflow in (first, second, hidden)] == [True, False, True]
    for (one,), (other,) in ((first[0], second[0]), (first[0], hidden[0])):
        assert one["class"] == other["class"] == "7"
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


@pytest.mark.slow
def test_the_first_answer_of_several_makes_the_graphs_of_all(runtime, tmp_path):
    folders = [saved(tmp_path / name) for name in ("one", "two", "three")]
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), np.zeros((40, 40, 3), np.uint8))
    others = [word for folder in folders[1:] for word in ("--with", folder)]
    first, second = (answered("predict", folders[0], image, *others) for _ in range(2))
    assert [first[1], second[1]] == [True, False]


@pytest.mark.slow
def test_evaluate_takes_the_graph_too(runtime):
    first, second = (answered("evaluate", PART2, "--data", "digits") for _ in range(2))
    assert [first[1], second[1]] == [True, False]
    assert second[0]["accuracy"] == first[0]["accuracy"]
    assert second[0]["loss"] == pytest.approx(first[0]["loss"], abs=1e-4)


def test_the_runtime_takes_any_number_of_images(runtime, tmp_path):
    file = tmp_path / "graphs" / "a.tflite"
    assert keep_graph(small("softmax"), file)
    images = np.zeros((litert_graph.BATCH + 1, 32, 32, 3), np.uint8)
    network = LiteRtModel(file)
    assert [len(network.predict_on_batch(images[:count])) for count in (1, 17, 2, 16)] == [1, 17, 2, 16]
