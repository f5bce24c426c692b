"""Raw images, as files hold them: which models can take them, and how exactly they then agree with the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasexp.saving.half_precision import computes_in_half

if TYPE_CHECKING:
    import keras

    from kerasexp.data.value_range import ValueRange

# Channels of a raw image; that of a grey one is repeated.
CHANNELS = 3
# Of probabilities. A pixel of a hundred may differ by 1/255; in half precision, its rounding is added.
TOLERANCE, HALF_TOLERANCE = 1e-3, 1e-2


def why_not_raw(value_range: ValueRange | None) -> str | None:
    """Return why a model cannot take the files of its training as images of 8 bits; None if it can."""
    if value_range is None or not value_range.applies_to_16_bit_files or value_range.high <= 255:
        return None
    return f"it was trained on values {value_range} of more than 8 bits, and raw images have 8"


def as_stored(image: np.ndarray, value_range: ValueRange | None) -> np.ndarray:
    """Return an image of 0..255 with the values that a checkpoint's files of 8 bits have."""
    if value_range is None or value_range.of != "files":
        return image
    low, high = value_range.bounds
    return np.rint(low + image * ((high - low) / 255)).astype(np.uint8)


def raw_tolerance(classifier: keras.Model) -> float:
    """Return the largest difference allowed between the probabilities of a model of raw images and the classifier's."""
    return HALF_TOLERANCE if computes_in_half(classifier) else TOLERANCE


def preprocessing_layer(model: keras.Model) -> keras.layers.Layer | None:
    """Return the layer `Preprocess` of a model of raw images; None if it has none."""
    return next((layer for layer in model.layers if type(layer).__name__ == "Preprocess"), None)
