from pathlib import Path

import pytest
import tensorflow as tf

from kerasexp.training import precision
from kerasexp.training.precision import choose_precision, precision_message


@pytest.fixture(autouse=True)
def with_onednn(monkeypatch):
    """As on most CPUs."""
    monkeypatch.setattr(precision, "_has_onednn", lambda: True)


@pytest.mark.parametrize("flags", ["avx512f avx512_bf16 sse", "fma amx_bf16"])
def test_auto_mentions_the_bfloat16_of_a_cpu(monkeypatch, flags):
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: f"flags : {flags}\n")
    message = precision_message("float32", "auto", ["CPU:0"])
    assert message.startswith(
        "computing in float32 on CPU:0 with oneDNN; this CPU has bfloat16: --set training.precision=mixed_bfloat16"
    )
    assert precision_message("float32", "float32", ["CPU:0"]) == "computing in float32 on CPU:0 with oneDNN"
    assert (
        precision_message("mixed_bfloat16", "auto", ["GPU:0", "GPU:1"]) == "computing in mixed_bfloat16 on GPU:0, GPU:1"
    )


def test_a_cpu_without_bfloat16_is_not_mentioned(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: "flags : avx512f avx512_bf16x\n")
    assert precision_message("float32", "auto", ["CPU:0"]) == "computing in float32 on CPU:0 with oneDNN"

    def absent(path, encoding):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert precision_message("float32", "auto", ["CPU:0"]) == "computing in float32 on CPU:0 with oneDNN"


@pytest.mark.parametrize(("answer", "words"), [(False, " without oneDNN, with which training takes "), (None, "")])
def test_a_cpu_without_onednn_says_so(monkeypatch, answer, words):
    monkeypatch.setattr(precision, "_has_onednn", lambda: answer)
    message = precision_message("float32", "float32", ["CPU:0"])
    assert message.startswith("computing in float32 on CPU:0" + words) and ("oneDNN" in message) == bool(words)


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 0)], "mixed_float16"),
    ],
)
def test_the_weakest_gpu_decides(monkeypatch, capabilities, chosen):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda capability: {"compute_capability": capability}
    )
    assert choose_precision("auto") == chosen
    assert choose_precision("mixed_float16") == "mixed_float16"
