"""The page of a run that has not finished: its curves so far, and the command that continues it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kerasexp.config import Experiment, load_experiment, resolved_yaml
from kerasexp.console import Console
from kerasexp.errors import Problem, UserError
from kerasexp.report.html import DrawnPlot, render
from kerasexp.report.report_missing_parts import Failure, rendered
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.finished_run import early_rows, gradients_of, history_rows
from kerasexp.runs.page_plots import training_plots
from kerasexp.runs.resume_command import resume_command
from kerasexp.storage import write_bytes, write_text
from kerasexp.training.callbacks import rank_of
from kerasexp.training.training_result import TrainingResult


@dataclass(frozen=True)
class UnfinishedResults:
    """What a page shows of a training that has not ended; there is no metric of val but those of the epochs, none of test."""

    experiment: Experiment
    fitted: TrainingResult
    metrics: dict[str, Any]


def draw_unfinished(run: RunDirectory, console: Console) -> None:
    """Draw the curves of an unfinished run, and a `report.html` with them that says how far it has come.

    Nothing is trained or evaluated, so the test split stays unread. The run's end replaces the page.

    Raises:
        UserError: no epoch has ended, or another process is still writing to the run.
        RunError: the disk is full.
    """
    manifest, command = run.read_manifest(), resume_command(run)
    if not run.history.is_file():
        message = f"is not finished, and none of its epochs has ended; continue it with: {command}"
        raise UserError(Problem(message, str(run.path)))
    experiment = load_experiment(run.experiment)
    with run.locked():
        fitted = _fitted(run, experiment)
        run.make_folders()
        drawn = (
            list(training_plots(UnfinishedResults(experiment, fitted, {"val": {}}))) if experiment.report.plots else []
        )
        for plot in drawn:
            if isinstance(plot, DrawnPlot):
                write_bytes(run.plots / f"{plot.name}.png", plot.png)
        failures = [plot for plot in drawn if isinstance(plot, Failure)]
        done = f"{fitted.epochs} of {experiment.training.epochs} epochs"
        content = {
            "experiment": experiment,
            "resolved": resolved_yaml(experiment),
            "manifest": manifest,
            "done": done,
            "rows": _epoch_rows(fitted),
            "command": command,
            "plots": drawn,
        }
        facts = [f"Unfinished: {done}.", f"Continue it with: {command}"]
        page = rendered(failures, lambda: render("unfinished.html", content), experiment.name, facts)
        write_text(run.report, page)
    for failure in failures:
        console.warning(f"not drawn: {failure.name}: {failure.reason}")
    console.line(
        f"unfinished: {done}; the page has the curves so far, and nothing of test; continue it with: {command}"
    )


def _fitted(run: RunDirectory, experiment: Experiment) -> TrainingResult:
    history = history_rows(run)
    return TrainingResult(
        history,
        gradients_of(run),
        early_rows(run),
        _kept_epoch(history, experiment),
        history[-1]["seconds"],
        epochs=len(history),
    )


def _kept_epoch(history: list[dict[str, float]], experiment: Experiment) -> int:
    """Return the epoch whose weights are in the checkpoint, by the rule of the training."""
    checkpoint = experiment.training.checkpoint
    saved = [row for row in history if math.isfinite(row["loss"])] or history[:1]
    if checkpoint.keep == "best":
        return max(saved, key=lambda row: (rank_of(row, checkpoint.monitor), row["epoch"]))["epoch"]
    return saved[-1]["epoch"]


def _epoch_rows(fitted: TrainingResult) -> list[dict[str, Any]]:
    """Return label and metrics of the last epoch and of the kept one."""
    last, kept = fitted.history[-1], fitted.history[fitted.kept - 1]
    columns = [name for name in last if name not in ("epoch", "step", "seconds", "learning_rate")]
    return [
        {"label": f"{word}, epoch {row['epoch']}", "metrics": {name: row[name] for name in columns}}
        for word, row in (("last", last), ("in the checkpoint", kept))
    ]
