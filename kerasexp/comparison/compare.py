"""`compare`: finished runs side by side, as a table, as JSON, and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kerasexp.comparison.results import Comparison, compare
from kerasexp.data.prepared_data import Split, prepare
from kerasexp.errors import KerasexpError, Problem, UserError
from kerasexp.runs.finished_run import FinishedRun, measured_split, read_finished

MAX_RUNS = 12


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compare runs with the first one.

    Args:
        paths: two to twelve run directories, or folders of numbered runs; of a folder, the newest finished run counts.

    Raises:
        UserError: too few or too many runs, or a run given twice or not finished.
    """
    if not 2 <= len(paths) <= MAX_RUNS:
        raise UserError(Problem(f"got {len(paths)}; give 2 to {MAX_RUNS} runs", "RUN..."))
    runs = [read_finished(path) for path in paths]
    seen: dict[Path, Path] = {}
    for path, run in zip(paths, runs, strict=True):
        if measured_split(run.metrics) != "test":
            raise UserError(Problem("is a trial of a search, which is measured on val alone", str(path)))
        if (same := seen.setdefault(run.directory.path.resolve(), path)) is not path:
            raise UserError(Problem(f"is the same run as {same}: {run.directory.path}", str(path)))
    return compare(runs)


def write_page(comparison: Comparison, output: Path) -> None:
    """Write a comparison as an HTML file, with the images on which the runs disagree where their data can be loaded."""
    from kerasexp.comparison.page import write_comparison_page  # it imports Matplotlib

    images, missing = _test_images(comparison.runs[0]) if comparison.same_test else (None, None)
    write_comparison_page(output, comparison, images, missing)


def comparison_json(comparison: Comparison, page: Path) -> str:
    """Return a comparison as JSON, with the place of its page."""
    return json.dumps({**comparison.to_json(), "page": str(page)}, indent=2, ensure_ascii=False, allow_nan=False)


def _test_images(run: FinishedRun) -> tuple[Split | None, str | None]:
    """Load the test split of a run's experiment again; return it, or None and the reason."""
    try:
        data = prepare(run.experiment.data)
    except KerasexpError as error:
        return None, str(error)
    if data.split_digests["test"] != run.manifest["data"]["identities"]["test"]:
        return None, "the data have changed since the run"
    return data.splits["test"], None
