"""`doctor`: what is installed and found on this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

from kerasexp.config.yaml_paths import data_folder
from kerasexp.environment import EXTRAS, PACKAGES, hardware, install_command, installed_version, missing_of, versions

DATA_FILES = (
    "mnist.npz",
    "trainPart1.zip",
    "mnistTask3.zip",
    "stl10_binary",
    "stl10_binary.tar.gz",
    "tiny-imagenet-200.zip",
    "tiny-imagenet-50.zip",
    "dogs_vs_cats.zip",
    "kagglecatsanddogs_5340.zip",
)


def doctor():
    """Report what is installed and found here.

    Versions, devices, data and cache.

    Example: python -m kerasexp doctor
    """
    for line in findings():
        print(line)


def findings() -> Iterator[str]:
    """Yield one line per finding."""
    from kerasexp.backend import import_tensorflow
    from kerasexp.config.code_reference import GROUPS, registered

    import_tensorflow()
    found = versions()
    yield f"python {found['python']}, kerasexp {found['kerasexp']}"
    for package in (*PACKAGES, "keras-tuner", "ai-edge-litert", "pydantic", "typer"):
        yield f"{package} {installed_version(package) or f'is missing: pip install {package}'}"
    for extra in EXTRAS:
        missing = missing_of(extra)
        yield f"extra '{extra}': " + (
            f"not installed ({', '.join(missing)}); {install_command(extra)}" if missing else "installed"
        )
    for kind, group in GROUPS.items():
        if names := registered(kind):
            yield f"{group}: {', '.join(f'{name} ({function})' for name, function in names.items())}"
    machine = hardware()
    memory = f"{machine['memory_gib']} GiB" if machine["memory_gib"] is not None else "memory unknown"
    instructions = f" ({machine['instructions']})" if machine["instructions"] else ""
    yield f"{machine['processor']}{instructions}, {machine['cores']} cores, {memory}"
    yield "GPUs: " + (", ".join(machine["gpus"]) or "none; training runs on the CPU")
    yield _data_line()
    yield _cache_line()


def _data_line() -> str:
    folder = data_folder()
    if folder is None:
        return "KERASEXP_DATA is not set; sources are downloaded, or their offline stand-ins are used"
    if not folder.is_dir():
        return f"KERASEXP_DATA is {folder}, which is not a folder"
    there = [name for name in DATA_FILES if (folder / name).exists()]
    return f"KERASEXP_DATA is {folder}; there: {', '.join(there) or 'none of ' + ', '.join(DATA_FILES)}"


def _cache_line() -> str:
    from kerasexp.environment import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        return f"cache {folder}: writable, {shutil.disk_usage(folder).free / 2**30:.1f} GiB free"
    except OSError as error:
        return f"cache {folder}: cannot be written ({error.strerror}); every run decodes its images anew"
