"""The table of a comparison, on the console and on its page."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.comparison.convergence_comparison import SHARES
from kerasexp.comparison.results import Comparison, training_summary
from kerasexp.evaluation.paired_difference import Difference
from kerasexp.runs.metric_labels import metric_label

# Least width of a column of the table.
COLUMN = 24
# Of the test split; those that no run has are left out.
METRICS = (
    "macro_f1", "macro_recall", "hamming_accuracy", "micro_f1",
    "case_insensitive_accuracy", "top_3_accuracy", "macro_auc",
    "nll", "brier", "ece", "nll_calibrated", "ece_calibrated",
)  # fmt: skip
Row = tuple[str, list[str]]


def comparison_table(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of the table, with the notes above and the verdicts below."""
    yield from (note.text for note in comparison.notes)
    yield ""
    rows = comparison_rows(comparison)
    first = max(len(label) for label, _ in rows)
    width = max([COLUMN, *(len(label) for label in comparison.labels)])
    yield f"{'':<{first}}" + "".join(f"  {label:>{width}}" for label in comparison.labels)
    for label, cells in rows:
        yield f"{label:<{first}}" + "".join(f"  {cell:>{width}}" for cell in cells)
    yield ""
    yield from verdicts(comparison)


def verdicts(comparison: Comparison) -> Iterator[str]:
    """Yield the conclusion on each run against the first, where their test images are the same."""
    for label, difference in zip(comparison.labels[1:], comparison.differences[1:], strict=True):
        if difference is not None:
            yield f"{label} against {comparison.labels[0]}: {difference.verdict} (McNemar p = {difference.p_value:.2g})"


def comparison_rows(comparison: Comparison) -> list[Row]:
    """Return the rows of the table: a label, and one cell per run."""
    rows = [*_metric_rows(comparison), *_training_rows(comparison), *_convergence_rows(comparison)]
    return [(label, cells) for label, cells in rows if any(cell not in ("", "–") for cell in cells)]


def _metric_rows(comparison: Comparison) -> Iterator[Row]:
    tests = [run.metrics["test"] for run in comparison.runs]
    several = all(run.experiment.data.multi_label for run in comparison.runs)
    yield f"test {metric_label('accuracy', several)}", [f"{test['accuracy']:.4f}" for test in tests]
    yield "95 % interval", [f"{test['accuracy_low']:.4f} to {test['accuracy_high']:.4f}" for test in tests]
    yield "difference", [_signed(d and d.difference) for d in comparison.differences]
    yield "95 % interval of the difference", [_between(d) for d in comparison.differences]
    yield "McNemar p", ["" if d is None else f"{d.p_value:.2g}" for d in comparison.differences]
    for key in METRICS:
        yield f"test {metric_label(key)}", [f"{test[key]:.4f}" if key in test else "–" for test in tests]
    yield "val accuracy", [f"{run.metrics['val']['accuracy']:.4f}" for run in comparison.runs]


def _training_rows(comparison: Comparison) -> Iterator[Row]:
    runs = comparison.runs
    summaries = [training_summary(run) for run in runs]
    yield "parameters", [f"{run.manifest['parameters']:,}" for run in runs]
    yield "FLOPs", [f"{run.manifest['flops']:,}" if run.manifest.get("flops") else "–" for run in runs]
    yield "epochs", [str(run.metrics["epochs"]) for run in runs]
    yield "best epoch", [str(q["best_epoch"]) for q in summaries]
    yield "training seconds", [f"{run.metrics['train_seconds']:,.1f}" for run in runs]
    yield "lowest val loss", [f"{q['lowest_val_loss']:.4f}" for q in summaries]
    yield "train minus val accuracy", [_signed(q["gap"]) for q in summaries]


def _convergence_rows(comparison: Comparison) -> Iterator[Row]:
    for share in SHARES:
        reached = [found.reached[share] for found in comparison.convergences]
        label = f"time to {100 * share:.0f} % of the best val accuracy"
        yield label, ["not reached" if at is None else f"step {at[0]:,}, {at[1]:,.1f} s" for at in reached]
    areas = [found.area for found in comparison.convergences]
    yield "mean val accuracy of the curve", ["–" if area is None else f"{area:.4f}" for area in areas]
    yield "largest fall of val accuracy", [f"{found.biggest_drop:.4f}" for found in comparison.convergences]


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}".replace("-", "−")


def _between(difference: Difference | None) -> str:
    return "" if difference is None else f"{_signed(difference.low)} to {_signed(difference.high)}"
