"""`compare`: finished runs side by side, as a table, as JSON, and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kerasexp.comparison.results import Comparison, compare
from kerasexp.comparison.table import comparison_table
from kerasexp.data.prepared_data import Split, prepare
from kerasexp.errors import KerasexpError, Problem, UserError
from kerasexp.report.page_output import check_page_output
from kerasexp.runs.finished_run import FinishedRun, read_finished

MAX_RUNS = 12


def compare_runs(paths: Sequence[Path], output: Path | None) -> Comparison:
    """Compare runs with the first one, and write the page.

    Args:
        paths: two to twelve run directories, or folders of numbered runs; of a folder, the newest finished run counts.
        output: the HTML file to write; None for no page.

    Raises:
        UserError: too few or too many runs, a run given twice or not finished, or an output that is not HTML.
    """
    if not 2 <= len(paths) <= MAX_RUNS:
        raise UserError(Problem(f"got {len(paths)}; give 2 to {MAX_RUNS} runs", "RUN..."))
    if output is not None:
        check_page_output(output, "--output")
    runs = [read_finished(path) for path in paths]
    seen: dict[Path, Path] = {}
    for path, run in zip(paths, runs, strict=True):
        if (same := seen.setdefault(run.directory.path.resolve(), path)) is not path:
            raise UserError(Problem(f"is the same run as {same}: {run.directory.path}", str(path)))
    comparison = compare(runs)
    if output is not None:
        from kerasexp.comparison.page import write_comparison_page  # it imports Matplotlib

        images, missing = _test_images(runs[0]) if comparison.same_test else (None, None)
        write_comparison_page(output, comparison, images, missing)
    return comparison


def comparison_text(comparison: Comparison, output: Path, format: str) -> str:
    """Return a comparison as text, with the place of its page; `format` is `table` or `json`."""
    if format == "json":
        return json.dumps({**comparison.to_json(), "page": str(output)}, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join([*comparison_table(comparison), str(output)])


def _test_images(run: FinishedRun) -> tuple[Split | None, str | None]:
    """Load the test split of a run's experiment again; return it, or None and the reason."""
    try:
        data = prepare(run.experiment.data)
    except KerasexpError as error:
        return None, str(error)
    if data.split_digests["test"] != run.manifest["data"]["identities"]["test"]:
        return None, "the data have changed since the run"
    return data.splits["test"], None
