"""What is known of this machine and this installation: packages and extras, versions, hardware, cores, Keras's folder."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kerasexp import __version__

# As Linux names them, the newest first.
VECTOR_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "avx", "sve", "asimd")
# What the drivers of NVIDIA's GPUs, of AMD's, and of those of Windows in WSL provide.
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "opencv-python-headless", "matplotlib")
# Each extra of setup.cfg but `gpu`, which is no package of its own, and what is imported of it.
EXTRAS = {
    "heic": ("pillow_heif",),
    "hub": ("keras_hub",),
    "mlflow": ("mlflow",),
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "serve": ("fastapi", "uvicorn", "python_multipart", "prometheus_client"),
    "test": ("pytest", "ruff"),
    "wandb": ("wandb",),
}


def install_command(extra: str) -> str:
    """Return the command that installs an extra, beside an installed kerasexp of any origin."""
    return f"pip install 'kerasexp[{extra}]'" if os.name != "nt" else f'pip install "kerasexp[{extra}]"'


def missing_of(extra: str) -> list[str]:
    """Return the packages of an extra that are not installed."""
    return [package for package in EXTRAS[extra] if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    spec = find_spec(package)
    return spec is not None and spec.origin is not None  # a folder of that name here has no origin


def available_cores() -> list[int]:
    """Return the numbers of the cores that this process may use; systems that cannot say so have all of theirs."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(available_cores())


def may_have_gpu() -> bool:
    """Return whether the driver of a GPU is there and none is hidden, without TensorFlow, whose import takes seconds."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and any(map(os.path.exists, GPU_DEVICES))


def keras_home() -> Path:
    """Return the folder in which Keras keeps datasets and weights: $KERAS_HOME, or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def cache_folder() -> Path:
    """Return the folder of kerasexp's own cache: $KERASEXP_CACHE, or `kerasexp` in the user's cache folder."""
    own = os.environ.get("KERASEXP_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerasexp"


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str | None]:
    """Return the versions of Python, kerasexp and what it computes with, and the git commit of kerasexp's own checkout."""
    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "kerasexp": __version__,
        "git_commit": _git_commit(),
    }
    for package in PACKAGES:
        found[package] = installed_version(package)
    return found


def installed_version(package: str) -> str | None:
    """Return a package's version, or None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def vector_instructions() -> str | None:
    """Return the newest of the processor's instructions that matter here, such as `avx2`; None where Linux does not state them.

    They decide how sums are rounded, and processors of one name may differ in them.
    """
    with suppress(OSError):
        flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
        return next((name for name in VECTOR_INSTRUCTIONS if name in flags), None)
    return None


def hardware() -> dict[str, Any]:
    """Return processor, its instructions, cores that this process may use, memory in GiB, and GPUs."""
    import tensorflow as tf

    return {
        "processor": processor(),
        "instructions": vector_instructions(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
    }


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def processor() -> str:
    """Return the name of the processor's model."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
