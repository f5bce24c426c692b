"""Models from stored images to probabilities: the preprocessing, then a classifier."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import keras
import numpy as np

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.preprocess_layer import Preprocess
from kerasexp.data.preprocessing import preprocess
from kerasexp.saving.raw_images import CHANNELS
from kerasexp.saving.stock_preprocessing import stock_preprocessing

if TYPE_CHECKING:
    from kerasexp.data.value_range import ValueRange


def raw_model(
    classifier: keras.Model,
    config: Preprocessing,
    value_range: ValueRange | None,
    size: tuple[int, int] | None,
    stock: bool = False,
) -> keras.Model:
    """Return a model from uint8 images [n, height, width, 3] to the outputs of a classifier.

    Args:
        classifier: from preprocessed images.
        config: the preprocessing.
        value_range: of the checkpoint, one that `why_not_raw` accepts.
        size: height and width of the images; None for any.
        stock: whether to use layers of Keras alone, of which `why_not_stock` says whether they can do it.
    """
    images = keras.Input((*(size or (None, None)), CHANNELS), dtype="uint8", name=f"{classifier.name}_images")
    bounds = value_range if value_range is not None and value_range.of == "files" else None
    if stock:
        small = stock_preprocessing(images, config, bounds, f"{classifier.name}_preprocess")
    else:
        given = None if bounds is None else list(bounds.bounds)
        small = Preprocess.of(config, value_range=given, name=f"{classifier.name}_preprocess")(images)
    return keras.Model(images, classifier(small), name=f"{classifier.name}_raw")


def placed_aside(config: Preprocessing, image: np.ndarray) -> bool:
    """Return whether `Preprocess` places the ink of an image one pixel aside, as `framing: center` may.

    Where the centre of mass lies exactly between two pixels, as that of symmetric ink does, the last digit of a sum decides.

    Args:
        config: the preprocessing.
        image: uint8 [height, width, 1 or 3], with values in 0..255.
    """
    if config.framing != "center":
        return False
    expected, got = preprocess(image, config).astype(int), np.asarray(Preprocess.of(config)(image)).astype(int)
    if np.abs(got - expected).max() <= 1:
        return False
    moves = itertools.product((-1, 0, 1), repeat=2)
    return any(np.abs(np.roll(got, move, (0, 1)) - expected).max() <= 1 for move in moves)
