"""A folder's disk that a test lets fail at any one of its writes."""

import builtins
import errno
import io
import os
from pathlib import Path

# What the system tells the name of; of an open file it knows the number alone.
NAMED = ("make", "create", "rename")


class FaultyDisk:
    """A folder's disk on which one write fails, or all from one on.

    A write is one of the steps that a file or folder takes to its place: `make`, `create`, `write` (its first bytes),
    `close` (its last), `sync` and `rename`. Those of the folder are noted in `done`, each with the file's name.
    """

    def __init__(self, folder: Path, monkeypatch):
        self.done: list[str] = []
        self._folder, self._names = folder.resolve(), {}
        self._at, self._errno, self._lasting = None, errno.ENOSPC, False
        system = {name: getattr(os, name) for name in ("open", "fsync", "replace", "mkdir")}
        opened = builtins.open

        def open_file(file, mode="r", *arguments, **named):
            if isinstance(file, int):
                inner, path = opened(file, mode, *arguments, **named), self._names.get(file)
            else:
                path = self._inside(file)
                if path is not None and set(mode) & set("wax+"):
                    self._step("create", path)
                inner = opened(file, mode, *arguments, **named)
            if path is None:
                return inner
            self._names[inner.fileno()] = path
            return _File(inner, lambda step: self._step(step, path)) if set(mode) & set("wax+") else inner

        def os_open(path, flags, *arguments, **named):
            found = self._inside(path) if flags & os.O_CREAT else None
            if found is not None:
                self._step("create", found)
            descriptor = system["open"](path, flags, *arguments, **named)
            self._names.pop(descriptor, None)
            if found is not None:
                self._names[descriptor] = found
            return descriptor

        def fsync(descriptor):
            if descriptor in self._names:
                self._step("sync", self._names[descriptor])
            system["fsync"](descriptor)

        def replace(source, target):
            if (path := self._inside(target)) is not None:
                self._step("rename", path)
            system["replace"](source, target)

        def mkdir(path, *arguments, **named):
            if (found := self._inside(path)) is not None and not os.path.isdir(path):
                self._step("make", found)
            system["mkdir"](path, *arguments, **named)

        for module, name, fake in (
            (builtins, "open", open_file), (io, "open", open_file), (os, "open", os_open), (os, "fsync", fsync),
            (os, "replace", replace), (os, "mkdir", mkdir),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, fake)

    def fail(self, at: int | None, number: int = errno.ENOSPC, lasting: bool = False) -> None:
        """Begin to count anew; let the write at that place fail, or none; `lasting`: and all that follow."""
        self.done, self._at, self._errno, self._lasting = [], at, number, lasting

    def _inside(self, path) -> str | None:
        full = os.path.abspath(path)
        return os.path.relpath(full, self._folder.parent) if full.startswith(str(self._folder)) else None

    def _step(self, step: str, path: str) -> None:
        self.done.append(f"{step} {path}")
        place = len(self.done) - 1
        if self._at is not None and (place == self._at or self._lasting and place > self._at):
            raise OSError(self._errno, os.strerror(self._errno), *([path] if step in NAMED else []))


class _File:
    """An open file that tells of its first and its last bytes."""

    def __init__(self, file, step):
        self._file, self._step, self._begun = file, step, False

    def write(self, content):
        if not self._begun:
            self._begun = True
            self._step("write")
        return self._file.write(content)

    def close(self):
        if self._file.closed:
            return
        # The file is closed even where its last bytes find no room.
        try:
            if self._begun:
                self._step("close")
        finally:
            self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __getattr__(self, name):
        return getattr(self._file, name)
