"""Trials in TensorBoard's HParams tab."""

from __future__ import annotations

from pathlib import Path

from kerasexp.config.setting_text import value_text
from kerasexp.search.results import SearchResults, Trial


def write_hparams(folder: Path, trial: Trial, results: SearchResults) -> None:
    """Write the values, the score and the curve of a trial; earlier files of the trial are removed."""
    import shutil

    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    shutil.rmtree(folder, ignore_errors=True)
    values = {
        name: value if isinstance(value, bool | int | float | str) else value_text(value)
        for name, value in trial.values.items()
    }
    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams(values, trial_id=trial.id)
        for epoch, value in enumerate(trial.curve, start=1):
            tf.summary.scalar("curve", value, step=epoch)
        if trial.score is not None:
            tf.summary.scalar(results.search.settings.objective, trial.score, step=trial.epochs)
