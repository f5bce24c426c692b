"""Metrics of a user's own: functions of the predictions of one split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from kerasexp.config import load_experiment
from kerasexp.config.custom_code import CustomMetric
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.custom.trust import is_run_directory, is_trusted
from kerasexp.errors import KerasexpError, Problem, UserError, listing
from kerasexp.evaluation.metrics import METRICS, Metric
from kerasexp.evaluation.multi_label_metrics import MULTI_LABEL_METRICS
from kerasexp.evaluation.predictions import Predictions
from kerasexp.saving.checkpoint import experiment_file


class CustomMetrics(dict[str, Metric]):
    """The metrics of an experiment, by name; one that fails is left out of a split, and `notes` says why."""

    def __init__(self, metrics: Sequence[CustomMetric]):
        """Import the functions.

        Raises:
            UserError: the code is not trusted, or two metrics have one name.
            CodeError: a file raised an exception.
        """
        super().__init__()
        self.notes: list[str] = []
        for position, metric in enumerate(metrics):
            name = metric.reference.function
            if name in {*METRICS, *MULTI_LABEL_METRICS, *self, "per_class"}:
                message = f"there is a metric {name!r} already; give the function another name"
                raise UserError(Problem(message, metric.name, f"metrics.{position}"))
            self[name] = self._guarded(name, import_code(metric))

    def _guarded(self, name: str, function: Any) -> Metric:
        def measured(predictions: Predictions) -> float | None:
            try:
                value = function(predictions)
            except CodeError as error:
                self.notes.append(f"the metric {name} failed: {error}")
                return None
            if value is None:
                return None
            if not isinstance(value, Real) or not math.isfinite(value):
                self.notes.append(
                    f"the metric {name} is left out: it returned {value!r:.100}, which is no finite number"
                )
                return None
            return int(value) if isinstance(value, int) else float(value)

        return measured


def metrics_of_run(checkpoint: Path) -> tuple[list[CustomMetric], list[str]]:
    """Return the metrics of a user's own in the experiment of a checkpoint's run, and notes on what cannot be read.

    Args:
        checkpoint: a checkpoint folder. One that is not in a run directory has no such metrics.
    """
    experiment = experiment_file(checkpoint)
    if not (is_run_directory(experiment.parent) and experiment.is_file()):
        return [], []
    try:
        return list(load_experiment(experiment).metrics), []
    except UserError as error:
        return [], [f"metrics of the run's own code are not computed: its experiment cannot be read: {error}"]


def trusted_metrics(metrics: Sequence[CustomMetric]) -> CustomMetrics:
    """Import those metrics whose code may run; `notes` of the result names the others."""
    refused = [metric.name for metric in metrics if not is_trusted(metric)]
    try:
        found = CustomMetrics([metric for metric in metrics if is_trusted(metric)])
    except KerasexpError as error:
        found = CustomMetrics([])
        found.notes.append(f"metrics of the run's own code are not computed: {error}")
    if refused:
        what = "this code is" if len(refused) == 1 else "these pieces of code are"
        found.notes.append(
            f"metrics of the run's own code are not computed, because {what} not trusted: {listing(refused)}; "
            "read it and add --trust-code"
        )
    return found
