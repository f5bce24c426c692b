"""What keras-tuner's oracles propose, with a state on disk that a kill at any moment leaves whole.

The files are keras-tuner's own (`oracle.json`, `trial_ID/trial.json`, `tuner0.json`), so that it can read them. Its own writes
are not atomic, and some of what its oracles go by is not in them; both is mended here.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)
from sklearn.exceptions import ConvergenceWarning

from kerasexp.config.search import OBJECTIVES, Search, SearchKeys
from kerasexp.config.space import Domain
from kerasexp.errors import RunError
from kerasexp.storage import write_json

SCALARS = (int, float, str)


class _Unsaved:
    """An oracle that leaves saving to `Proposals`, which does it at once or not at all."""

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
        # Its generator is no part of the state that it saves: each proposal has one of its own.
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        with warnings.catch_warnings():
            # That few trials leave a length scale open is nothing that a user could change.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().populate_space(trial_id)


class _Grid(_Unsaved, GridSearchOracle):
    # The order of the combinations is no part of the state that keras-tuner saves.
    def get_state(self):
        order = self._ordered_ids
        chain = [order._memory, list(order._next_index.items()), order._last_index]
        return {**super().get_state(), "order": chain, "populate_next": self._populate_next}

    def set_state(self, state):
        super().set_state(state)
        order = self._ordered_ids
        order._memory, following, order._last_index = state["order"]
        order._data_to_index = {trial: index for index, trial in enumerate(order._memory)}
        order._next_index.update(dict(map(tuple, following)))
        self._populate_next = state["populate_next"]


class Proposal:
    """One trial to be made.

    Attributes:
        id: of the trial.
        values: by the names of the domains, those that count.
        epochs: how many it is trained for; None for as many as the experiment says.
        parent: id of the trial that it goes on from.
    """

    def __init__(self, trial, decode):
        own = trial.hyperparameters.values
        self.id: str = trial.trial_id
        self.values = {name: decode(name, value) for name, value in own.items() if not name.startswith("tuner/")}
        self.epochs: int | None = own.get("tuner/epochs")
        self.parent: str | None = own.get("tuner/trial_id")


class Proposals:
    """An oracle of keras-tuner's for one search, in the search's directory.

    Args:
        search: what is searched for.
        folder: its directory, which is keras-tuner's project.
    """

    def __init__(self, search: Search, folder: Path):
        self._space, self._folder, self._objective = search.space, folder, search.settings.objective
        self._hyperparameters = _hyperparameters(search)
        self._oracle = _oracle(search, self._hyperparameters)
        self._oracle.verbose = 0
        self._oracle._set_project_dir(str(folder.parent), folder.name)
        self._asked = 0

    def __len__(self) -> int:
        return len(self._oracle.trials)

    def restore(self) -> list[Proposal]:
        """Take up what an earlier process has saved, and return the trials that it had not ended.

        Raises:
            RunError: the files cannot be read.
        """
        saved = self._folder / "oracle.json"
        if not saved.exists():
            write_json(self._folder / "tuner0.json", {})
            return []
        try:
            state = json.loads(saved.read_text())
            # A trial that the oracle does not know was begun by a process that was killed before it was noted.
            for name in state["start_order"]:
                self._oracle.trials[name] = Trial.from_state(json.loads(self._trial_file(name).read_text()))
            self._oracle.set_state(state)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{saved}: cannot be taken up: {type(error).__name__}: {error}") from None
        # Wider ones, perhaps, than before.
        self._oracle.hyperparameters = self._hyperparameters
        # What the oracle holds to be running is, whatever the trial's own file says: that is written first.
        for trial in self._oracle.ongoing_trials.values():
            trial.status, trial.score = "RUNNING", None
        self._asked = len(self._oracle.trials)
        return [Proposal(trial, self._decoded) for trial in self._oracle.ongoing_trials.values()]

    def next(self) -> Proposal | None:
        """Return the next trial; None where there is none, or none before another one has ended."""
        self._asked += 1
        trial = self._oracle.create_trial(f"trial {self._asked}")
        if trial.status != "RUNNING":
            return None
        self._commit(trial)
        return Proposal(trial, self._decoded)

    def end(self, name: str, score: float | None, epochs: int = 0, cause: str | None = None) -> None:
        """Tell the oracle how a trial ended: with a score, or without one for a cause."""
        trial = self._oracle.trials[name]
        if score is None:
            trial.status, trial.message = "FAILED", cause
        else:
            self._oracle.update_trial(name, {self._objective: score}, step=epochs)
            trial.status = "COMPLETED"
        self._oracle.end_trial(trial)
        self._commit(trial)

    def ended(self) -> list[tuple[Proposal, str | None]]:
        """Return the trials that have ended, in the order in which they began, with the causes of those that failed."""
        running = {trial.trial_id for trial in self._oracle.ongoing_trials.values()}
        trials = (self._oracle.trials[name] for name in self._oracle.start_order if name not in running)
        return [
            (Proposal(trial, self._decoded), trial.message or "not known" if trial.score is None else None)
            for trial in trials
        ]

    def folder(self, name: str) -> Path:
        """Return the directory of one trial."""
        return self._folder / f"trial_{name}"

    def _trial_file(self, name: str) -> Path:
        return self.folder(name) / "trial.json"

    def _commit(self, trial) -> None:
        # The oracle's file comes last: what it says is so.
        self.folder(trial.trial_id).mkdir(exist_ok=True)
        write_json(self._trial_file(trial.trial_id), trial.get_state())
        write_json(self._folder / "oracle.json", self._oracle.get_state())

    def _decoded(self, name: str, value: Any) -> Any:
        domain = self._space.domains[name]
        if domain.kind == "choice" and not _is_plain(domain):
            return domain.values[_labels(domain).index(value)]
        return value


def _oracle(search: Search, hyperparameters: keras_tuner.HyperParameters):
    settings: SearchKeys = search.settings
    common = {
        "objective": keras_tuner.Objective(settings.objective, OBJECTIVES[settings.objective][1]),
        "hyperparameters": hyperparameters,
        # keras-tuner takes 0 for no seed.
        "seed": settings.seed + 1,
        # The search judges for itself when too many have failed; keras-tuner would go on raising after a resume.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if settings.algorithm == "hyperband":
        epochs = search.experiment(next(search.space.corners(1))).training.epochs
        return _Hyperband(max_epochs=epochs, factor=settings.factor, hyperband_iterations=settings.iterations, **common)
    # How many trials there are is judged by the search too; in keras-tuner it is a part of their names.
    if settings.algorithm == "bayesian":
        return _Bayesian(max_trials=None, num_initial_points=settings.initial, **common)
    return (_Grid if settings.algorithm == "grid" else _Random)(max_trials=None, **common)


def _hyperparameters(search: Search) -> keras_tuner.HyperParameters:
    made, domains = keras_tuner.HyperParameters(), search.space.domains
    for domain in domains.values():
        with ExitStack() as conditions:
            for name, values in domain.when:
                allowed = [_encoded(domains[name], value) for value in values]
                conditions.enter_context(made.conditional_scope(name, allowed))
            _register(made, domain)
    return made


def _register(made: keras_tuner.HyperParameters, domain: Domain) -> None:
    sampling = "log" if domain.log else "linear"
    if domain.kind == "choice":
        made.Choice(domain.name, list(domain.values) if _is_plain(domain) else _labels(domain))
    elif domain.kind == "bool":
        made.Boolean(domain.name)
    elif domain.kind == "int":
        step = None if domain.log else int(domain.step or 1)
        made.Int(domain.name, int(domain.low), int(domain.high), step=step, sampling=sampling)
    else:
        made.Float(domain.name, domain.low, domain.high, step=domain.step, sampling=sampling)


def _is_plain(domain: Domain) -> bool:
    """Whether keras-tuner takes a choice's values as they are: numbers or words, all of one type."""
    kinds = {type(value) for value in domain.values}
    return len(kinds) == 1 and kinds <= set(SCALARS)


def _labels(domain: Domain) -> list[str]:
    return [json.dumps(value) for value in domain.values]


def _encoded(domain: Domain, value: Any) -> Any:
    if domain.kind == "choice" and not _is_plain(domain):
        return _labels(domain)[domain.values.index(value)]
    return value
