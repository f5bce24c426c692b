"""The benchmarks run, with small settings and on stand-ins; their results are not checked."""

import importlib
import sys
from pathlib import Path

import keras
import pytest

from kerasexp.training import fit
from kerasexp.training.precision import make_deterministic
from kerasexp.training.training_state import TrainingState

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """No download; graphs of LiteRT; the scripts can be imported; what they change in their process is restored."""
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", "http://127.0.0.1:9/mnist.npz")
    monkeypatch.setattr("kerasexp.saving.litert_graph.LARGEST", 2**28)
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(fit.EpochProgress, "on_train_batch_end", fit.EpochProgress.on_train_batch_end)
    monkeypatch.setattr(TrainingState, "_save", TrainingState._save)
    yield
    keras.config.set_dtype_policy("float32")
    make_deterministic()


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("augmentation", ["--pairs", "1", "--images", "200", "--parts", "all"]),
        ("epoch_overhead", ["--pairs", "1", "--images", "200"]),
        ("execution", ["--pairs", "1", "--steps", "18", "--networks", "mobilenet"]),
        ("epoch_overhead", ["--pairs", "1", "--images", "200", "--live"]),
        ("first_answer", ["--pairs", "1", "--images", "100"]),
        ("gradient_flow", ["--pairs", "1", "--steps", "2"]),
        ("resumable_state", ["--pairs", "1"]),
        ("serving", ["--pairs", "1", "--requests", "30"]),
    ],
)
def test_a_script_prints_its_row(name, small, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, *small])
    importlib.import_module(name).main()
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| ") and f"`python benchmarks/{name}.py" in row


def test_a_step_of_run_is_timed(monkeypatch):
    script = importlib.import_module("training_step")
    monkeypatch.setattr(script, "BATCH", 8)
    assert script.with_run(script.WARM_UP + 2, "mixed_bfloat16") > 0


@pytest.mark.parametrize(("network", "size"), [("cnn", 28), ("resnet18", 32)])
def test_the_gpu_benchmark_runs_on_a_cpu(network, size, monkeypatch):
    script = importlib.import_module("gpu")
    monkeypatch.setattr(script, "BATCH", 4)
    monkeypatch.setattr(script, "SIDE", 64)
    assert min(script.measure(network, size, "float32", 12)) > 0


def test_without_a_gpu_it_says_so(monkeypatch):
    script = importlib.import_module("gpu")
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(script.subprocess, "run", lambda *given, **how: type("Done", (), {"stdout": "\n"}))
    with pytest.raises(SystemExit, match="no GPU"):
        script.main()


def test_the_operations_of_a_step_are_told_apart(monkeypatch):
    script, steps = importlib.import_module("step_profile"), importlib.import_module("training_step").WARM_UP + 8
    monkeypatch.setattr(script, "SIDE", 64)
    measured = script.measure("mobilenet", "float32", steps)
    assert measured["step"] > 0 and measured["peak"] > 0
    assert {"convolutions", "depthwise convolutions", "batch normalisation", "the optimizer"} <= measured[
        "kinds"
    ].keys()
    assert sum(measured["kinds"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("gradient_tape/net_1/block_1/convolution/Conv2DBackpropInput:_MklNativeConv2DBackpropInput", "convolutions"),
        ("gradient_tape/net_1/block_1/depthwise:DepthwiseConv2dNativeBackpropFilter", "depthwise convolutions"),
        ("net_1/head/MatMul:_MklNativeFusedMatMul", "dense layers"),
        ("adam_1/Sqrt_17:Sqrt", "the optimizer"),
        ("Sum_3:Sum", "others"),
    ],
)
def test_an_operation_is_of_the_kind_of_its_path_or_its_type(operation, kind):
    assert importlib.import_module("step_profile").kind_of(f"StatefulPartitionedCall/{operation}") == kind


def test_the_growth_of_searches_and_studies_is_measured_without_training():
    script = importlib.import_module("scaling")
    assert min(script.search_seconds(algorithm, 2) for algorithm in ("random", "bayesian")) > 0
    assert script.study_seconds(4, 2) > 0
