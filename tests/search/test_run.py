"""Searches from the YAML to the directory: which trials run, which do not run again, which fail."""

import csv
import json
from pathlib import Path

import pytest

from kerasexp.config import Experiment, load
from kerasexp.executors.tasks import Failure, FailureKind

FOLDER = Path("runs/space/1")


def trials(folder: Path = FOLDER) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def without_times(folder: Path = FOLDER) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key != "ended_at"} for row in trials(folder)]


def test_a_search_leaves_its_trials_the_best_and_a_page(cli, search_yaml, fake_trials):
    answer = cli("search", search_yaml)
    assert answer.code == 0, answer.err
    assert answer.last_line == str(FOLDER)
    rows = trials()
    assert [row["trial"] for row in rows] == [f"{k:04d}" for k in range(6)] == fake_trials.started
    best = max(rows, key=lambda row: float(row["val_accuracy"]))
    found = load(FOLDER / "best.yaml")
    assert isinstance(found, Experiment)
    assert f"{found.training.optimizer.learning_rate:.4g}" == best["training.optimizer.learning_rate"]
    assert (FOLDER / "checkpoint" / "model.keras").read_text() == best["trial"]
    assert json.loads((FOLDER / "search.json").read_text())["status"] == "finished"
    page = (FOLDER / "search.html").read_text()
    assert "6 trials by random search" in page and "search.confirm is empty" in page
    assert {path.stem for path in (FOLDER / "plots").iterdir()} == {"best_so_far", "curves", "parallel", "slices"}
    assert len(list((FOLDER / "tensorboard").rglob("events*"))) == 6
    assert answer.out.count("; the best so far: depth") >= 1 and "the best of 6 trials:" in answer.out


def test_the_same_command_runs_no_trial_twice(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml).code == 0
    before = trials()
    assert cli("search", search_yaml).last_line == str(FOLDER)
    assert len(fake_trials.started) == 6 and trials() == before
    # A larger budget continues it.
    assert cli("search", search_yaml, "--set", "search.max_trials=9").last_line == str(FOLDER)
    assert fake_trials.started == [f"{k:04d}" for k in range(9)] and trials()[:6] == before


@pytest.mark.parametrize(
    ("algorithm", "stop"),
    [
        ("random", 1),
        ("random", 6),
        ("hyperband", 3),
        *(pytest.param("bayesian", stop, marks=pytest.mark.slow) for stop in (1, 3, 6)),
    ],
)
def test_an_interrupted_search_is_resumed(cli, search_yaml, fake_trials, algorithm, stop):
    given = (search_yaml, "--set", f"search.algorithm={algorithm}", "--set", "search.initial=2", "--run-dir")
    assert cli("search", *given, "whole").code == 0
    fake_trials.started.clear()
    fake_trials.stops = stop
    answer = cli("search", *given, "stopped")
    assert answer.code == 130 and "continue with: python -m kerasexp search" in answer.err
    assert json.loads(Path("stopped/search.json").read_text())["status"] == "unfinished"
    assert cli("search", *given, "stopped").code == 0
    # Only the interrupted trial was started twice.
    assert sorted(fake_trials.started) == sorted([*(row["trial"] for row in trials(Path("whole"))), f"{stop - 1:04d}"])
    assert without_times(Path("stopped")) == without_times(Path("whole"))


def test_failures_and_divergence_have_a_status_each(cli, search_yaml, fake_trials):
    fake_trials.failures = {
        "0001": Failure(FailureKind.OTHER, "the memory is used up; its weights were not finite"),
        "0003": Failure(FailureKind.NON_FINITE_LOSS, "the loss became NaN in epoch 1"),
    }
    answer = cli("search", search_yaml)
    assert answer.code == 0, answer.err
    assert [row["status"] for row in trials()] == [
        "finished",
        "failed",
        "finished",
        "not finite",
        "finished",
        "finished",
    ]
    assert trials()[1]["cause"].startswith("the memory is used up") and trials()[1]["val_accuracy"] == ""
    assert "trial 0001: failed: the memory is used up" in answer.out
    assert "not finite: the loss became NaN in epoch 1" in (FOLDER / "search.html").read_text()


