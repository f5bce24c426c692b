"""Training on several devices: two logical CPU devices, in a separate process."""

import csv
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny import TINY, draw_images

TWO = """
import sys
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from kerasexp.cli import main
main()
"""
# 40 training images: five even batches of eight. Without dropout, which each device draws on its own.
SAME = ["data.validation=0.16", "model.head.dropout=0", "training.optimizer.clip_norm=0.5", "training.batch_size=8"]


def run_on_two(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", TWO, *arguments], env={**os.environ}, capture_output=True, text=True, timeout=300
    )


def weights_of(run):
    return keras.saving.load_model(run / "checkpoint" / "model.keras").get_weights()


@pytest.fixture
def images(tmp_path):
    draw_images(tmp_path / "images")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return [part for change in SAME for part in ("--set", change)]


@pytest.mark.slow
def test_two_devices_train_like_one_and_can_be_resumed(cli, tmp_path, images):
    images = [*images, "--set", "data.augmentation.mixup=0.4"]  # whose labels are shared out with the images
    assert cli("run", "tiny.yaml", *images, "--run-dir", "one").code == 0
    on_two = run_on_two("run", "tiny.yaml", *images, "--set", "runtime=all", "--run-dir", "two")
    assert on_two.returncode == 0, on_two.stderr
    assert "computing in float32 on CPU:0, CPU:1" in on_two.stdout + on_two.stderr
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert manifest["devices"] == ["CPU:0", "CPU:1"]
    assert json.loads((tmp_path / "one" / "manifest.json").read_text())["devices"] == ["CPU:0"]
    for name in ("history.csv", "gradients.csv"):
        one, two = (list(csv.DictReader((tmp_path / run / name).open())) for run in ("one", "two"))
        assert len(one) == len(two) > 0
        for ours, theirs in zip(one, two, strict=True):
            for key in set(ours) - {"seconds", "layer"}:
                assert float(theirs[key]) == pytest.approx(float(ours[key]), rel=2e-3, abs=1e-5), (name, key)
    for one, two in zip(weights_of(tmp_path / "one"), weights_of(tmp_path / "two"), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4)

    # Stopped after an epoch and resumed, it ends with the same weights.
    parts = [*images, "--set", "runtime=all", "--run-dir", "parts"]
    assert run_on_two("run", "tiny.yaml", *parts, "--set", "training.epochs=1").returncode == 0
    again = run_on_two("run", "tiny.yaml", *parts, "--resume")
    assert again.returncode == 0, again.stderr
    for whole, part in zip(weights_of(tmp_path / "two"), weights_of(tmp_path / "parts"), strict=True):
        np.testing.assert_array_equal(part, whole)


@pytest.mark.slow
def test_a_last_batch_smaller_than_the_number_of_devices_is_refused(tmp_path, images):
    answer = run_on_two("run", "tiny.yaml", *images, "--set", "runtime=all", "--set", "training.batch_size=39")
    assert answer.returncode == 2
    assert "training.batch_size: got 39: the last batch of 40 images has 1, too few for 2 devices" in answer.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "TF_CONFIG names 2 hosts"),
        ("worker: a", "TF_CONFIG is not the JSON"),
    ],
)
def test_several_hosts_are_refused_with_advice(cli, tmp_path, images, monkeypatch, cluster, message):
    monkeypatch.setenv("TF_CONFIG", cluster)
    answer = cli("run", "tiny.yaml", *images, "--set", "runtime=all")
    assert answer.code == 2
    assert f"runtime.devices: {message}" in answer.err
    assert not (tmp_path / "runs").exists()


def test_all_devices_of_a_machine_with_one_device_are_that_one(cli, images):
    answer = cli("run", "tiny.yaml", *images, "--set", "runtime=all", "--set", "training.epochs=1", "--run-dir", "run")
    assert answer.code == 0, answer.err
    assert "devices" not in answer.out


@pytest.mark.slow
def test_two_devices_learn_from_a_teacher_like_one(cli, tmp_path, images):
    assert cli("run", "tiny.yaml", *images, "--set", "seed=1", "--run-dir", "teacher").code == 0
    for distill in ("{checkpoint: teacher}", "{checkpoint: teacher, features: true}"):
        taught = [*images, "--set", f"training.distill={distill}", "--set", "training.epochs=1"]
        one, two = (f"{name} {'features' in distill}" for name in ("one", "two"))
        assert cli("run", "tiny.yaml", *taught, "--run-dir", one).code == 0
        on_two = run_on_two("run", "tiny.yaml", *taught, "--set", "runtime=all", "--run-dir", two)
        assert on_two.returncode == 0, on_two.stderr
        rows = [next(csv.DictReader((tmp_path / run / "history.csv").open())) for run in (one, two)]
        for key in ("loss", "cross_entropy", "distillation", "val_loss"):
            assert float(rows[1][key]) == pytest.approx(float(rows[0][key]), rel=5e-3), key
