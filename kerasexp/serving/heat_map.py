"""What a network looks at in an image, as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasexp.evaluation.interpretation import grad_cam

if TYPE_CHECKING:
    import keras


def heat_maps(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return the images in grey with the evidence for a class in colour, by Grad-CAM.

    Args:
        model: a classifier.
        images: uint8 [n, height, width, 1 or 3], as it takes them.
        classes: int [n], the class to explain in each.

    Returns:
        uint8 [n, height, width, 3]; None where the network has no convolution or the class no gradient.
    """
    import matplotlib

    heat = grad_cam(model, images, classes)
    if heat is None:
        return None
    # In grey, so that the image's colours are not mistaken for heat.
    grey = images.mean(axis=-1, keepdims=True)
    colours = matplotlib.colormaps["turbo"](heat)[..., :3] * 255
    return np.rint(0.5 * grey + 0.5 * colours).astype(np.uint8)
