"""In which number format the layers compute."""

from __future__ import annotations

import keras


def choose_precision(wanted: str) -> str:
    """Return the dtype policy for `precision:`; `auto` is decided by the hardware.

    A GPU of compute capability 8 or more has fast bfloat16, which needs no loss scaling; one of 7 has fast float16. On a
    CPU float16 is about four times slower than float32, and bfloat16 gains under a tenth with AVX512-BF16 and loses
    elsewhere, so it is float32 there.
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


def use_precision(policy: str) -> None:
    """Make `policy` that of every layer built from now on."""
    keras.config.set_dtype_policy(policy)


def make_deterministic() -> None:
    """Let the same seed give the same weights, bit for bit, on the same hardware."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
