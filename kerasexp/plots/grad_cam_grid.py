"""Grad-CAM heat maps of misclassified images."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.image_grid import GAP, LINE, MAX_TITLE, PAD, draw_image, new_sheet
from kerasexp.plots.style import empty_figure
from kerasexp.plots.tick_labels import drawable

# Cell of an image, in inches.
WIDTH, HEIGHT = 1.75, 2.2


def plot_grad_cam(
    images: np.ndarray,
    predicted_cam: np.ndarray,
    true_cam: np.ndarray,
    y_true: np.ndarray,
    y_score: np.ndarray,
    class_names: list[str],
) -> Figure:
    """Draw each mistake in three cells: the image, and the heat maps of the predicted and of the true class.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        predicted_cam: heat map of the predicted class, float [n, height, width] in 0 to 1.
        true_cam: the same for the true class.
        y_true: int [n].
        y_score: float [n, classes].
        class_names: in the order of the classes.
    """
    count = len(images)
    if not count:
        return empty_figure("no mistakes")
    names = drawable(class_names, MAX_TITLE)
    abreast = min(count, 2)
    figure, sheet = new_sheet(3 * WIDTH * abreast, HEIGHT * -(-count // abreast))
    for k, (image, true, score) in enumerate(zip(images, y_true, y_score, strict=True)):
        row, place = divmod(k, abreast)
        predicted = int(score.argmax())
        cells = [(image, f"image of\n{names[true]}", False)]
        for cam, of in ((predicted_cam[k], predicted), (true_cam[k], true)):
            cells.append((heated(image, cam), f"evidence for\n{names[of]}  {score[of]:.0%}", of == predicted))
        top = row * HEIGHT + 2 * LINE + GAP
        for column, (shown, title, wrong) in enumerate(cells, 3 * place):
            draw_image(sheet, shown, column * WIDTH + PAD, top, WIDTH - 2 * PAD, title, wrong)
    return figure


def heated(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Return an image with its heat map, float [height, width, 3] in 0..1."""
    # In grey, so that the image's colours are not mistaken for heat.
    grey = image.mean(axis=-1, keepdims=True) / 255
    return 0.5 * grey + 0.5 * matplotlib.colormaps["turbo"](cam)[..., :3]
