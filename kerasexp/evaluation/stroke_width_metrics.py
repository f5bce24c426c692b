"""Accuracy on strokes of other widths: the same images of val, drawn with a thinner and a thicker pen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.config.data_section import Data
from kerasexp.data.decoding_threads import map_threads
from kerasexp.data.disk_arrays import MAX_IN_MEMORY
from kerasexp.data.pen_width import find_strokes
from kerasexp.data.prepared_data import Split
from kerasexp.data.preprocessing import preprocess
from kerasexp.data.source import Images
from kerasexp.data.sources import load_source
from kerasexp.errors import KerasexpError
from kerasexp.evaluation.intervals import wilson_interval
from kerasexp.evaluation.metric_limits import sampled_note, sampled_positions
from kerasexp.evaluation.metrics import case_insensitive_accuracy
from kerasexp.evaluation.predictions import Predictions, predict_split
from kerasexp.report.report_missing_parts import Unavailable

if TYPE_CHECKING:
    import keras

MOST_IMAGES = 10_000


def stroke_width_metrics(
    model: keras.Model,
    data: Data,
    split: Split,
    val: Predictions,
    factors: list[float],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return the accuracy for each factor of the pen's width, and notes on what was sampled or left as it is.

    The stored images are thinned or thickened at full resolution and preprocessed as always. For a factor of 1, the
    predictions are those of val itself. An image without ink is left as it is.

    Args:
        model: of the checkpoint.
        data: the section of the experiment, from which the stored images are read again.
        split: val.
        val: its predictions.
        factors: of the width; 1 is added.
        progress: called with (done, total) while images are drawn.

    Raises:
        Unavailable: the stored images are no longer there, or none has ink.
        BrokenImage: an image has changed since.
    """
    others = sorted({*factors} - {1.0})
    most = MAX_IN_MEMORY // (max(len(others), 1) * split.images[:1].nbytes)
    positions = sampled_positions(len(split), min(MOST_IMAGES, max(most, 1)))
    notes = [] if len(positions) == len(split) else [sampled_note("val: stroke widths", len(positions), len(split))]
    split, val = split.take(positions), val.take(positions)
    drawn, pens = _drawn(stored_images(data, split), data, others, progress)
    if np.isnan(pens).all():
        raise Unavailable("no image of val has ink")
    if blank := int(np.isnan(pens).sum()):
        notes.append(f"val: stroke widths: {blank:,} of {len(pens):,} images have no ink, and are used as they are.")
    predicted = {1.0: val}
    for number, factor in enumerate(others):
        predicted[factor] = predict_split(model, replace(split, images=drawn[number]), val.class_names)
    rows = [{"factor": factor, **_accuracy(predicted[factor])} for factor in sorted(predicted)]
    return {"images": len(pens), "pen_width": round(float(np.nanmedian(pens)), 2), "factors": rows}, notes


def stored_images(data: Data, split: Split) -> Images:
    """Return the stored images of val as its source has them, before any preprocessing.

    Raises:
        Unavailable: they are no longer there.
    """
    try:
        source, _ = load_source(data)
    except KerasexpError as error:
        raise Unavailable(str(error)) from None
    images = source.splits.get("val", source.splits["train"])
    places = {name: place for place, name in enumerate(images.names)}
    if absent := [name for name in split.names if name not in places]:
        raise Unavailable(f"the stored images of val are no longer there, such as {absent[0]}")
    return images.take(np.array([places[name] for name in split.names]))


def _drawn(
    stored: Images, data: Data, factors: list[float], progress: Callable[[int, int], None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the preprocessed images, uint8 [factors, n, height, width, channels], and pen widths, NaN without ink."""
    config = data.preprocessing
    drawn = np.empty((len(factors), len(stored), *config.size, config.channels), np.uint8)

    def one(position: int) -> float:
        image = stored.read(position)
        strokes = find_strokes(image)
        for number, factor in enumerate(factors):
            changed = image if strokes is None else strokes.drawn(factor)
            drawn[number, position] = preprocess(changed, config)
        return np.nan if strokes is None else strokes.pen_width

    pens = np.empty(len(stored))
    for position, pen in enumerate(map_threads(one, range(len(stored)))):
        pens[position] = pen
        if progress is not None:
            progress(position + 1, len(stored))
    return drawn, pens


def _accuracy(predictions: Predictions) -> dict[str, float]:
    accuracy = float(predictions.correct.mean())
    low, high = wilson_interval(accuracy, len(predictions))
    without_case = case_insensitive_accuracy(predictions)
    return {
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        **({} if without_case is None else {"case_insensitive_accuracy": without_case}),
    }
