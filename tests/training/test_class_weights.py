"""Class weights: those of Keras and scikit-learn, in the training loss alone; and unknown classes."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.utils.class_weight import compute_class_weight

from kerasexp.config import load_experiment
from kerasexp.config.loss_section import Loss
from kerasexp.data.prepared_data import prepare
from kerasexp.losses import build_loss, class_weights
from kerasexp.models import build_model, logits_model
from kerasexp.training.precision import make_deterministic

WEIGHTS = {"across": 1.0, "disc": 3.0, "upright": 0.5}
# One step of plain gradient descent on all 38 training images.
ONE_STEP = ["training.epochs=1", "training.batch_size=38", "training.optimizer={name: sgd, learning_rate: 0.1}",
            "data.augmentation=null", "model.head.dropout=0", "training.shuffle=false",
            "model.blocks=[{filters: 4, pool: 2}]"]  # fmt: skip


def section(**keys) -> Loss:
    return TypeAdapter(Loss).validate_python(keys)


def test_balanced_weights_are_those_of_scikit_learn():
    counts = [5, 3, 0, 12]
    labels = np.repeat(np.arange(4), counts)
    found = class_weights(section(name="cross_entropy", class_weights="balanced"), counts, list("abcd"))
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    assert [found[label] for label in (0, 1, 3)] == pytest.approx(expected, rel=1e-12) and found[2] == 1


def test_classes_without_a_weight_have_1_and_a_loss_without_weights_has_none():
    assert class_weights(section(name="focal", class_weights={"b": 2}), [1, 1], ["a", "b"]) == {0: 1.0, 1: 2.0}
    assert class_weights(section(name="cross_entropy"), [1, 1], ["a", "b"]) is None
    assert class_weights(section(name="ldam"), [1, 1], ["a", "b"]) is None


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_step_is_that_of_plain_keras_with_class_weight(train, table, tiny_yaml, smoothing):
    loss = f"training.loss={{class_weights: {json.dumps(WEIGHTS)}, label_smoothing: {smoothing}}}"
    done = train(*ONE_STEP, loss)

    experiment = load_experiment(tiny_yaml, ONE_STEP)
    data = prepare(experiment.data)
    keras.utils.set_random_seed(experiment.seed)
    make_deterministic()
    plain = logits_model(build_model(experiment.model, experiment.data.preprocessing, 3, "tiny"))
    images, labels = data.splits["train"].images, data.splits["train"].labels
    before = build_loss(section(label_smoothing=smoothing, name="cross_entropy"), [1, 1, 1])
    plain.compile(keras.optimizers.SGD(0.1), before)
    by_label = {label: WEIGHTS[name] for label, name in enumerate(data.class_names)}
    losses = [float(before(labels[i : i + 1], plain.predict_on_batch(images[i : i + 1]))) for i in range(len(labels))]
    kept = plain.fit(images, labels, batch_size=38, epochs=1, shuffle=False, class_weight=by_label, verbose=0)
    for ours, theirs in zip(done.model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)

    # The sum of the weighted losses over the number of images, as Keras has it; val_loss has no weights.
    row = table(done.run.history)[0]
    weighted = np.mean([by_label[label] * loss for label, loss in zip(labels, losses, strict=True)])
    assert float(row["loss"]) == pytest.approx(weighted, rel=1e-5) == kept.history["loss"][0]
    val = data.splits["val"]
    plain_loss = float(before(val.labels, plain.predict(val.images, verbose=0)))
    assert float(row["val_loss"]) == pytest.approx(plain_loss, rel=1e-4)


def test_weights_with_losses_of_the_features(train, table):
    rows = [
        table(train("training.epochs=1", f"training.loss={{triplet: {{}}, class_weights: {weights}}}").run.history)[0]
        for weights in ("null", "{disc: 100}")
    ]
    assert float(rows[1]["cross_entropy"]) > 5 * float(rows[0]["cross_entropy"])


def test_an_unknown_class_is_named_with_the_closest_one(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.loss={class_weights: {disk: 2}}")
    assert answer.code == 2 and "training.loss.class_weights" in answer.err
    assert "'disk' is no class of the data; did you mean 'disc'?" in answer.err


def test_names_of_classes_are_what_is_written():
    Path("e.yaml").write_text("data: digits\ntraining: {loss: {class_weights: {0: 2, 010: 3, no: 4}}}\n")
    assert load_experiment("e.yaml").training.loss.class_weights == {"0": 2, "010": 3, "no": 4}


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ("{loss: {class_weights: {a: 0}}}", "training.loss.class_weights"),
        ("{loss: {class_weights: {}}}", "training.loss.class_weights"),
        ("{loss: {class_weights: balance}}", "training.loss.class_weights"),
        ("{loss: {name: ldam, class_weights: balanced}}", "training.loss.class_weights"),
        ("{loss: {class_weights: {a: 2}}, decode: argmin}", "training.loss.class_weights"),
        ("{loss: {class_weights: balanced}, decode: logit_adjusted}", "training.decode"),
        ("{loss: {class_weights: balanced}, class_batches: {}, batch_size: 64}", "training.class_batches"),
    ],
)
def test_weights_that_cannot_be_are_refused(cli, keys, key):
    Path("e.yaml").write_text(f"data: digits\ntraining: {keys}\n")
    answer = cli("check", "e.yaml")
    assert answer.code == 2 and f"{key}" in answer.err, answer.err


def test_a_run_shows_its_weights(cli, tiny_yaml):
    answer = cli("run", tiny_yaml, "--set", "training.epochs=1", "--set", "training.loss={class_weights: {disc: 2}}")
    assert answer.code == 0 and "class weights: across 1, disc 2, upright 1" in answer.out
