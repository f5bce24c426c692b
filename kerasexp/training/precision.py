"""Number formats, and determinism."""

from __future__ import annotations

from contextlib import suppress

import keras

from kerasexp.environment import vector_instructions


def choose_precision(wanted: str) -> str:
    """Return the dtype policy for `precision:`; the hardware decides about `auto`.

    A GPU of compute capability 8 or more has fast bfloat16, which needs no loss scaling; one of 7 has fast float16. CPUs
    use float32, so that the metrics of all CPUs are comparable. There float16 takes about four times as long; bfloat16
    takes some 0.7 of the time if the CPU has instructions for it (benchmarks/training_step.py), and else longer.
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


def precision_message(precision: str, wanted: str, devices: list[str]) -> str:
    """Return a line that states precision, devices and oneDNN, with a hint if `auto` leaves a faster precision unused."""
    line = f"computing in {precision} on {', '.join(devices)}"
    if devices[0].startswith("CPU") and (has_onednn := _has_onednn()) is not None:
        line += " with oneDNN" if has_onednn else " without oneDNN, with which training takes 0.5 to 0.7 of the time"
    if wanted == "auto" and precision == "float32" and devices[0].startswith("CPU") and _has_bfloat16():
        line += "; this CPU has bfloat16: --set training.precision=mixed_bfloat16 is faster, with slightly different metrics"
    return line


def _has_onednn() -> bool | None:
    """Return whether TensorFlow computes with oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 turns off; None where it does not say so."""
    with suppress(ImportError, AttributeError):
        from tensorflow.python.util import _pywrap_util_port

        return _pywrap_util_port.IsMklEnabled()
    return None


def _has_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16, as far as Linux states it."""
    return (vector_instructions() or "").endswith("_bf16")


def use_precision(policy: str) -> None:
    """Make `policy` the default of every layer that is built from now on."""
    keras.config.set_dtype_policy(policy)


def make_deterministic() -> None:
    """Make TensorFlow deterministic: the same seed gives the same weights, bit for bit, on the same hardware."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
