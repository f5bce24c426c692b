"""What a run's manifest says of the world around it, and the key by which a run is known again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasexp import __version__
from kerasexp.config import Experiment
from kerasexp.config.files import find_file
from kerasexp.config.model import IMAGENET
from kerasexp.data.threads import cores

if TYPE_CHECKING:
    from kerasexp.data.preparation import PreparedData

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "opencv-python-headless", "matplotlib")


def run_key(experiment: Experiment, data: PreparedData, upstream_key: str | None) -> str:
    """Return the digest of all that decides a run's result: resolved content, data, what it starts from, and our version.

    The experiment's name, its reported figures, what is watched and shown, and the places of files do not.
    """
    return _digest(experiment, data, upstream_key, {"validate_at", "save_minutes"})


def resume_key(experiment: Experiment, data: PreparedData, upstream_key: str | None) -> str:
    """Return the same digest, in which the number of epochs has no part: a run may go on for more of them."""
    return _digest(experiment, data, upstream_key, {"validate_at", "save_minutes", "epochs"})


def _digest(experiment: Experiment, data: PreparedData, upstream_key: str | None, left_out: set[str]) -> str:
    irrelevant = {"name": True, "reported": True, "report": True, "data": True, "init": True, "training": left_out}
    content = experiment.model_dump(mode="json", exclude=irrelevant)
    init = experiment.init.model_dump(mode="json", exclude={"experiment"}) if experiment.init else None
    augmentation = experiment.data.model_dump(mode="json", include={"augmentation"})
    if (weights := content["model"].get("weights")) not in (None, IMAGENET):
        content["model"]["weights"] = digest_of_file(find_file(weights))
    parts = [content, init, augmentation, data.fingerprint, upstream_key, __version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest_of_file(path: Path | None) -> str | None:
    """Return the SHA-256 of a file; None where it is not there, which is told when it is to be read."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hardware() -> dict[str, Any]:
    """Return processor, cores that this process may use, memory in GiB, and GPUs."""
    import tensorflow as tf

    return {
        "processor": _processor(),
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


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
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
