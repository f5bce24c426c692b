"""keras-tuner's oracles: a process that ends after any step does not change what is proposed."""

import json
import shutil
from pathlib import Path

import keras_tuner
import pytest

from kerasexp.config import load
from kerasexp.errors import RunError
from kerasexp.executors.tasks import Failure, FailureKind
from kerasexp.search.domain_encoding import decoded
from kerasexp.search.oracles import make_hyperparameters
from kerasexp.search.proposals import Proposals

# Fitting a Gaussian process takes half a second each time.
ALGORITHMS = ["random", pytest.param("bayesian", marks=pytest.mark.slow), "grid", "hyperband"]
TRIALS = 14


def search_of(path: Path, algorithm: str):
    changes = [f"search.algorithm={algorithm}", "search.initial=4"]
    if algorithm == "grid":
        changes.append("training.optimizer.learning_rate={choice: [0.001, 0.01]}")
    return load(path, changes)


def score(proposal) -> float:
    return 1 - proposal.values["training.optimizer.learning_rate"] + (proposal.epochs or 0) / 100


def propose(search, folder: Path, restart: bool, trials: int = TRIALS) -> list:
    folder.mkdir(exist_ok=True)
    proposals, made = Proposals(search, folder), []
    assert proposals.restore() == []
    for _ in range(trials):
        if restart:
            proposals = Proposals(search, folder)
            assert proposals.restore() == []
        proposal = proposals.next()
        if proposal is None:
            break
        if restart:
            proposals = Proposals(search, folder)
            (started,) = proposals.restore()
            assert vars(started) == vars(proposal)
        proposals.end(proposal.id, score(proposal), 1)
        made.append(proposal)
    return [vars(proposal) for proposal in made]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_new_processes_propose_what_one_would_have(search_yaml, algorithm):
    search = search_of(search_yaml, algorithm)
    whole = propose(search, Path("whole"), False)
    assert whole == propose(search, Path("broken"), True)
    assert len(whole) == TRIALS
    assert all(set(p["values"]) == set(search.space.active(p["values"])) for p in whole)


def test_another_seed_proposes_other_values_and_0_is_one(search_yaml):
    found = [
        propose(load(search_yaml, [f"search.seed={seed}"]), Path(f"s{k}"), False, 3) for k, seed in enumerate((0, 0, 1))
    ]
    assert found[0] == found[1] != found[2]


def test_a_grid_is_every_combination_once(search_yaml):
    made = propose(search_of(search_yaml, "grid"), Path("grid"), True, 100)
    values = [json.dumps(p["values"], sort_keys=True) for p in made]
    # 2 filters x 2 units x 2 rates, with depth 1, or with depth 2 and 3 filters of the second block.
    assert len(values) == len(set(values)) == 2 * 2 * 2 * (1 + 3)


def test_a_grid_of_steps_has_plain_numbers_up_to_its_end(search_yaml):
    """keras-tuner leaves the end out, as 0.5 // 0.1 is 4, and has 0.30000000000000004 in place of 0.3."""
    rate = "training.optimizer.learning_rate"
    depth = f"{{int: [1, 2], when: {{{rate}: 0.3}}}}"
    changes = [f"{rate}={{float: [0.1, 0.6], step: 0.1}}", f"search.variables={{depth: {depth}}}"]
    made = propose(load(search_yaml, ["search.algorithm=grid", *changes]), Path("grid"), False, 100)
    assert {p["values"][rate] for p in made} == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}
    assert {p["values"][rate] for p in made if "depth" in p["values"]} == {0.3}
    # 2 filters x 2 units; with the rate of 0.3, depth 1, or depth 2 and 3 filters of the second block.
    assert len(made) == 2 * 2 * (5 + 1 + 3)


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("training.batch_size", "{int: [16, 128], sampling: log}"),
        ("training.optimizer.learning_rate", "{float: [0.003, 0.7], sampling: log}"),
        ("training.optimizer.learning_rate", "{float: [0.1, 0.7], step: 0.1}"),
    ],
)
def test_the_largest_number_that_is_proposed_is_of_the_domain(search_yaml, key, domain):
    """At the end of its range, keras-tuner proposes 129 of the first of these."""
    search = load(search_yaml, [f"{key}={domain}"])
    (parameter,) = (each for each in make_hyperparameters(search).space if each.name == key)
    found = decoded(search.space.domains[key], parameter.prob_to_value(1.0))
    assert search.space.domains[key].holds(found) and found == pytest.approx(search.space.domains[key].high)


