"""keras-tuner's private attributes, and the grid."""

import ast
import inspect

import keras_tuner
import pytest
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle

from kerasexp.config import load
from kerasexp.search import oracles, proposals
from kerasexp.search import trial_scheduler as scheduler
from kerasexp.search.oracles import PRIVATE, make_hyperparameters, make_oracle

OBJECTIVE = keras_tuner.Objective("val_accuracy", "max")


@pytest.mark.parametrize("name", PRIVATE)
def test_keras_tuner_has_the_private_attributes(name):
    oracle = (
        BayesianOptimizationOracle
        if PRIVATE[name] is BayesianOptimizationOracle
        else keras_tuner.oracles.RandomSearchOracle
    )(objective=OBJECTIVE)
    assert isinstance(oracle, PRIVATE[name]) and hasattr(oracle, name), (
        f"keras-tuner {keras_tuner.__version__} has no {PRIVATE[name].__name__}.{name}, which kerasexp/search/oracles.py uses: "
        "adapt it there, and the versions in setup.cfg"
    )


def test_an_oracle_saves_trials_only_by_the_private_method(search_yaml, tmp_path):
    """Without the override, keras-tuner would write files that are not atomic."""
    oracle = make_oracle(search := load(search_yaml), make_hyperparameters(search))
    oracle.create_trial("a")
    assert [path.name for path in tmp_path.iterdir()] == [search_yaml.name]


def test_no_other_private_attribute_is_used():
    methods = {
        node.name for node in ast.walk(ast.parse(inspect.getsource(oracles))) if isinstance(node, ast.FunctionDef)
    } - set(vars(oracles))
    used = {
        node.attr
        for module in (oracles, proposals, scheduler)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        # Objects of other classes than ours: in oracles.py, `self` is keras-tuner's too.
        if isinstance(node, ast.Attribute) and (module is oracles or ast.unparse(node.value) != "self")
    }
    private = {name for name in used | methods if name.startswith("_") and not name.startswith("__")}
    assert private == set(PRIVATE), "each private attribute of keras-tuner has to be in PRIVATE"


def test_the_grid_has_the_order_of_keras_tuners(search_yaml):
    search = load(search_yaml, ["search.algorithm=grid", "training.optimizer.learning_rate={choice: [0.001, 0.01]}"])
    ours, theirs = (
        make_oracle(search, make_hyperparameters(search)),
        GridSearchOracle(objective=OBJECTIVE, hyperparameters=make_hyperparameters(search)),
    )
    theirs.save, theirs._save_trial, theirs.verbose = lambda: None, lambda trial: None, 0
    found = []
    for oracle in (ours, theirs):
        values = []
        while (trial := oracle.create_trial("one")).status == "RUNNING":
            values.append(dict(trial.hyperparameters.values))
            oracle.update_trial(trial.trial_id, {"val_accuracy": 0.5})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        found.append(values)
    assert found[0] == found[1] and len(found[0]) == 32
