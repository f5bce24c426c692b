"""The import of a user's file, and calls of its functions, whose errors are shown as theirs."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasexp.config.code_keys import custom_parts
from kerasexp.config.code_reference import CodeReference, code_files, digest_of
from kerasexp.config.custom_code import CustomCode
from kerasexp.config.experiment import Experiment
from kerasexp.config.yaml_paths import find_file
from kerasexp.custom.trust import require_trust
from kerasexp.errors import KerasexpError, Problem, RunError, UserError

# (file, digest of the code) -> what was imported of it.
_imported: dict[tuple[Path, str], CodeFolder] = {}
# What a user's code may raise as its fault. `sys.exit` is one too: it would end the command without a word. Ctrl-C is none.
FAULTS = (Exception, SystemExit)


class CodeError(RunError):
    """An exception in a user's code: its file, line, function and text."""


class CodeFolder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The modules of one reference. Only those are imported that the digest covers, and from source: no other file runs.

    Outside the block `active`, they are in no table of Python's, so that two experiments may have modules of the same names.
    """

    def __init__(self, reference: CodeReference, files: dict[str, bytes]):
        self.folder, self._files = reference.file.parent, files
        self._paths = {_module_name(path): path for path in files}
        # Their folders without an __init__.py: packages too, which hold nothing but these modules.
        self._folders = {folder for name in self._paths for folder in _packages_of(name)} - self._paths.keys()
        self._names = self._paths.keys() | self._folders
        self._modules: dict[str, ModuleType] = {}
        self._name = reference.file.stem
        self.module: ModuleType | None = None

    @property
    def files(self) -> set[str]:
        """The absolute paths of its files."""
        return {str(self.folder / path) for path in self._files}

    def run(self) -> None:
        """Import the first file."""
        with self.active():
            self.module = importlib.import_module(self._name)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let imports find these modules within the block."""
        before = {name: sys.modules.pop(name) for name in self._names if name in sys.modules}
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            found = {name: sys.modules.pop(name) for name in self._names if name in sys.modules}
            self._modules.update(found)
            sys.modules.update(before)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None):
        if name in self._folders:
            return ModuleSpec(name, None, is_package=True)
        if name not in self._paths:
            return None
        place = self.folder / self._paths[name]
        is_package = place.name == "__init__.py"
        spec = ModuleSpec(name, self, origin=str(place), is_package=is_package)
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        source = self._files[self._paths[module.__name__]]
        exec(compile(source, module.__spec__.origin, "exec", dont_inherit=True), module.__dict__)


def _module_name(path: str) -> str:
    return path.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")


def _packages_of(module: str) -> Iterator[str]:
    """Yield the names of the packages that a module is in."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def import_code(code: CustomCode) -> Callable[..., Any]:
    """Import a user's function, and return it with the keys of its section, paths made `Path`, still to be given the rest.

    Raises:
        UserError: the code is not trusted, or has changed since the experiment was read, or has no such function.
        CodeError: it raised an exception.
    """
    require_trust(code)
    reference = code.reference
    files = code_files(reference)
    if digest_of(files) != code.digest:
        raise UserError(
            Problem("has changed since the experiment was read; run the command again", str(reference.file))
        )
    folder = _imported.get((reference.file, code.digest))
    if folder is None:
        folder = CodeFolder(reference, files)
        with shown_as_theirs(folder, code.name):
            if reference.module is None:
                folder.run()
            else:
                folder.module = importlib.import_module(reference.module)
        _imported[reference.file, code.digest] = folder
    function = getattr(folder.module, reference.function, None)
    if not callable(function):
        raise UserError(Problem(f"has no function {reference.function!r} once it has run", str(reference.file)))
    arguments = _arguments(code)

    def call(*given: Any) -> Any:
        with shown_as_theirs(folder, code.name), folder.active():
            return _run_out(function(*given, **arguments))

    call.__name__ = reference.function
    return call


def import_all(experiment: Experiment) -> None:
    """Import all code of an experiment, whose modules may draw random numbers when they run; raises as `import_code`."""
    for _, code in custom_parts(experiment):
        import_code(code)


def _run_out(result: Any) -> Any:
    """Return a result with lists in place of generators, whose code runs when they are read."""
    if isinstance(result, dict):
        return {key: _run_out(value) for key, value in result.items()}
    return list(result) if inspect.isgenerator(result) else result


def _arguments(code: CustomCode) -> dict[str, Any]:
    """Return the keyword arguments, with a `Path` for each file."""
    paths = {name for name, parameter in code.signature().parameters.items() if parameter.is_path}
    return {
        name: (find_file(value) or Path(value)) if name in paths and isinstance(value, str) else value
        for name, value in code.arguments.items()
    }


@contextmanager
def shown_as_theirs(folder: CodeFolder, called: str) -> Iterator[None]:
    """Turn an exception of the block into a CodeError; errors of ours, and those asked for by Ctrl-C, stay.

    Raises:
        CodeError: with the last line of the user's files that was reached.
    """
    try:
        yield
    except KerasexpError:
        raise
    except FAULTS as error:
        raise CodeError(_text(error, folder.files) or f"{called}: {_described(error)}") from error


def code_error(error: BaseException) -> CodeError | None:
    """Return the CodeError for an exception that passed through a user's code, such as a callback; None for any other."""
    files = {file for folder in _imported.values() for file in folder.files}
    text = _text(error, files) if isinstance(error, FAULTS) else None
    return None if text is None else CodeError(text)


def _text(error: BaseException, files: set[str]) -> str | None:
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{error.filename}, line {error.lineno}: {_described(error)}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    if not frames:
        return None
    last = frames[-1]
    where = "" if last.name == "<module>" else f", in {last.name}"
    return f"{last.filename}, line {last.lineno}{where}: {_described(error)}"


def _described(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__
