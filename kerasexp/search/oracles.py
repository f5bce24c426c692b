"""keras-tuner's oracles, set up for a search.

Everything that is not keras-tuner's public API is in `PRIVATE`; setup.cfg therefore pins keras-tuner below its next minor
version, and a test checks the names.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from sklearn.exceptions import ConvergenceWarning

from kerasexp.config.search_section import OBJECTIVES, Search
from kerasexp.config.space_section import Domain
from kerasexp.search.domain_encoding import encoded, options

# keras-tuner counts the steps of a range by a division that rounds down, and 0.5 // 0.1 is 4: a small part of a step is added.
STEP_MARGIN = 1e-6
# Private attributes of keras-tuner that are used here: those of an instance, with the class.
PRIVATE = {"_save_trial": keras_tuner.Oracle, "_random_state": BayesianOptimizationOracle}


class _Unsaved:
    """An oracle that writes no files: `Proposals` does, atomically."""

    def save(self) -> None:
        pass

    def _save_trial(self, trial) -> None:
        pass


class _Random(_Unsaved, RandomSearchOracle):
    pass


class _Hyperband(_Unsaved, HyperbandOracle):
    pass


class _Bayesian(_Unsaved, BayesianOptimizationOracle):
    def populate_space(self, trial_id):
        # The random generator is not part of the saved state, so each proposal gets its own.
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        with warnings.catch_warnings():
            # With few trials, the length scales of the Gaussian process do not converge. A user cannot change that.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().populate_space(trial_id)


class _Grid(_Unsaved, keras_tuner.Oracle):
    """Every combination once, in the order of keras-tuner's GridSearchOracle, whose position is not part of its state."""

    combinations: Iterator[dict[str, Any]] | None = None

    def populate_space(self, trial_id):
        if self.combinations is None:
            self.combinations = islice(_combinations(self.get_space(), 0), len(self.start_order), None)
        values = next(self.combinations, None)
        return {"status": TrialStatus.STOPPED if values is None else TrialStatus.RUNNING, "values": values}


def _combinations(space: keras_tuner.HyperParameters, position: int) -> Iterator[dict[str, Any]]:
    """Yield every combination of active values; default values come first, and the last hyperparameter changes fastest."""
    if position == len(space.space):
        yield dict(space.values)
        return
    parameter = space.space[position]
    if not space.is_active(parameter):
        yield from _combinations(space, position + 1)
        return
    for value in dict.fromkeys([parameter.default, *parameter.values]):
        space.values[parameter.name] = value
        yield from _combinations(space, position + 1)
    del space.values[parameter.name]


def make_oracle(search: Search, hyperparameters: keras_tuner.HyperParameters) -> keras_tuner.Oracle:
    """Return the oracle of a search's algorithm; it prints and writes nothing."""
    settings = search.settings
    common = {
        "objective": keras_tuner.Objective(settings.objective, OBJECTIVES[settings.objective][1]),
        "hyperparameters": hyperparameters,
        # keras-tuner takes 0 for no seed.
        "seed": settings.seed + 1,
        # The search itself stops after too many failures; keras-tuner would raise again after each resume.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if settings.algorithm == "hyperband":
        epochs = search.experiment(next(search.space.corners(1))).training.epochs
        oracle = _Hyperband(
            max_epochs=epochs, factor=settings.factor, hyperband_iterations=settings.iterations, **common
        )
    # The search itself limits the number of trials; keras-tuner would derive the names of trials from it.
    elif settings.algorithm == "bayesian":
        oracle = _Bayesian(max_trials=None, num_initial_points=settings.initial, **common)
    else:
        oracle = (_Grid if settings.algorithm == "grid" else _Random)(max_trials=None, **common)
    oracle.verbose = 0
    return oracle


def make_hyperparameters(search: Search) -> keras_tuner.HyperParameters:
    """Return the space of a search in keras-tuner's terms."""
    found, domains = keras_tuner.HyperParameters(), search.space.domains
    for domain in domains.values():
        with ExitStack() as conditions:
            for name, values in dict.fromkeys(_conditions(domain, domains)):
                allowed = [encoded(domains[name], value) for value in values]
                conditions.enter_context(found.conditional_scope(name, allowed))
            _register(found, domain)
    return found


def _conditions(domain: Domain, domains: Mapping[str, Domain]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the conditions of a domain after those of the domains that they ask for, which keras-tuner finds only so."""
    for name, values in domain.when:
        yield from _conditions(domains[name], domains)
        yield name, values


def _register(space: keras_tuner.HyperParameters, domain: Domain) -> None:
    sampling = "log" if domain.log else "linear"
    if domain.kind == "choice":
        space.Choice(domain.name, options(domain))
    elif domain.kind == "bool":
        space.Boolean(domain.name)
    elif domain.kind == "int":
        step = None if domain.log else int(domain.step or 1)
        space.Int(domain.name, int(domain.low), int(domain.high), step=step, sampling=sampling)
    else:
        high = domain.high + STEP_MARGIN * (domain.step or 0)
        space.Float(domain.name, domain.low, high, step=domain.step, sampling=sampling)
