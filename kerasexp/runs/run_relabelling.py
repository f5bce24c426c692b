"""The labels that a run learns from and answers with, where these are not those of its data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.config.head_section import ZeroShot
from kerasexp.config.model_section import classical_head
from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.evaluation.predictions import predict_split
from kerasexp.saving.checkpoint import load_checkpoint


def relabelled(experiment: Experiment, data: PreparedData, upstream: Path | None) -> PreparedData:
    """Return the data with the classes that the model may answer, and with pseudo-labels where they are asked for.

    A pseudo-label is the upstream model's most likely class but the one that the image's complementary label excludes.

    Args:
        experiment: resolved and validated.
        data: as the experiment asks for them.
        upstream: the checkpoint that the experiment starts from, or None.
    """
    match classical_head(experiment.model):
        case (_, ZeroShot() as zero_shot):
            data = replace(data, class_names=zero_shot.answers(data.class_names))
    if upstream is None or not experiment.init.pseudo_labels:
        return data
    model = load_checkpoint(upstream).model

    def pseudo_labelled(split: Split) -> Split:
        scores = predict_split(model, split, data.class_names).y_score.copy()
        scores[range(len(split)), split.labels] = -1
        return replace(split, labels=scores.argmax(axis=1))

    return replace(data, pseudo_labelled={name: pseudo_labelled(data.splits[name]) for name in ("train", "val")})
