"""The error of a model file that is not accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """A model file is not accepted. The message says why; `load_model` adds the name of the file."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn any exception of the block into Refused: for a strange file, Keras and HDF5 raise exceptions of any kind."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"{what}: {' '.join(str(error).split())[:300]}") from None