def test_a_search_in_which_every_trial_fails_stops(cli, search_yaml, fake_trials):
    fake_trials.failures = {f"{k:04d}": Failure(FailureKind.OTHER, "no") for k in range(30)}
    answer = cli("search", search_yaml, "--set", "search.max_trials=30")
    assert answer.code == 1 and "the first 10 trials have all failed; the first: no" in answer.err
    assert len(fake_trials.started) == 10


def test_equal_experiments_are_one_trial(cli, search_yaml, fake_trials):
    text = search_yaml.read_text().replace("variables: {", "variables: {unused: {choice: [a, b, c]}, ")
    search_yaml.write_text(text.replace("{float: [0.0001, 0.03], sampling: log}", "0.01"))
    answer = cli("search", search_yaml, "--set", "search.algorithm=grid", "--set", "search.max_trials=null")
    assert answer.code == 0, answer.err
    status = [row["status"] for row in trials()]
    assert (status.count("finished"), status.count("repeated")) == (16, 32) and len(fake_trials.started) == 16
    assert "the same experiment as trial" in answer.out
    scores = {row["trial"]: row["val_accuracy"] for row in trials()}
    assert all(row["val_accuracy"] == scores[row["parent"]] for row in trials() if row["status"] == "repeated")


def test_only_the_best_weights_are_kept(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--set", "search.keep=2").code == 0
    kept = {path.parts[-4].removeprefix("trial_") for path in FOLDER.glob("trial_*/run/checkpoint/model.keras")}
    best = sorted(trials(), key=lambda row: -float(row["val_accuracy"]))[:2]
    assert kept == {row["trial"] for row in best}
    assert len(list(FOLDER.glob("trial_*/run/metrics.json"))) == 6


def test_hyperband_trials_continue_the_run_of_their_parent(cli, search_yaml, fake_trials):
    assert (
        cli("search", search_yaml, "--set", "search.algorithm=hyperband", "--set", "search.max_trials=null").code == 0
    )
    rows = {row["trial"]: row for row in trials()}
    continued = {name: parent for name, parent in fake_trials.parents.items() if parent is not None}
    assert continued
    for name, parent in continued.items():
        assert parent == FOLDER / f"trial_{rows[name]['parent']}" / "run"
        assert fake_trials.epochs[name] > fake_trials.epochs[rows[name]["parent"]]
    assert len(list(FOLDER.glob("trial_*/run/checkpoint/model.keras"))) == 3


def test_budgets_of_epochs_and_minutes(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--set", "search.max_epochs=20").code == 0
    assert len(fake_trials.started) == 3  # of 9 epochs
    answer = cli("search", search_yaml, "--set", "search.max_minutes=1e-9", "--run-dir", "short")
    assert answer.code == 1 and "no trial was run" in answer.err


def test_a_changed_space_is_refused_with_what_differs(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--run-dir", "here").code == 0
    wider = ("--set", "training.optimizer.learning_rate={float: [0.00001, 0.1], sampling: log}")
    answer = cli("search", search_yaml, *wider, "--run-dir", "here")
    assert answer.code == 2 and "holds a search with other settings" in answer.err
    assert 'learning_rate: {"float": [0.0001, 0.03], "sampling": "log"} there, ' in answer.err
    answer = cli("search", search_yaml, *wider, "--run-dir", "here", "--extend", "--set", "search.max_trials=8")
    assert answer.code == 0, answer.err
    assert fake_trials.started == [f"{k:04d}" for k in range(8)]
    # A narrower space does not include all trials.
    answer = cli("search", search_yaml, "--run-dir", "here", "--extend")
    assert answer.code == 2 and "--extend accepts only wider domains" in answer.err


def test_a_wider_choice_may_mix_kinds_of_values(cli, search_yaml, fake_trials):
    rate = "training.optimizer.learning_rate={choice: %s}"
    assert cli("search", search_yaml, "--run-dir", "here", "--set", rate % [0.001, 0.01]).code == 0
    more = ("--extend", "--set", "search.max_trials=8", "--set", rate % [0.001, 0.01, 1])
    answer = cli("search", search_yaml, "--run-dir", "here", *more)
    assert answer.code == 0, answer.err
    assert fake_trials.started == [f"{k:04d}" for k in range(8)]


def test_trials_on_other_data_are_announced(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--run-dir", "here").code == 0
    for number, run in enumerate(sorted(Path("here").glob("trial_*/run"))):
        (run / "manifest.json").write_text(json.dumps({"data": {"identities": {"val": str(number // 3)}}}))
    answer = cli("search", search_yaml, "--run-dir", "here", "--set", "search.max_trials=7")
    assert answer.code == 0 and "the data have changed between the trials" in answer.out + answer.err


def test_a_budget_that_ends_hyperband_leaves_all_weights_to_continue_from(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--set", "search.algorithm=hyperband", "--set", "search.max_trials=5").code == 0
    assert len(list(FOLDER.glob("trial_*/run/checkpoint/model.keras"))) == 5


def test_an_objective_that_labels_do_not_tell_is_refused(cli, search_yaml, fake_trials):
    answer = cli("search", search_yaml, "--set", "search.objective=val_macro_f1", "--set", "training.decode=argmin")
    assert answer.code == 2 and "cannot be measured on labels that say what an image is NOT" in answer.err
    assert fake_trials.started == []


def test_a_changed_space_without_a_named_directory_is_another_search(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml).last_line == "runs/space/1"
    assert cli("search", search_yaml, "--set", "search.seed=1").last_line == "runs/space/2"
    assert cli("search", search_yaml).last_line == "runs/space/1"
    answer = cli("search", search_yaml, "--extend", "--set", "name=other")
    assert answer.code == 2 and "there is no search to extend" in answer.err


def test_loss_is_minimised(cli, search_yaml, fake_trials):
    assert cli("search", search_yaml, "--set", "search.objective=val_loss").code == 0
    best = min(trials(), key=lambda row: float(row["val_loss"]))
    assert (FOLDER / "checkpoint" / "model.keras").read_text() == best["trial"]


@pytest.mark.parametrize(
    ("objective", "checkpoint", "monitored", "message"),
    [
        ("val_loss", "", "val_loss", None),
        ("val_accuracy", "", "val_accuracy", None),
        ("val_loss", "checkpoint: best,", "val_loss", None),
        ("val_loss", "checkpoint: {keep: best},", "val_loss", None),
        ("val_loss", "checkpoint: last,", "val_loss", "val_loss is that of a trial's last epoch"),
        (
            "val_loss",
            "checkpoint: {monitor: val_accuracy},",
            "val_accuracy",
            "val_loss is that of a trial's epoch with the best val_accuracy; training.checkpoint.monitor changes that",
        ),
        ("val_macro_f1", "", "val_accuracy", "val_macro_f1 is that of a trial's epoch with the best val_accuracy"),
    ],
)
def test_a_trial_keeps_the_epoch_that_is_best_by_the_objective(
    cli, search_yaml, fake_trials, objective, checkpoint, monitored, message
):
    search_yaml.write_text(search_yaml.read_text().replace("training: {", f"training: {{{checkpoint} "))
    answer = cli("search", search_yaml, "--set", f"search.objective={objective}", "--set", "search.max_trials=1")
    assert answer.code == 0, answer.err
    assert load(FOLDER / "best.yaml").training.checkpoint.monitor == monitored
    assert (message or "is that of a trial's") in answer.out or message is None
    assert ("is that of a trial's" in answer.out) == (message is not None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["search.algorithm=hyperband", "training.epochs=1", "search.max_trials=3"],
            "1 of 3 trials: the rounds of hyperband follow from training.epochs 1, search.factor 3 and search.iterations 1; "
            "more epochs or iterations make more trials",
        ),
        (
            ["search.algorithm=grid", "training.optimizer.learning_rate={choice: [0.01]}", "search.max_trials=50"],
            "16 of 50 trials: every combination of values has been tried",
        ),
        (["search.algorithm=hyperband", "search.max_trials=3"], None),
    ],
)
def test_a_search_that_ends_before_its_budget_says_why(cli, search_yaml, fake_trials, changes, message):
    answer = cli("search", search_yaml, *(word for change in changes for word in ("--set", change)))
    assert answer.code == 0, answer.err
    if message is None:
        assert "the rounds of" not in answer.out
    else:
        assert message in answer.out


@pytest.mark.slow
def test_a_search_for_the_lowest_loss_gets_the_lowest_loss_of_each_trial(cli, search_yaml):
    changes = ("search.objective=val_loss", "search.max_trials=2", "training.epochs=4")
    answer = cli("search", search_yaml, *(word for change in changes for word in ("--set", change)))
    assert answer.code == 0, answer.err
    for row in trials():
        history = csv.DictReader((FOLDER / f"trial_{row['trial']}/run/history.csv").open())
        assert float(row["val_loss"]) == pytest.approx(min(float(epoch["val_loss"]) for epoch in history), abs=1e-5)


def test_values_that_cannot_be_built_are_named_before_the_first_trial(cli, search_yaml, fake_trials):
    answer = cli("search", search_yaml, "--set", "training.batch_size={choice: [100, 5000]}")
    assert answer.code == 2 and "training.batch_size: 5000 is more than" in answer.err and "(at depth" in answer.err
    assert fake_trials.started == [] and not Path("runs").exists()
    answer = cli("check", search_yaml)
    assert answer.code == 0 and "no problem was found at the corners" in answer.out


def test_an_experiment_without_domains_is_refused(cli, tiny_yaml):
    answer = cli("search", tiny_yaml)
    assert answer.code == 2 and "has no domain to search; write domains" in answer.err


def test_ray_is_an_extra(cli, search_yaml, fake_trials, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    answer = cli("search", search_yaml, "--set", "executor=ray")
    assert answer.code == 2 and "executor: got 'ray', which is not installed: pip install 'kerasexp[ray]'" in answer.err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_hyperband_continues_weights_and_optimizer(cli, search_yaml):
    """A model trained in rounds equals, bit for bit, one that `run` trains at once."""
    narrow = ("--set", "search.algorithm=hyperband", "--set", "search.max_trials=null", "--set", "search.factor=9")
    answer = cli("search", search_yaml, *narrow, "--set", "training.epochs=9", "--set", "training.batch_size=200")
    assert answer.code == 0, answer.err
    child = next(row for row in trials() if row["parent"])
    run = Path(f"{FOLDER}/trial_{child['trial']}/run")
    again = Path(cli("run", run / "experiment.yaml", "--run-dir", "again").last_line)
    metrics = [json.loads((path / "metrics.json").read_text()) for path in (run, again)]
    assert metrics[0]["val"]["loss"] == metrics[1]["val"]["loss"] and metrics[0]["epochs"] == 9


@pytest.mark.slow
def test_other_seeds_confirm_the_winner_of_a_finished_search(cli, search_yaml):
    given = ("search", search_yaml, "--set", "search.max_trials=2", "--set", "training.epochs=1")
    assert cli(*given, "--set", "search.confirm=[0, 1]").code == 0
    (confirmed,) = (FOLDER / "confirmation").iterdir()
    before = (confirmed / "found" / "0" / "metrics.json").read_bytes()
    answer = cli(*given, "--set", "search.confirm=[0, 2]")
    assert answer.code == 0 and answer.last_line == str(FOLDER), answer.err
    assert {path.name for path in (confirmed / "found").iterdir() if path.is_dir()} == {"0", "2"}
    # The run of seed 0 was not trained again, and the other study is kept.
    assert (confirmed / "found" / "0" / "metrics.json").read_bytes() == before
    assert (FOLDER / "confirmation" / "1" / "found" / "1" / "metrics.json").exists()
    assert json.loads((FOLDER / "search.json").read_text())["status"] == "finished"
