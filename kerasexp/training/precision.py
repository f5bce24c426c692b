"""In which number format the layers compute."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import keras


def choose_precision(wanted: str) -> str:
    """Return the dtype policy for `precision:`; `auto` is decided by the hardware.

    A GPU of compute capability 8 or more has fast bfloat16, which needs no loss scaling; one of 7 has fast float16. On a
    CPU it is float32, so that all CPUs give figures that can be compared: float16 takes about four times as long, and
    bfloat16 some 0.7 of the time where the CPU has instructions for it (benchmarks/training_step.py) and longer elsewhere.
    """
    if wanted != "auto":
        return wanted
    import tensorflow as tf

    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not capabilities:
        return "float32"
    weakest = min(capabilities)
    return "mixed_bfloat16" if weakest >= (8, 0) else "mixed_float16" if weakest >= (7, 0) else "float32"


def what_computes(precision: str, wanted: str, devices: list[str]) -> str:
    """Return a line on what was chosen, and on what is there and was not."""
    line = f"computing in {precision} on {', '.join(devices)}"
    if wanted == "auto" and precision == "float32" and devices[0].startswith("CPU") and _has_bfloat16():
        line += (
            "; this CPU knows bfloat16: --set training.precision=mixed_bfloat16 is faster, with slightly other figures"
        )
    return line


def _has_bfloat16() -> bool:
    """Whether the processor says that it has instructions for bfloat16; only Linux lets it be asked."""
    with suppress(OSError):
        return re.search(r"\b(avx512_bf16|amx_bf16)\b", Path("/proc/cpuinfo").read_text()) is not None
    return False


def use_precision(policy: str) -> None:
    """Make `policy` that of every layer built from now on."""
    keras.config.set_dtype_policy(policy)


def make_deterministic() -> None:
    """Let the same seed give the same weights, bit for bit, on the same hardware."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
