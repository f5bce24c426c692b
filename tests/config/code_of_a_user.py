"""A user's own code, of each kind that an experiment may name; tests of the configuration read it and never run it."""

from pathlib import Path
from typing import Literal

raise RuntimeError("reading an experiment must not run code")

WIDTH = 32


def build(images, *, width: int = WIDTH, rate: float = 0.1, kind: Literal["a", "b"] | None = None):
    """A model."""


def poly(labels, logits, *, epsilon: float = 1.0):
    """A loss."""


def load(*, count: int = 200, database: Path | None = None):
    """A source."""


def brighten(images, seeds, *, by: float = 10.0):
    """An augmentation."""


def kappa(predictions, *, weights: str | None = None):
    """A metric."""


class Watch:
    """A callback."""

    def __init__(self, every: int = 1, **others):
        pass
