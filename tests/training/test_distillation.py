"""Learning from teachers: their probabilities, the features of one, several at once."""

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from digit_pairs import write_pairs
from user_code import write_code

from kerasexp.custom import trust
from kerasexp.custom.trust import trust_file
from kerasexp.losses.distillation import FeatureLoss, at_temperature, teacher_loss
from kerasexp.training.teacher import Teacher
from kerasexp.training.training_state import TrainingState, states


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 3, (2, 8, 5)).astype(np.float32)


def test_the_loss_is_the_divergence_at_the_temperature_times_its_square(logits):
    taught, learned = softmax(logits[0] / 4), softmax(logits[1] / 4)
    expected = 16 * np.mean(np.sum(taught * np.log(taught / learned), axis=1))
    assert float(teacher_loss(4.0, False)(taught, logits[1])) == pytest.approx(expected, rel=1e-4)
    assert float(teacher_loss(4.0, False)(learned, logits[1])) == pytest.approx(0, abs=1e-5)


def test_with_several_labels_each_class_is_present_or_absent(logits):
    taught, learned = sigmoid(logits[0] / 2), sigmoid(logits[1] / 2)
    expected = 4 * np.mean(taught * np.log(taught / learned) + (1 - taught) * np.log((1 - taught) / (1 - learned)))
    assert float(teacher_loss(2.0, True)(taught, logits[1])) == pytest.approx(expected, rel=1e-4)
    assert float(teacher_loss(2.0, True)(learned, logits[1])) == pytest.approx(0, abs=1e-5)


def test_a_temperature_acts_on_the_logits_behind_probabilities(logits):
    np.testing.assert_allclose(at_temperature(softmax(logits[0]), 3.0, False), softmax(logits[0] / 3), rtol=1e-4)
    np.testing.assert_allclose(at_temperature(sigmoid(logits[0]), 3.0, True), sigmoid(logits[0] / 3), rtol=1e-3)
    sure = np.array([[1.0, 1e-30]], np.float32)
    assert at_temperature(sure, 10.0, False).numpy()[0, 1] == pytest.approx(1e-3, rel=0.01), "rounded to 0"


def test_teachers_are_averaged_in_the_order_of_the_classes(logits):
    def model(values):
        inputs = keras.Input((2, 2, 1), dtype="uint8")
        rows = keras.layers.Flatten()(keras.layers.Rescaling(0.0)(inputs))
        bias = keras.initializers.Constant(values)
        return keras.Model(inputs, keras.layers.Dense(3, "softmax", bias_initializer=bias)(rows))

    one, other = [1.0, 2.0, 3.0], [3.0, 0.0, 0.5]
    models = [model(one), model([other[place] for place in (2, 0, 1)])]
    teacher = Teacher(["a", "b"], ["", ""], models, [np.array([0, 1, 2]), np.array([1, 2, 0])], False)
    images = np.zeros((4, 2, 2, 1), np.uint8)
    expected = (softmax(np.array(one) / 2) + softmax(np.array(other) / 2)) / 2
    np.testing.assert_allclose(teacher.probabilities(images, 2.0), np.tile(expected, (4, 1)), rtol=1e-5)


def test_the_loss_of_features_is_1_for_their_mean_and_0_for_a_linear_map_of_them():
    generator = np.random.default_rng(0)
    taught = generator.normal(3, [1, 10, 0], (200, 3)).astype(np.float32)
    loss = FeatureLoss(taught.mean(0), taught.std(0), seed=0)
    loss.build(None, (None, 2))
    loss.map.set_weights([np.zeros((2, 3), np.float32), np.zeros(3, np.float32)])
    learned = (taught[:, :2] - taught[:, :2].mean(0)) / taught[:, :2].std(0)
    assert float(loss(taught, learned)) == pytest.approx(2 / 3, rel=1e-4), "the third feature never varies"
    loss.map.set_weights([np.eye(2, 3, dtype=np.float32), np.zeros(3, np.float32)])
    assert float(loss(taught, learned)) == pytest.approx(0, abs=1e-5)
    assert len(loss.trainable_variables) == 2


