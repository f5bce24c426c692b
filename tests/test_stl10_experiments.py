"""The experiments on STL-10, on files in its published format: support vectors, zero-shot, fine-tuning in stages.

The images are noise and the networks small: this shows that all works, and its figures stand for nothing.
"""

import csv
import json
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from stl10_files import CLASSES, written

from kerasexp.saving.checkpoint import load_checkpoint

# Each of these builds networks of keras.applications, and makes whole runs.
pytestmark = pytest.mark.slow
FOLDER = Path(__file__).resolve().parent.parent / "experiments" / "stl10"
SMALL = ["data.path=stl10_binary", "data.validation=0.25", "data.preprocessing.size=[32, 32]", "model.resize=null"]


@pytest.fixture(autouse=True)
def files():
    written()


def changed(*changes: str) -> list[str]:
    return [part for change in (*SMALL, *changes) for part in ("--set", change)]


@pytest.fixture(scope="module")
def weights_of_a_user(tmp_path_factory):
    """Return a function that gives a file of a network's weights, as Keras saves them, and its first convolution."""

    @cache
    def weights(with_top: bool, network=keras.applications.ResNet50, first="conv1_conv") -> tuple[Path, np.ndarray]:
        keras.utils.set_random_seed(7)
        model = network(include_top=with_top, input_shape=(32, 32, 3), weights=None)
        path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
        model.save_weights(path)
        return path, model.get_layer(first).get_weights()[0]

    return weights


def first_convolution(run: Path, name: str = "conv1_conv") -> np.ndarray:
    return load_checkpoint(run).model.get_layer(name).get_weights()[0]


@pytest.mark.parametrize("own", [False, True])
def test_features_go_into_a_support_vector_machine(cli, weights_of_a_user, own):
    weights, first = weights_of_a_user(with_top=False) if own else ("null", None)
    # Plots take half of the time, and those of one variant show that they can be drawn.
    changes = changed(f"model.weights={weights}", f"report.plots={own}")
    answer = cli("run", FOLDER / "svm.yaml", *changes, "--variant", "SVM", "--run-dir", "svm")
    assert answer.code == 0, answer.err
    run = next(Path("svm").glob("*/0"))
    metrics = json.loads((run / "metrics.json").read_text())
    assert [row["C"] for row in metrics["cross_validation"]] == [0.0001, 0.001, 0.01, 0.1, 1, 10]
    assert list(metrics["test"]["per_class"]) == CLASSES
    if own:
        np.testing.assert_array_equal(first_convolution(run), first)
    predicted = cli("predict", run, *image_files(), "--format", "json")
    assert predicted.code == 0 and {row["class"] for row in json.loads(predicted.out)} <= set(CLASSES)


def image_files() -> list[str]:
    import cv2

    for number in range(2):
        cv2.imwrite(f"{number}.png", np.random.default_rng(number).integers(0, 256, (96, 96, 3)))
    return ["0.png", "1.png"]


@pytest.mark.parametrize(("variant", "other"), [("top-1", True), ("among the mapped", False), ("summed", False)])
def test_imagenets_outputs_are_read_as_the_ten_classes(cli, weights_of_a_user, variant, other):
    weights, _ = weights_of_a_user(with_top=True)
    changes = changed(f"model.weights={weights}", f"report.plots={other}")
    answer = cli("run", FOLDER / "zero_shot.yaml", *changes, "--variant", variant)
    assert answer.code == 0, answer.err
    run = next(Path(answer.last_line).glob("*/0"))
    loaded = load_checkpoint(run)
    assert loaded.class_names == [*CLASSES, *(["other"] if other else [])]
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["p_deer"]) == 0 for row in rows)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["per_class"]["deer"]["recall"] == 0
    if other:
        assert metrics["test"]["per_class"]["other"]["support"] == 0


def test_zero_shot_asks_for_a_file_with_the_layer_of_the_classes(cli, weights_of_a_user):
    weights, _ = weights_of_a_user(with_top=False)
    answer = cli("check", FOLDER / "zero_shot.yaml", *changed(f"model.weights={weights}"))
    assert answer.code == 2 and "with its top" in answer.err and "model.weights" in answer.err


def test_a_class_that_the_mapping_forgets_is_told(cli, images):
    mapping = "model: {name: mobilenet_v2, weights: null, head: {zero_shot: {outputs: {across: [1], dish: [2]}}}}"
    data = "data: {source: image_folder, path: images, preprocessing: {size: [32, 32], channels: 3}}"
    Path("forgetful.yaml").write_text(f"{data}\n{mapping}\n")
    answer = cli("check", "forgetful.yaml")
    assert answer.code == 2 and "did you mean 'disc'?" in answer.err
    assert "lacks the class disc; write disc: []" in answer.err and "lacks the class upright" in answer.err


@pytest.mark.parametrize("own", [False, True])
def test_the_upper_blocks_are_trained_after_the_head(cli, weights_of_a_user, own):
    # A smaller network than the experiment's, for the test's time.
    mobilenet = False, keras.applications.MobileNetV2, "Conv1"
    weights, first_kernel = weights_of_a_user(*mobilenet) if own else ("null", None)
    small = "data: {path: stl10_binary, validation: 0.25, preprocessing: {size: [32, 32]}}\nreport: {plots: false}\n"
    model = f"model: {{name: mobilenet_v2, weights: {weights}, resize: null}}\ntraining: {{batch_size: 8, epochs: 1}}\n"
    Path("head.yaml").write_text(f"base: {FOLDER}/fine_tuned_head.yaml\n{small}{model}")
    Path("tuned.yaml").write_text(
        f"base: {FOLDER}/fine_tuned.yaml\n{small}{model}init: {{experiment: head.yaml, layers: all}}\n"
    )
    answer = cli("run", "tuned.yaml")
    assert answer.code == 0, answer.err
    first, second = (load_checkpoint(Path("runs", name, "1")).model for name in ("head", "tuned"))
    same = {
        name: np.array_equal(first.get_layer(name).get_weights()[0], second.get_layer(name).get_weights()[0])
        for name in ("Conv1", "block_14_project", "block_15_expand", "Conv_1", "logits")
    }
    assert list(same.values()) == [True, True, False, False, False]
    if own:
        np.testing.assert_array_equal(first_convolution(Path("runs/tuned/1"), "Conv1"), first_kernel)
