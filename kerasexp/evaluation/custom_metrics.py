"""Metrics of a user's own: functions of the predictions of one split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from kerasexp.config.custom_code import CustomMetric
from kerasexp.custom.code_import import CodeError, import_code
from kerasexp.errors import Problem, UserError
from kerasexp.evaluation.metrics import METRICS, Metric
from kerasexp.evaluation.predictions import Predictions


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
            if name in METRICS or name in self or name == "per_class":
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
