"""What a network looks at in an image, as an image; images as text."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from kerasexp.evaluation.interpretation import GradCam


def heat_maps(grad_cam: GradCam, images: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return the images in grey with the evidence for a class in colour, by Grad-CAM.

    Args:
        grad_cam: of the classifier.
        images: uint8 [n, height, width, 1 or 3], as it takes them.
        classes: int [n], the class to explain in each.

    Returns:
        uint8 [n, height, width, 3]; None where the network has no convolution or the class no gradient.
    """
    from kerasexp.plots.grad_cam_grid import heated

    heat = grad_cam.heat(images, classes)
    if heat is None:
        return None
    return np.stack([np.rint(255 * heated(image, cam)) for image, cam in zip(images, heat, strict=True)]).astype(
        np.uint8
    )


def png_text(image: np.ndarray) -> str:
    """Return an image, uint8 [height, width] or [height, width, 1 or 3], as PNG in base64."""
    stored = image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image
    return base64.b64encode(cv2.imencode(".png", stored)[1].tobytes()).decode("ascii")
