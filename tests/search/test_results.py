"""The results of a search's trials."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config import load
from kerasexp.executors.tasks import Failure, FailureKind
from kerasexp.runs.directory import RunDirectory
from kerasexp.search import page
from kerasexp.search.results import EPOCHS, SearchResults, Trial, axis_position, importance, read_trial
from kerasexp.search.table import best_lines, trial_line

SPACE = """
data: {source: digits}
model: {name: mlp, units: {choice: [[8], [16], [32]]}, dropout: {float: [0.0, 0.5]}, batch_norm: {bool: }}
training: {optimizer: {learning_rate: {float: [0.0001, 0.01], sampling: log}}}
"""
RATE, UNITS, DROPOUT, NORM = "training.optimizer.learning_rate", "model.units", "model.dropout", "model.batch_norm"


@pytest.fixture
def search(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return load(path)


def results(search, count: int, score, objective=("accuracy", "max"), epochs=lambda k: 3) -> SearchResults:
    generator, trials = np.random.default_rng(0), []
    for k in range(count):
        values = {
            UNITS: [[8], [16], [32]][generator.integers(3)],
            DROPOUT: float(generator.uniform(0, 0.5)),
            NORM: bool(generator.integers(2)),
            RATE: float(10 ** generator.uniform(-4, -2)),
        }
        trials.append(Trial(f"{k:04d}", values, "finished", score(values, k), epochs=epochs(k)))
    return SearchResults(search, objective, trials)


def test_the_value_that_decides_the_score_is_the_most_important(search):
    found = importance(results(search, 40, lambda v, k: np.log10(v[RATE]) + 0.01 * v[DROPOUT]))
    assert found.names[0] == RATE and found.r2 > 0.7 and found.means[0] > 10 * found.means[1]
    assert set(found.names) == {RATE, UNITS, DROPOUT, NORM}


def test_epochs_are_a_value_if_trials_differ_in_them(search):
    found = importance(results(search, 40, lambda v, k: float(k % 3), epochs=lambda k: 3 ** (k % 3)))
    assert found.names[0] == EPOCHS


def test_a_random_score_gives_a_low_r2(search):
    noise = np.random.default_rng(1).normal(size=40)
    assert importance(results(search, 40, lambda v, k: noise[k])).r2 < 0.3


@pytest.mark.parametrize("count", [3, 40])
def test_too_few_trials_or_equal_scores_give_no_importance(search, count):
    assert importance(results(search, count, lambda v, k: 0.5)) is None


def test_the_best_depends_on_the_direction(search):
    scores = [0.3, 0.9, 0.1, 0.9]
    up = results(search, 4, lambda v, k: scores[k])
    down = results(search, 4, lambda v, k: scores[k], ("loss", "min"))
    assert [t.id for t in up.ranked] == ["0001", "0003", "0000", "0002"] and up.best_so_far() == [0.3, 0.9, 0.9, 0.9]
    assert down.best.id == "0002" and down.best_so_far() == [0.3, 0.3, 0.1, 0.1]
    up.trials.insert(0, Trial("x", {}, "failed", None))
    assert up.best_so_far()[0] is None and up.best.id == "0001"


def test_trials_that_tie_are_ranked_by_their_loss_then_by_their_order(search):
    losses = [0.4, 0.2, 0.3, 0.2, None]
    found = results(search, 5, lambda v, k: 1.0)
    found.trials = [replace(trial, loss=loss) for trial, loss in zip(found.trials, losses, strict=True)]
    assert [trial.id for trial in found.ranked] == ["0001", "0003", "0002", "0000", "0004"]
    assert "  5 trials tie in val_accuracy; the one with the lowest val_loss is the best" in list(best_lines(found))


def test_a_cross_marks_a_trial_that_ended_before_its_own_last_epoch(search, monkeypatch):
    search, drawn = load(search.place, ["training.epochs={choice: [2, 4]}"]), []
    values = {UNITS: [8], DROPOUT: 0.1, NORM: True, RATE: 0.001}
    trials = [
        Trial(str(k), {**values, "training.epochs": planned}, "finished", 0.5, epochs=epochs, curve=[0.5] * epochs)
        for k, (planned, epochs) in enumerate([(2, 2), (4, 4), (4, 3)])
    ]
    monkeypatch.setattr(
        page, "plot_trial_curves", lambda curves, best, ended_early, quantity: drawn.append(ended_early)
    )
    plots = {plot.name: plot for plot in page._plots(SearchResults(search, ("accuracy", "max"), trials), None)}
    plots["curves"].figure()
    assert drawn == [[False, False, True]]


@pytest.mark.parametrize(("epochs", "words"), [(1, "1 epoch, "), (3, "3 epochs, ")])
def test_lines_count_epochs_and_trials(search, epochs, words):
    found = results(search, 1, lambda v, k: 1.0, epochs=lambda k: epochs)
    assert words in trial_line(found.trials[0], found)
    assert next(best_lines(found)) == "the best of 1 trial:"


def test_values_lie_between_0_and_1(search):
    domains = search.space.domains
    assert axis_position(domains[RATE], {RATE: 0.001}) == pytest.approx(0.5)
    assert axis_position(domains[UNITS], {UNITS: [16]}) == 0.5 and axis_position(domains[NORM], {NORM: True}) == 1
    assert axis_position(domains[DROPOUT], {}) == -1


def test_a_trial_is_read_from_its_run(tmp_path):
    run = RunDirectory(tmp_path)
    run.history.write_text("epoch,val_accuracy,val_loss\n1,0.5,1.5\n2,0.7,nan\n")
    run.metrics.write_text(json.dumps({"val": {"accuracy": 0.7, "loss": 1.1}, "epochs": 2, "train_seconds": 3.5}))
    run.manifest.write_text(json.dumps({"parameters": 7}))
    found = read_trial(run, "0001", {}, ("accuracy", "max"), None, 9.0, ("0000", 1))
    assert (found.status, found.score, found.curve, found.parameters) == ("finished", 0.7, [0.5, 0.7], 7)
    assert (found.epochs, found.trained, found.parent, found.loss) == (2, 1, "0000", 1.1)
    assert read_trial(run, "1", {}, ("loss", "min"), None, 9.0, None).curve == [1.5]
    for kind, status in ((FailureKind.NON_FINITE_LOSS, "not finite"), (FailureKind.OTHER, "failed")):
        failed = read_trial(run, "1", {}, ("loss", "min"), Failure(kind, "its cause"), 9.0, None)
        assert (failed.status, failed.cause, failed.failure) == (status, "its cause", Failure(kind, "its cause"))
    Path(run.metrics).unlink()
    unreadable = read_trial(run, "1", {}, ("loss", "min"), None, 9.0, None)
    assert unreadable.status == "failed" and "metrics cannot be read" in unreadable.failure.cause
