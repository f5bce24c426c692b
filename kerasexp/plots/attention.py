"""Where the model looked when it was wrong."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.names import drawable
from kerasexp.plots.pictures import MAX_TITLE, draw_picture
from kerasexp.plots.style import new_figure, nothing


def plot_grad_cam(
    images: np.ndarray,
    predicted_cam: np.ndarray,
    true_cam: np.ndarray,
    y_true: np.ndarray,
    y_score: np.ndarray,
    class_names: list[str],
) -> Figure:
    """Draw mistakes in three cells each: the picture, what spoke for the predicted class, and what for the true one.

    Args:
        images: uint8 [n, height, width, 1 or 3].
        predicted_cam: heat for the predicted class, float [n, height, width] in 0 to 1.
        true_cam: the same for the true class.
        y_true: int [n].
        y_score: float [n, classes].
        class_names: in the order of the classes.
    """
    count = len(images)
    if not count:
        return nothing("no mistakes")
    names = drawable(class_names, MAX_TITLE)
    columns = 3 * min(count, 2)
    rows = -(-3 * count // columns)
    figure, axes = new_figure(1.75 * columns, 2.2 * rows, rows, columns)
    for cell in axes[3 * count :]:
        cell.set_axis_off()
    for k, (image, true, score) in enumerate(zip(images, y_true, y_score, strict=True)):
        predicted = int(score.argmax())
        plain, for_predicted, for_true = axes[3 * k : 3 * k + 3]
        draw_picture(plain, image, f"picture of\n{names[true]}")
        for cell, cam, of in ((for_predicted, predicted_cam[k], predicted), (for_true, true_cam[k], true)):
            title = f"what speaks for\n{names[of]}  {score[of]:.0%}"
            draw_picture(cell, _heated(image, cam), title, wrong=of == predicted)
    return figure


def _heated(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    # Without its own colours the picture does not mix with those of the heat.
    grey = image.mean(axis=-1, keepdims=True) / 255
    return 0.5 * grey + 0.5 * matplotlib.colormaps["turbo"](cam)[..., :3]
