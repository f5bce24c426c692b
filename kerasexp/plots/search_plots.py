"""The trials of a search: over time, by epoch, by their values, and how important these are."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from kerasexp.plots.style import BLUE, GREY, ORANGE, RED, empty_figure, new_figure, plain_axes
from kerasexp.plots.tick_labels import add_legend, drawable, tick_rotation, verbatim

COLOURS = "viridis"
# Of a panel: font size of its ticks in points, width of its axis in inches, and how many upright ticks fit.
TICK_SIZE, AXIS_WIDTH, MAX_TICKS = 8, 2.2, 15


def plot_best_so_far(minutes: list[float], scores: list[float], best: list[float], objective: str) -> Figure:
    """Draw the score of each trial when it ended, and the best score so far.

    Args:
        minutes: when each trial ended, in minutes since the search started.
        scores: of the same trials; NaN for those without one.
        best: best score after each trial.
        objective: name of the score.
    """
    figure, (axes,) = new_figure(7, 3.6)
    dots = axes.plot(minutes, scores, "o", color=GREY, alpha=0.6, markersize=5)
    line = axes.step([*minutes, minutes[-1]], [*best, best[-1]], where="post", color=BLUE)
    axes.set_xlabel("minutes of search")
    axes.set_ylabel(objective)
    plain_axes(axes)
    add_legend(figure, dots + line, ["trial", "best so far"], loc="outside upper center", ncols=2, frameon=False)
    return figure


def plot_trial_curves(curves: list[list[float]], best: int, ended_early: list[bool], quantity: str) -> Figure:
    """Draw the curve of each trial over its epochs, with a cross at the end of those that ended early.

    Args:
        curves: one value per epoch, for each trial.
        best: position of the best trial.
        ended_early: for each trial, whether it was trained for fewer epochs than its experiment has, and not continued.
        quantity: name of the values.
    """
    figure, (axes,) = new_figure(7, 3.8)
    others = crosses = []
    for k, curve in enumerate(curves):
        epochs = np.arange(1, len(curve) + 1)
        if k != best and curve:
            others = axes.plot(
                epochs, curve, color=GREY, alpha=0.5, linewidth=1, marker="." if len(curve) == 1 else None
            )
        if ended_early[k] and curve:
            crosses = axes.plot(epochs[-1], curve[-1], "x", color=RED, markersize=6)
    marker = "o" if len(curves[best]) == 1 else None
    top = axes.plot(np.arange(1, len(curves[best]) + 1), curves[best], color=BLUE, linewidth=2, marker=marker)
    plain_axes(axes)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_xlabel("epoch")
    axes.set_ylabel(quantity)
    names = ["best trial", *(["other trials"] if others else []), *(["ended early"] if crosses else [])]
    add_legend(figure, top + others + crosses, names, loc="outside upper center", ncols=3, frameon=False)
    return figure


def plot_parallel(
    names: list[str], ticks: list[list[tuple[float, str]]], places: np.ndarray, scores: np.ndarray
) -> Figure:
    """Draw each trial as a line through its values, coloured by its score, the best on top.

    Args:
        names: of the axes.
        ticks: for each axis, positions from 0 to 1 and their labels.
        places: float [trials, axes], from 0 to 1; -1 where the domain is not active, which interrupts the line.
        scores: float [trials], higher is better.
    """
    figure, (axes,) = new_figure(max(6.0, 1.35 * len(names)), 4.6)
    norm = mpl.colors.Normalize(*np.quantile(scores, [0.1, 1]))
    colours, lines = mpl.colormaps[COLOURS], np.where(places < 0, np.nan, places)
    for k in np.argsort(scores, kind="stable"):
        is_best = k == int(np.argmax(scores))
        axes.plot(
            lines[k],
            color=RED if is_best else colours(norm(scores[k])),
            linewidth=2.5 if is_best else 1.2,
            marker=".",
            alpha=1 if is_best else 0.7,
        )
    for column, marks in enumerate(ticks):
        axes.axvline(column, color="#c9c9c9", linewidth=0.8, zorder=0)
        for place, text in marks:
            behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
            style = {"fontsize": 8, "va": "center", "color": "#444444", "bbox": behind, "zorder": 3}
            axes.text(column + 0.04, place, text, **style, **verbatim(text))
    shown = drawable(names, 28)
    axes.set_xticks(range(len(names)), shown, rotation=20, ha="right", **verbatim(*shown))
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(names) - 0.4)
    axes.set_ylim(-0.05, 1.05)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=axes, label="score", fraction=0.04)
    return figure


def plot_importance(names: list[str], means: np.ndarray, sds: np.ndarray) -> Figure:
    """Draw the importance of each domain, with one standard deviation to each side.

    Args:
        names: of the domains, from top to bottom.
        means, sds: float [domains].
    """
    figure, (axes,) = new_figure(7, 1.2 + 0.34 * len(names))
    shown, places = drawable(names, 36), np.arange(len(names))
    axes.barh(places, means, xerr=sds, color=BLUE, ecolor=ORANGE, height=0.6)
    axes.set_yticks(places, shown, **verbatim(*shown))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("fall of R² when the values are shuffled")
    plain_axes(axes)
    return figure


def plot_slices(
    names: list[str],
    values: list[list[float]],
    ticks: list[list[str] | None],
    logs: list[tuple[float, float] | None],
    scores: list[list[float]],
    objective: str,
) -> Figure:
    """Draw the score against the value of each domain, over the trials in which it is active.

    Args:
        names: of the domains.
        values: for each domain, one per trial; for choices, their positions.
        ticks: for each domain, the names of its choices; None for numbers.
        logs: for each domain, its ends if the sampling is logarithmic; None for the others.
        scores: for each domain, the scores of the same trials.
        objective: name of the score.
    """
    if not names:
        return empty_figure("no trial has a score")
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure, panels = new_figure(3.4 * columns, 2.6 * rows, rows=rows, columns=columns)
    shown = drawable(names, 36)
    for k, axes in enumerate(panels):
        if k >= len(names):
            axes.set_axis_off()
            continue
        axes.plot(values[k], scores[k], "o", color=BLUE, alpha=0.6, markersize=4.5)
        if ticks[k] is not None:
            words = drawable(ticks[k], 14)
            rotation = tick_rotation(words, TICK_SIZE, AXIS_WIDTH)
            step = math.ceil(len(words) / MAX_TICKS)
            places, named = range(0, len(words), step), words[::step]
            axes.set_xticks(places, named, rotation=rotation, fontsize=TICK_SIZE, **verbatim(*named))
            axes.set_xlim(-0.5, len(words) - 0.5)
        elif logs[k] is not None:
            axes.set_xscale("log")
            marks = np.geomspace(*logs[k], 3)
            axes.set_xticks(marks, [f"{mark:.2g}" for mark in marks])
            axes.minorticks_off()
        elif all(float(value).is_integer() for value in values[k]):
            axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel(shown[k], **verbatim(shown[k]))
        if k % columns == 0:
            axes.set_ylabel(objective)
        plain_axes(axes)
    return figure
