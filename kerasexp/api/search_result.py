"""`kerasexp.SearchResult`: the trials of a search and its winner, as Python values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasexp.api.classifier import Classifier
from kerasexp.api.run_result import in_any_folder
from kerasexp.api.study_result import StudyResult
from kerasexp.console import shown_path
from kerasexp.data.file_accounting import counted

if TYPE_CHECKING:
    from kerasexp.config import Experiment
    from kerasexp.search.run import FinishedSearch


class SearchResult(Classifier):
    """A finished search. `kerasexp.search` returns it; its model is that of the best trial.

    Its last value in a notebook's cell shows the best trials and the study of the winner.

    Attributes:
        path: the search directory.
        confirmation: the winner trained again with the seeds of `search.confirm`, a study; None where there are none.

    Example:
        >>> found = kerasexp.search("experiments/part2_search.yaml", set={"search.max_trials": 10})
        >>> found.best_values, found.confirmation.metrics["found"]["test_accuracy"]["mean"]
    """

    def __init__(self, finished: FinishedSearch):
        self._finished = in_any_folder(finished)
        self.path: Path = self._finished.path
        self.confirmation = None if finished.confirmation is None else StudyResult(finished.confirmation)

    @property
    def name(self) -> str:
        """The name of the search."""
        return self._finished.results.search.name

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Every trial with its `id`, `values`, `status`, `score`, `epochs`, `seconds` and more, in the order of their ends."""
        return [dict(vars(trial)) for trial in self._finished.results.trials]

    @property
    def best_values(self) -> dict[str, Any]:
        """The values of the best trial, by dotted key."""
        return self._finished.results.best.values

    @property
    def best_score(self) -> float:
        """The objective of the best trial on val, which is too optimistic because the trial was selected by it."""
        return self._finished.results.best.score

    @property
    def best(self) -> Experiment:
        """The experiment of the best trial, as in `best.yaml`."""
        from kerasexp.config import load_experiment

        return load_experiment(self._finished.directory.best)

    @property
    def report(self) -> Path:
        """The page `search.html`, which opens in a browser."""
        return self._finished.directory.page

    @property
    def checkpoint(self) -> Path:
        """The folder with the model of the best trial and what comes with it."""
        return self._finished.directory.checkpoint

    def __str__(self) -> str:
        from kerasexp.search.table import best_lines

        return "\n".join(best_lines(self._finished.results))

    def __repr__(self) -> str:
        results = self._finished.results
        objective = results.search.settings.objective
        found = f"{counted(len(results.trials), 'trial')}, {objective} {self.best_score:.4f}"
        return f"<SearchResult {self.name}: {found}, {shown_path(self.path)}>"

    def _repr_html_(self) -> str:
        from kerasexp.api.notebook_html import search_html

        return search_html(self._finished)