def test_a_grid_does_not_wait_for_running_trials(search_yaml):
    search, folder = search_of(search_yaml, "grid"), Path("grid")
    folder.mkdir()
    proposals = Proposals(search, folder)
    proposals.restore()
    started = [proposals.next() for _ in range(4)]
    again = Proposals(search, folder)
    assert [vars(p) for p in again.restore()] == [vars(p) for p in started]
    assert again.next().id == "0004"
    assert [p.values for p in started] == [p["values"] for p in propose(search, Path("one"), False, 4)]


def test_hyperband_continues_the_best_of_a_round(search_yaml):
    made = propose(search_of(search_yaml, "hyperband"), Path("band"), False, 200)
    by_id = {p["id"]: p for p in made}
    children = [p for p in made if p["parent"] is not None]
    assert children and all(p["epochs"] > by_id[p["parent"]]["epochs"] for p in children)
    assert all(p["values"] == by_id[p["parent"]]["values"] for p in children)
    assert max(p["epochs"] for p in made) == 9


def test_a_kill_between_two_files_leaves_the_oracle_as_it_was(search_yaml):
    search, folder = load(search_yaml), Path("s")
    folder.mkdir()
    proposals = Proposals(search, folder)
    proposals.restore()
    first = proposals.next()
    before = (folder / "oracle.json").read_text()
    # Ended, by the trial's own file; the oracle's, which is written last, is not there yet.
    proposals.end(first.id, 0.5, 1)
    (folder / "oracle.json").write_text(before)
    again = Proposals(search, folder)
    (started,) = again.restore()
    assert started.id == first.id
    # And one that the oracle does not list.
    shutil.copytree(folder / "trial_0000", folder / "trial_0007")
    again = Proposals(search, folder)
    again.restore()
    assert len(again) == 1
    again.end(first.id, 0.5, 1)
    assert again.next().id == "0001"


def test_a_new_process_asks_under_names_that_were_not_given(search_yaml):
    search, folder = search_of(search_yaml, "random"), Path("here")
    folder.mkdir()
    proposals = Proposals(search, folder)
    proposals.restore()
    proposals._requests = 1  # a request that got no trial
    running = proposals.next()
    again = Proposals(search, folder)
    (restored,) = again.restore()
    assert restored.id == running.id != again.next().id


def test_failed_trials_do_not_end_a_search(search_yaml):
    search, folder = load(search_yaml), Path("s")
    folder.mkdir()
    proposals = Proposals(search, folder)
    proposals.restore()
    for _ in range(6):
        proposals.end(proposals.next().id, None, failure=Failure(FailureKind.NON_FINITE_LOSS, "no reason"))
    again = Proposals(search, folder)
    assert again.restore() == [] and again.next() is not None
    assert [failure for _, failure in again.ended()] == [Failure(FailureKind.NON_FINITE_LOSS, "no reason")] * 6


@pytest.mark.parametrize(
    ("algorithm", "tuner"),
    [
        ("random", "RandomSearch"),
        ("bayesian", "BayesianOptimization"),
        ("grid", "GridSearch"),
        ("hyperband", "Hyperband"),
    ],
)
def test_keras_tuner_reads_the_directory(search_yaml, algorithm, tuner):
    made = propose(search_of(search_yaml, algorithm), Path("kt"), False, 6)
    best = max(made, key=lambda p: 1 - p["values"]["training.optimizer.learning_rate"] + (p["epochs"] or 0) / 100)
    found = getattr(keras_tuner, tuner)(
        lambda hp: None, objective=keras_tuner.Objective("val_accuracy", "max"), directory=".", project_name="kt"
    )
    values = found.get_best_hyperparameters()[0].values
    assert values["training.optimizer.learning_rate"] == best["values"]["training.optimizer.learning_rate"]


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"start_order": ["0009"]}'])
def test_damaged_files_are_an_error(search_yaml, damage):
    propose(load(search_yaml), Path("s"), False, 2)
    Path("s/oracle.json").write_text(damage)
    with pytest.raises(RunError, match=r"s/oracle.json: cannot be loaded"):
        Proposals(load(search_yaml), Path("s")).restore()
