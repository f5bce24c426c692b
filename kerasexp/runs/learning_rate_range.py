"""`find-learning-rate`: from an experiment to a curve, a page and a suggestion; no run is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kerasexp.config import Experiment, resolved_yaml
from kerasexp.config.model_section import classical_head
from kerasexp.console import Console, QuietConsole
from kerasexp.custom.code_import import import_all
from kerasexp.data.load_data import load_data
from kerasexp.errors import Problem, UserError
from kerasexp.plots.range_test_curve import plot_range_test
from kerasexp.report.html import DrawnPlot, Plot, render
from kerasexp.report.report_missing_parts import draw_all, rendered
from kerasexp.runs.directory import earlier_runs
from kerasexp.runs.identity import identify
from kerasexp.runs.resume import is_finished
from kerasexp.runs.run_relabelling import relabelled
from kerasexp.runs.run_request import Upstream
from kerasexp.storage import write_bytes, write_errors, write_text
from kerasexp.training.initial_model import build_model
from kerasexp.training.range_test import RangeTest, range_test

KEY = "training.optimizer.learning_rate"


def find_learning_rate(
    experiment: Experiment, limits: tuple[float, float], steps: int, output: Path, console: Console
) -> RangeTest:
    """Run a range test, and write its page to `output` and its curve beside it as PNG.

    Args:
        experiment: resolved and validated.
        limits: the lowest and the highest rate.
        steps: the number of batches.
        output: the HTML file.
        console: shows the progress.

    Raises:
        UserError: the experiment has no learning rate, does not fit its data, or starts from a run that is not here; the
            loss is not finite from the beginning.
    """
    if (head := classical_head(experiment.model)) is not None:
        message = f"is not trained by gradient descent, so that it has no learning rate (model.head.{head[0]})"
        raise UserError(Problem(message, experiment.name))
    if limits[0] >= limits[1]:
        raise UserError(
            Problem(f"got {limits[0]:g} and {limits[1]:g}; the first must be lower", key="--lowest, --highest")
        )
    data = load_data(experiment, console)
    upstream = _finished_upstream(experiment)
    import_all(experiment)
    checkpoint = None if upstream is None else upstream.run.checkpoint
    model = build_model(experiment, data, checkpoint, console)
    with write_errors(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
    found = range_test(model, relabelled(experiment, data, checkpoint), experiment, limits, steps, console)
    if not len(found.rates):
        raise UserError(Problem(f"the loss is not finite at {limits[0]:g}; try a lower one", key="--lowest"))
    _write_page(experiment, found, steps, output)
    return found


def _finished_upstream(experiment: Experiment) -> Upstream | None:
    """Return the finished run that an experiment starts from; None without `init`. It is not run here: nothing is written.

    Raises:
        UserError: it has not been run.
    """
    if experiment.init is None:
        return None
    asked = experiment.init.experiment
    above = _finished_upstream(asked)
    identity = identify(asked, load_data(asked, QuietConsole()), above and above.key)
    done = next((run for run in earlier_runs(asked.name) if is_finished(run, identity)), None)
    if done is None:
        message = f"{asked.name} has not been run here, and this experiment starts from its weights; run it first"
        raise UserError(Problem(message, experiment.name, "init.experiment"))
    return Upstream(done, identity.run, [])


def _write_page(experiment: Experiment, found: RangeTest, steps: int, output: Path) -> None:
    drawn = list(draw_all(_curve(found), "", "learning_rates"))
    for plot in drawn:
        if isinstance(plot, DrawnPlot):
            write_bytes(output.with_suffix(".png"), plot.png)
    content = {
        "experiment": experiment,
        "resolved": resolved_yaml(experiment),
        "found": found,
        "steps": steps,
        "key": KEY,
        "plots": drawn,
    }
    facts = [found.explanation]
    write_text(
        output, rendered([], lambda: render("learning_rate.html", content), f"{experiment.name}: learning rate", facts)
    )


def _curve(found: RangeTest) -> Iterator[Plot]:
    yield Plot(
        "",
        "learning_rates",
        "Loss of each batch before its step, while the learning rate rises. Where the loss falls the network learns; where it "
        "rises the steps are too long.",
        f"The smoothed loss falls to {found.smoothed[found.lowest]:.4f} at a rate of {found.rates[found.lowest]:.2g}.",
        lambda: plot_range_test(
            found.rates, found.losses, found.smoothed, float(found.rates[found.lowest]), found.suggestion
        ),
    )
