"""`kerasexp.Run`: what a finished run left, as Python values."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kerasexp.api.classifier import Classifier
from kerasexp.api.image_predictions import ImagePredictions
from kerasexp.config.yaml_paths import with_home
from kerasexp.console import shown_path

if TYPE_CHECKING:
    from kerasexp.config import Experiment
    from kerasexp.runs.finished_run import FinishedRun
    from kerasexp.search.run import FinishedSearch
    from kerasexp.studies.run import FinishedStudy

    Finished = TypeVar("Finished", FinishedRun, FinishedStudy, FinishedSearch)


class Run(Classifier):
    """A finished run, read from its directory. `kerasexp.run` and `kerasexp.open_run` return it.

    Its last value in a notebook's cell shows the metrics with their intervals, the curves and the most confident mistakes.

    Attributes:
        path: the run directory.

    Example:
        >>> run = kerasexp.open_run("runs/part1_digits")
        >>> run.metrics["test"]["accuracy"], run.history["val_loss"].min()
    """

    path: Path

    def __init__(self, finished: FinishedRun):
        self._finished = in_any_folder(finished)
        self.path = self._finished.directory.path

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self._finished.name

    @property
    def experiment(self) -> Experiment:
        """The experiment with every default."""
        return self._finished.experiment

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`: `val`, `test`, `epochs`, `train_seconds` and more."""
        return self._finished.metrics

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of `manifest.json`: data, versions, hardware, times."""
        return self._finished.manifest

    @property
    def history(self) -> dict[str, np.ndarray]:
        """The columns of `history.csv`, float64 [epochs], such as `epoch`, `loss`, `val_accuracy`, `learning_rate`."""
        return self._finished.history

    @cached_property
    def predictions(self) -> ImagePredictions:
        """The predictions of the test split, with its labels.

        Probabilities are those of `predictions.csv`, as trained; those of `predict` are calibrated.

        Raises:
            UserError: `predictions.csv` is missing or damaged.
        """
        from kerasexp.evaluation.predictions_csv import read_predictions
        from kerasexp.runs.finished_run import class_names

        fitted = self.metrics.get("thresholds")
        thresholds = None if fitted is None else np.array(list(fitted.values()))
        found = read_predictions(self._finished.directory.predictions, class_names(self.metrics), thresholds)
        names, of_classes = np.array(found.names, str), np.array(found.class_names)
        return ImagePredictions(names, found.y_score, of_classes, found.y_true, thresholds)

    @property
    def report(self) -> Path:
        """The page `report.html`, which opens in a browser."""
        return self._finished.directory.report

    @property
    def checkpoint(self) -> Path:
        """The folder with the model and what comes with it."""
        return self._finished.directory.checkpoint

    def __repr__(self) -> str:
        from kerasexp.runs.finished_run import measured_split

        split = measured_split(self.metrics)
        found = self.metrics[split]
        interval = f"95 % interval {found['accuracy_low']:.4f} to {found['accuracy_high']:.4f}"
        return f"<Run {self.name}: {split} accuracy {found['accuracy']:.4f} ({interval}), {shown_path(self.path)}>"

    def _repr_html_(self) -> str:
        from kerasexp.api.notebook_html import run_html

        return run_html(self._finished)


def in_any_folder(finished: Finished) -> Finished:
    """Return what has finished with its absolute path, so that it is found after the working folder has changed."""
    directory = finished.directory
    return replace(finished, directory=type(directory)(directory.path.absolute()))


def open_run(path: str | PathLike[str]) -> Run:
    """Open a finished run.

    Args:
        path: a run directory, or a folder of numbered runs such as `runs/part1_digits`, of which the newest finished run is
            taken.

    Raises:
        UserError: there is no finished run, or one of its files is missing or damaged.

    Example:
        >>> run = kerasexp.open_run("runs/part1_digits")
        >>> run.predict("new_images").classes
    """
    from kerasexp.runs.finished_run import read_finished

    return Run(read_finished(with_home(Path(path))))
