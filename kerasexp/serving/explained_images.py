"""What a network sees, and where it looks, as small PNG images."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from kerasexp.plots.grad_cam_grid import heated


def explained_image(image: np.ndarray, heat: np.ndarray) -> dict[str, str]:
    """Return `input`, what the network sees, and `heat_map`, where it looks: PNG images as data URLs.

    Args:
        image: uint8 [height, width, 1 or 3].
        heat: float32 [height, width] in 0..1.
    """
    seen = image[..., 0] if image.shape[2] == 1 else image
    return {"input": _data_url(seen), "heat_map": _data_url(np.rint(255 * heated(image, heat)).astype(np.uint8))}


def _data_url(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
