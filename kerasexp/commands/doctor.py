"""`doctor`: what is installed and found on this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerasexp.config.yaml_paths import data_folder, is_there
from kerasexp.environment import (
    EXTRAS,
    PACKAGES,
    hardware,
    install_command,
    installed_version,
    keras_home,
    missing_of,
    versions,
)
from kerasexp.errors import RunError

# The files that shipped experiments name, besides those that sources look for.
ARCHIVES = ("trainPart1.zip", "mnistTask3.zip", "imagenet_samples_96.zip")


def doctor():
    """Report what is installed and found here.

    Versions, devices, data and cache.

    Example: python -m kerasexp doctor
    """
    for line in findings():
        # A library for another processor ends the process when it is imported.
        print(line, flush=True)


def findings() -> Iterator[str]:
    """Yield one line per finding.

    Raises:
        RunError: after the last line, if TensorFlow or what reads images cannot be imported.
    """
    from kerasexp.config.code_reference import GROUPS, registered

    found, broken = versions(), []
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
    for part, lines in (("TensorFlow", _hardware_lines), ("what reads images", _data_lines)):
        try:
            yield from lines()
        except Exception as error:  # what a broken installation raises has no common base
            broken.append(f"{part} cannot be imported: {type(error).__name__}: {error}")
    yield _cache_line()
    if broken:
        raise RunError("\n".join(broken))


def _hardware_lines() -> Iterator[str]:
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    machine = hardware()
    memory = f"{machine['memory_gib']} GiB" if machine["memory_gib"] is not None else "memory unknown"
    instructions = f" ({machine['instructions']})" if machine["instructions"] else ""
    yield f"{machine['processor']}{instructions}, {machine['cores']} cores, {memory}"
    yield "GPUs: " + (", ".join(machine["gpus"]) or "none; training runs on the CPU")


def _data_lines() -> Iterator[str]:
    from kerasexp.data.sources import dogs_vs_cats, mnist, stl10, tiny_imagenet

    published = (*mnist.NAMES, *stl10.NAMES, *tiny_imagenet.NAMES, *dogs_vs_cats.NAMES)
    folder, cache = data_folder(), keras_home() / "datasets"
    if folder is None:
        yield "KERASEXP_DATA is not set; Keras's cache has the sources, or they are downloaded, or stand-ins are used"
    elif not os.path.isdir(folder):
        yield f"KERASEXP_DATA is {folder}, which is not a folder"
    else:
        names = (*ARCHIVES, *published)
        yield f"KERASEXP_DATA is {folder}; there: {_there(folder, names) or 'none of ' + ', '.join(names)}"
    yield f"Keras's cache {cache}: {_there(cache, published) or 'no dataset'}"


def _there(folder: Path, names: Iterable[str]) -> str:
    """Return those of the names that are in a folder."""
    return ", ".join(name for name in names if is_there(folder / name))


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
