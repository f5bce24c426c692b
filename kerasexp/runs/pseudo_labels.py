"""Labels from a model that has learned what images are NOT: its best guess among the classes that are left."""

from __future__ import annotations

from dataclasses import replace

import keras

from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.evaluation.predictions import predict_split


def pseudo_labelled(data: PreparedData, upstream: keras.Model) -> PreparedData:
    """Return the data with new labels in train and val; each image gets the most likely class but the excluded one.

    Args:
        data: whose labels in train and val name classes that the images are not of.
        upstream: a classifier of the same images and classes.
    """
    splits = {name: _guessed(data.splits[name], upstream, data.class_names) for name in ("train", "val")}
    return replace(data, splits={**data.splits, **splits})


def _guessed(split: Split, upstream: keras.Model, class_names: list[str]) -> Split:
    scores = predict_split(upstream, split, class_names).y_score.copy()
    scores[range(len(split)), split.labels] = -1
    return replace(split, labels=scores.argmax(axis=1))
