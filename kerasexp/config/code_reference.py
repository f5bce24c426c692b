"""References to a user's functions: `my_net.py:build`, `package.module:build`, or a name that an installed package registers.

A file is read and never run here. A package is located without importing it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import importlib.util
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kerasexp.config.yaml_paths import is_there, with_home
from kerasexp.errors import closest, listing

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

_FILE = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")
_MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")
# Kind of code -> the group of entry points by which an installed package registers names of it.
GROUPS = {
    "model": "kerasexp.models",
    "loss": "kerasexp.losses",
    "source": "kerasexp.sources",
    "augmentation": "kerasexp.augmentations",
    "metric": "kerasexp.metrics",
    "callback": "kerasexp.callbacks",
}
# The largest file of code, and the most modules that one imports from its folder.
MAX_BYTES, MAX_MODULES = 1_000_000, 200


@dataclass(frozen=True)
class CodeReference:
    """A function or class in a file of Python source.

    Attributes:
        file: where it is defined.
        function: its name.
        module: the dotted name by which it is imported; None for a file beside an experiment.
        registered: the name under which an installed package registers it; None if an experiment names the file or module.
    """

    file: Path
    function: str
    module: str | None = None
    registered: str | None = None


def is_reference(name: object) -> bool:
    """Return whether a name has the form of a reference to a file or a module."""
    return isinstance(name, str) and (_FILE.fullmatch(name) or _MODULE.fullmatch(name)) is not None


def is_code(name: object, kind: str) -> bool:
    """Return whether a name means a user's code: it is a reference, or an installed package registers it for this kind."""
    return isinstance(name, str) and (":" in name or name in registered(kind))


@functools.cache
def registered(kind: str) -> dict[str, str]:
    """Return the names that installed packages register for a kind of code, with the functions that they stand for."""
    return {
        point.name: point.value for point in sorted(_entry_points().select(group=GROUPS[kind]), key=lambda p: p.name)
    }


@functools.cache
def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points()


def located(name: str, *folders: Path) -> str:
    """Return a reference to a file with its absolute path: in the first folder that has it, else in the first folder.

    Any other name is returned as it is.
    """
    found = _FILE.fullmatch(name)
    if found is None or "\0" in name:
        return name
    path = with_home(Path(found["file"]))
    places = [folder / path for folder in folders]
    place = next((place for place in places if is_there(place) and place.is_file()), places[0])
    return f"{place.resolve()}:{found['function']}"


def find_code(name: str, kind: str) -> CodeReference:
    """Return what a reference or a registered name stands for.

    Raises:
        ValueError: it has neither form, or there is no such file or module.
    """
    if ":" not in name and name in registered(kind):
        return _in_module(registered(kind)[name].replace(" ", ""), name)
    if found := _FILE.fullmatch(name):
        file = Path(found["file"])
        if not (is_there(file) and file.is_file()):
            near: list[str] = []
            with suppress(OSError, ValueError):
                near = sorted(path.name for path in file.parent.glob("*.py")) if is_there(file.parent) else []
            there = f"; Python files there: {listing(near)}" if near else ""
            raise ValueError(f"no such file: {file}{closest(file.name, near)}{there}")
        return CodeReference(file, found["function"])
    if not _MODULE.fullmatch(name):
        known = registered(kind)
        also = f", or a name that is registered here: {listing(known)}" if known else ""
        raise ValueError(
            f"got {name!r:.100}{closest(name, known)}; a function of your own is my_file.py:function or "
            f"package.module:function{also}"
        )
    return _in_module(name)


def _in_module(name: str, registered_as: str | None = None) -> CodeReference:
    found = _MODULE.fullmatch(name)
    if found is None:
        raise ValueError(f"{registered_as!r} is registered as {name!r:.100}, which is not package.module:function")
    spec = _spec_of(found["module"])
    if spec is None:
        raise ValueError(
            f"no module {found['module']!r} is installed; a file is written with .py, as in my_net.py:build"
        )
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise ValueError(f"the module {found['module']!r} is not Python source, whose signatures can be read")
    return CodeReference(Path(spec.origin).resolve(), found["function"], found["module"], registered_as)


def _spec_of(module: str) -> importlib.machinery.ModuleSpec | None:
    """Find a module without importing the packages that it is in, as `importlib.util.find_spec` would."""
    first, *rest = module.split(".")
    try:
        spec, name = importlib.util.find_spec(first), first
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = importlib.machinery.PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def read_source(file: Path) -> bytes:
    """Return the bytes of a file of code.

    Raises:
        ValueError: it cannot be read, or is too large.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"{file} is larger than {MAX_BYTES:,} bytes")
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from None


def parsed(source: bytes, file: Path) -> ast.Module:
    """Return the syntax tree of a file of code.

    Raises:
        ValueError: it is not Python.
    """
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{file}, line {error.lineno}: is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{file}: is not Python: {error}") from None


def code_files(reference: CodeReference) -> dict[str, bytes]:
    """Return the source of a function by path: its file first, then the modules beside it that it imports, and so on.

    Paths are relative to the folder of the file. Of an installed package this is the one file.

    Raises:
        ValueError: a file cannot be read or is not Python.
    """
    folder, first = reference.file.parent, reference.file.name
    found = {first: read_source(reference.file)}
    if reference.module is not None:
        return found
    waiting = [first]
    while waiting:
        path = waiting.pop(0)
        for module in _imported(parsed(found[path], folder / path), path):
            for inner in _files_of(module, folder):
                if inner not in found:
                    found[inner] = read_source(folder / inner)
                    waiting.append(inner)
        if len(found) > MAX_MODULES:
            raise ValueError(f"{reference.file} imports more than {MAX_MODULES} modules beside it")
    return {first: found[first], **{path: found[path] for path in sorted(found) if path != first}}


def _imported(tree: ast.Module, path: str) -> Iterator[str]:
    """Yield the dotted names of the modules that a file may import, wherever in it."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _files_of(module: str, folder: Path) -> Iterator[str]:
    """Yield the files in a folder, as paths in it, that are run when a module is imported; none if it is not there."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        inner = "/".join(parts[:count])
        for path in (f"{inner}/__init__.py", f"{inner}.py"):
            if (folder / path).is_file():
                yield path
                break


def digest_of(files: dict[str, bytes]) -> str:
    """Return the hexadecimal SHA-256 of the paths and contents of `code_files`."""
    total = hashlib.sha256()
    for path, source in files.items():
        total.update(f"{path}\0{hashlib.sha256(source).hexdigest()}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()
