"""`kerasexp.compare`: finished runs beside each other, as Python values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasexp.api.run_result import Run
from kerasexp.config.yaml_paths import with_home
from kerasexp.console import shown_path
from kerasexp.errors import Problem, UserError

if TYPE_CHECKING:
    from kerasexp.comparison.results import Comparison


class RunComparison:
    """Runs compared with the first of them. `kerasexp.compare` returns it.

    Its last value in a notebook's cell shows the table and which differences are significant; `print` shows the same as text.

    Attributes:
        runs: in the order given.
        report: the page; None where none was written.
    """

    def __init__(self, comparison: Comparison, report: Path | None):
        self._comparison = comparison
        self.runs = [Run(finished) for finished in comparison.runs]
        self.report = None if report is None else report.absolute()

    @property
    def verdicts(self) -> list[str]:
        """The conclusion on each other run, in words; empty if the test sets differ."""
        from kerasexp.comparison.table import verdicts

        return list(verdicts(self._comparison))

    @cached_property
    def results(self) -> dict[str, Any]:
        """What `compare --format json` prints: of each run its metrics and its `difference` from the first, and more."""
        return self._comparison.to_json()

    def __str__(self) -> str:
        from kerasexp.comparison.table import comparison_table

        return "\n".join(comparison_table(self._comparison))

    def __repr__(self) -> str:
        return f"<RunComparison of {', '.join(self._comparison.labels)}>"

    def _repr_html_(self) -> str:
        from kerasexp.api.notebook_html import comparison_html

        return comparison_html(self._comparison)


def compare(runs: Sequence[Run | str | PathLike[str]], *, output: str | PathLike[str] | None = None) -> RunComparison:
    """Compare finished runs with the first of them: metrics with intervals, McNemar's test, convergence.

    Args:
        runs: two to twelve runs, or their directories.
        output: an HTML file to write, with plots and the images on which the runs disagree.

    Raises:
        UserError: `runs` is no list of runs, too few or too many, a run given twice or not finished, or an output that is
            not HTML.

    Example:
        >>> comparison = kerasexp.compare([first, "runs/part2_pretrained"], output="comparison.html")
        >>> comparison.verdicts
    """
    from kerasexp.comparison.compare import compare_runs, write_page
    from kerasexp.report.page_output import check_page_output

    if isinstance(runs, str | PathLike | Run) or not all(isinstance(run, str | PathLike | Run) for run in runs):
        raise UserError(Problem("give a list of runs or their directories", key="runs"))
    paths = [Path(shown_path(run.path)) if isinstance(run, Run) else with_home(Path(run)) for run in runs]
    page = None if output is None else with_home(Path(output))
    if page is not None:
        check_page_output(page, "--output")
    comparison = compare_runs(paths)
    if page is not None:
        write_page(comparison, page)
    return RunComparison(comparison, page)
