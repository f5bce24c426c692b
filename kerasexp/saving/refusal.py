"""How the parts of this package say that a model file is not taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """The message says what about the file is not taken; `load_model` adds the file's name."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn what is raised within into a refusal: on a file of others' making, Keras and HDF5 raise whatever there is."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"{what}: {' '.join(str(error).split())[:300]}") from None
