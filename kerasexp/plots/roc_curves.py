"""ROC and precision-recall curves of each class against the rest."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kerasexp.plots.style import GREY, PALETTE, empty_figure, new_figure, plain_axes
from kerasexp.plots.tick_labels import add_legend, drawable

Curve = tuple[np.ndarray, np.ndarray] | None
# With more classes than colours, only this many are coloured: the worst.
WORST = 3


def plot_one_vs_rest(
    roc: list[Curve], pr: list[Curve], auc: np.ndarray, average_precision: np.ndarray, class_names: list[str]
) -> Figure:
    """Draw the ROC and the precision-recall curve of each class against the rest; the thick line is their mean.

    Args:
        roc: per class, false and true positive rate, float [points] each, ascending; None where undefined.
        pr: per class, recall and precision, float [points] each; None where undefined.
        auc: float [classes], NaN where undefined.
        average_precision: float [classes], NaN where undefined.
        class_names: in the order of the classes.
    """
    if all(curve is None for curve in roc):
        return empty_figure("undefined: all images are of one class")
    names = drawable(class_names, 16)
    figure, (left, right) = new_figure(10.5, 5.9, columns=2)
    corner = _corner(auc)
    handles, labels = _draw_curves(left, roc, auc, names)
    handles += left.plot(*_mean(roc), color="black", linewidth=2.6)
    labels.append(f"mean of the classes  {np.nanmean(auc):.4f}")
    if corner == 1:
        left.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
    _frame(left, "ROC", "false positive rate", "true positive rate", corner)
    left.set_xlim(-0.02 * corner, 1.02 * corner)
    _legend(left, handles, labels, "area under the curve", auc)

    corner = _corner(average_precision)
    handles, labels = _draw_curves(right, pr, average_precision, names, drawstyle="steps-post")
    _frame(right, "Precision and recall", "recall", "precision", corner)
    right.set_xlim(1 - 1.02 * corner, 1 + 0.02 * corner)
    _legend(right, handles, labels, "average precision", average_precision)
    return figure


def _draw_curves(
    axes: Axes, curves: list[Curve], areas: np.ndarray, names: list[str], **style: str
) -> tuple[list[Line2D], list[str]]:
    defined = [k for k, curve in enumerate(curves) if curve is not None]
    named = defined if len(names) <= len(PALETTE) else sorted(defined, key=lambda k: areas[k])[:WORST]
    for k in set(defined) - set(named):
        axes.plot(*curves[k], color=GREY, alpha=0.5, linewidth=0.5, **style)
    handles = [
        axes.plot(*curves[k], color=PALETTE[colour], linewidth=1.3, **style)[0] for colour, k in enumerate(named)
    ]
    return handles, [f"{names[k]}  {areas[k]:.4f}" for k in named]


def _mean(roc: list[Curve]) -> tuple[np.ndarray, np.ndarray]:
    # Dense near 0, where the curves of a good model rise.
    rates = np.concatenate([[0], np.geomspace(1e-5, 1, 500)])
    means = np.mean([np.interp(rates, *curve) for curve in roc if curve is not None], axis=0)
    return np.concatenate([[0], rates]), np.concatenate([[0], means])


def _corner(areas: np.ndarray) -> float:
    worst = np.nanmin(areas)
    return 0.05 if worst > 0.998 else 0.2 if worst > 0.98 else 1


def _frame(axes: Axes, title: str, across: str, up: str, corner: float) -> None:
    plain_axes(axes)
    axes.set_title(title if corner == 1 else f"{title}: only the corner, enlarged {1 / corner:.0f} times")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_ylim(1 - 1.02 * corner, 1 + 0.02 * corner)


def _legend(axes: Axes, handles: list[Line2D], labels: list[str], title: str, areas: np.ndarray) -> None:
    if len(areas) > len(PALETTE):
        title += f" of the {WORST} worst classes"
    undefined = int(np.isnan(areas).sum())
    if undefined:
        title += f" (undefined for {undefined} of {len(areas)} classes)"
    style = {"fontsize": 9, "title_fontsize": 9, "frameon": False}
    add_legend(axes, handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, title=title, **style)