def rows_of(run):
    with (run / "history.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture
def teacher(cli, tiny_yaml) -> Path:
    answer = cli("run", tiny_yaml, "--set", "training.epochs=4", "--run-dir", "teacher")
    assert answer.code == 0, answer.err
    return Path("teacher")


@pytest.mark.slow
def test_a_run_learns_from_a_teacher_and_says_so(cli, tiny_yaml, teacher):
    small = [
        "--set",
        "model.blocks=[{filters: 4, pool: 4}]",
        "--set",
        "training.distill={checkpoint: teacher, weight: 0.6}",
    ]
    answer = cli("run", tiny_yaml, *small, "--run-dir", "small")
    assert answer.code == 0 and "taught by " in answer.out, answer.err
    run = Path("small")
    for row in rows_of(run):
        assert row["loss"] == pytest.approx(0.4 * row["cross_entropy"] + 0.6 * row["distillation"], rel=1e-5)
        assert row["distillation"] > 0
    manifest, metrics = (json.loads((run / name).read_text()) for name in ("manifest.json", "metrics.json"))
    of_teacher = json.loads((teacher / "metrics.json").read_text())["val"]["accuracy"]
    assert manifest["distillation"]["val_accuracy"] == pytest.approx(of_teacher, abs=1e-6)
    kept = rows_of(run)[metrics["kept_epoch"] - 1]
    assert metrics["val"]["loss"] == pytest.approx(kept["val_loss"], abs=1e-5), "val_loss is that of the labels"
    assert "Taught by " in (run / "report.html").read_text()
    assert keras.models.load_model(run / "checkpoint" / "model.keras").count_params() == manifest["parameters"]
    with np.load(states(run / "state")[0]) as state:
        assert not any(state[name].shape == (3, 3, 8, 8) for name in state.files), "the teacher is in the state"
    again = cli("run", tiny_yaml, *small, "--run-dir", "small", "--resume")
    assert "has finished already" in again.out
    # Another teacher is another run.
    cli("run", tiny_yaml, "--set", "seed=5", "--set", "training.epochs=1", "--run-dir", "other")
    (teacher / "checkpoint" / "model.keras").write_bytes(Path("other/checkpoint/model.keras").read_bytes())
    assert cli("run", tiny_yaml, *small, "--run-dir", "small", "--resume").code == 2


@pytest.fixture
def stop_at(monkeypatch):
    """Return a function that sends this process a signal after so many training steps, once."""

    def arm(step: int) -> None:
        original, sent = TrainingState.on_train_batch_end, []

        def watched(self, batch, logs=None):
            if not sent and int(self.model.optimizer.iterations) >= step:
                sent.append(step)
                os.kill(os.getpid(), signal.SIGTERM)
            original(self, batch, logs)

        monkeypatch.setattr(TrainingState, "on_train_batch_end", watched)

    return arm


@pytest.mark.slow
@pytest.mark.parametrize(
    ("distill", "mixing"),
    [
        ("{checkpoint: teacher}", "{cutmix: 1, mixup: 0.4}"),
        ("{checkpoint: [teacher, second], temperature: 2}", "{mixup: 0.4}"),
        ("{checkpoint: teacher, features: true, weight: 0.9}", "{shift: 0.1}"),
    ],
)
def test_a_stopped_run_with_a_teacher_ends_as_an_unbroken_one(cli, tiny_yaml, teacher, stop_at, distill, mixing):
    cli("run", tiny_yaml, "--set", "training.epochs=1", "--set", "seed=1", "--run-dir", "second")
    changes = [f"training.distill={distill}", "model.blocks.0.filters=4", f"data.augmentation={mixing}"]
    arguments = ["run", tiny_yaml, *(word for change in changes for word in ("--set", change))]
    assert cli(*arguments, "--run-dir", "unbroken").code == 0
    stop_at(8)
    assert cli(*arguments, "--run-dir", "broken").code == 143
    resumed = cli(*arguments, "--run-dir", "broken", "--resume")
    assert (resumed.code, resumed.err) == (0, "")
    with np.load(states(Path("broken/state"))[0]) as one, np.load(states(Path("unbroken/state"))[0]) as other:
        names = [name for name in one.files if name.startswith(("variable/", "gradients/"))]
        assert one.files == other.files and len(names) > 10
        for name in names:
            assert np.array_equal(one[name], other[name], equal_nan=True), name
    history = [[row | {"seconds": 0} for row in rows_of(Path(name))] for name in ("broken", "unbroken")]
    assert history[0] == history[1]
    assert Path("broken/predictions.csv").read_text() == Path("unbroken/predictions.csv").read_text()


@pytest.mark.slow
def test_several_labels_an_image_can_be_taught(cli, tmp_path):
    pairs = write_pairs(tmp_path, 200)
    assert cli("run", pairs, "--run-dir", "teacher").code == 0
    answer = cli("run", pairs, "--set", "training.distill={checkpoint: teacher, temperature: 2}", "--run-dir", "small")
    assert answer.code == 0, answer.err
    assert all(row["distillation"] >= 0 for row in rows_of(Path("small")))
    accuracy = json.loads(Path("small/manifest.json").read_text())["distillation"]["val_accuracy"]
    assert 0 <= accuracy <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["training.distill=techer"], "training.distill.checkpoint: "),
        (["training.distill={checkpoint: [teacher, teacher]}"], "is given twice"),
        (["training.distill=teacher", "data.preprocessing.size=[20, 20]"], "its images have size [16, 16], and those of"),
        (["training.distill=teacher", "data.labels.select=[disc, across]"], "the data: only the teacher has upright"),
        (["training.distill={checkpoint: teacher, wight: 1}"], "did you mean"),
        (["training.distill={temperature: 2}"], "training.distill.checkpoint"),
        (["training.distill={checkpoint: teacher, features: true, temperature: 2}"], "temperature: is for probabilities"),
        (["training.distill={checkpoint: teacher, features: true, weight: 1}"], "training.distill.weight: got 1"),
        (["training.distill={checkpoint: [teacher, b], features: true}"], "one teacher, and checkpoint names 2"),
        (["training.distill=teacher", "training.decode=logit_adjusted"], "training.decode: logit_adjusted changes the answers"),
    ],
)  # fmt: skip
def test_what_cannot_teach_is_refused(cli, tiny_yaml, teacher, changes, told):
    answer = cli("run", tiny_yaml, *(word for change in changes for word in ("--set", change)))
    assert answer.code == 2 and told in answer.err and "Traceback" not in answer.err, answer.err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_classes_in_another_order_are_matched_by_name(cli, tiny_yaml, teacher):
    order = ["--set", "data.labels.select=[upright, disc, across]"]
    answer = cli("run", tiny_yaml, *order, "--set", "training.distill=teacher", "--run-dir", "small")
    assert answer.code == 0, answer.err
    of_teacher = json.loads((teacher / "metrics.json").read_text())["val"]["accuracy"]
    assert f"taught by {teacher.resolve()}: val accuracy {of_teacher:.4f}" in answer.out


@pytest.mark.slow
def test_a_teacher_whose_network_needs_code_is_asked_about(cli, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    own = write_code(tmp_path / "mine")
    assert cli("run", own, "--set", f"model={tmp_path / 'mine' / 'scaled.py'}:build", "--run-dir", "teacher").code == 0
    shutil.copytree("teacher/checkpoint", "other")
    trust_file().unlink()
    trust._granted.clear()
    (tmp_path / "small.yaml").write_text(
        "base: mine/own.yaml\nmodel: {name: mlp, units: [8]}\ntraining: {epochs: 1, distill: other, callbacks: []}\n"
    )
    refused = cli("run", "small.yaml", "--run-dir", "small")
    assert refused.code == 2 and "code/scaled.py" in refused.err and "--trust-code" in refused.err, refused.err
    assert not Path("small").exists()
    assert cli("run", "small.yaml", "--run-dir", "small", "--trust-code").code == 0
