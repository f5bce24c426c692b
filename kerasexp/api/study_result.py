"""`kerasexp.StudyResult`: the runs of a study and their comparison, as Python values."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasexp.api.run_result import Run, in_any_folder, open_run
from kerasexp.console import shown_path

if TYPE_CHECKING:
    from kerasexp.config import Study
    from kerasexp.studies.run import FinishedStudy


class StudyResult:
    """A finished study. `kerasexp.run` returns it for an experiment with `variants` or `seeds`.

    Its last value in a notebook's cell shows the table of variants and the differences from the first; `print` shows the same
    as text.

    Attributes:
        path: the study directory.

    Example:
        >>> study = kerasexp.run({"data": "digits", "seeds": [0, 1], "variants": {"cnn": {}, "mlp": {"model": "mlp"}}})
        >>> study.metrics["cnn"]["test_accuracy"]["mean"], study.runs["cnn"][0].report
    """

    def __init__(self, finished: FinishedStudy):
        self._finished = in_any_folder(finished)
        self.path: Path = self._finished.path

    @property
    def name(self) -> str:
        """The name of the study."""
        return self._finished.results.study.name

    @property
    def study(self) -> Study:
        """What was run."""
        return self._finished.results.study

    @cached_property
    def results(self) -> dict[str, Any]:
        """The content of `study.json`: of each variant its metrics, its differences from the first, and its runs."""
        return self._finished.results.to_json()

    @property
    def metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """By variant and metric, such as `test_accuracy`: mean, standard deviation and interval over the seeds."""
        return {variant["name"]: variant["metrics"] for variant in self.results["variants"]}

    @cached_property
    def runs(self) -> dict[str, dict[int, Run]]:
        """The finished runs by variant and seed."""
        return {
            variant.name: {o.seed: open_run(self.path / o.folder) for o in variant.outcomes if o.status == "finished"}
            for variant in self._finished.results.variants
        }

    @property
    def report(self) -> Path:
        """The page `study.html`, which opens in a browser."""
        return self._finished.directory.page

    def __str__(self) -> str:
        return self._finished.table

    def __repr__(self) -> str:
        results = self._finished.results
        seeds = len(results.study.seeds)
        return f"<StudyResult {self.name}: {len(results.variants)} variants, {seeds} seeds, {shown_path(self.path)}>"

    def _repr_html_(self) -> str:
        from kerasexp.api.notebook_html import study_html

        return study_html(self._finished)
