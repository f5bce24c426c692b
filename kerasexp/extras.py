"""What can be installed beside kerasexp, and what of it is here."""

from __future__ import annotations

from importlib.util import find_spec

# Each extra of setup.cfg, and what is imported of it.
EXTRAS = {
    "hub": ("keras_hub",),
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "ray": ("ray",),
    "test": ("pytest", "ruff"),
}


def missing_of(extra: str) -> list[str]:
    """Return the packages of an extra that are not installed."""
    return [package for package in EXTRAS[extra] if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    spec = find_spec(package)
    return spec is not None and spec.origin is not None  # a folder of that name here has no origin
