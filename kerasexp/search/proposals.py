"""The trials that keras-tuner proposes, with a state on disk that survives a kill at any moment.

The files have keras-tuner's names and formats (`oracle.json`, `trial_ID/trial.json`, `tuner0.json`), so that it can load them.
They are written here because keras-tuner's own writes are not atomic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from keras_tuner.engine.trial import Trial, TrialStatus

from kerasexp.config.search_section import Search
from kerasexp.config.space_section import Domain
from kerasexp.errors import RunError
from kerasexp.executors.tasks import Failure, FailureKind
from kerasexp.search.domain_encoding import again_encoded, decoded
from kerasexp.search.oracles import make_hyperparameters, make_oracle
from kerasexp.storage import write_json


class Proposal:
    """One trial to run.

    Attributes:
        id: of the trial.
        values: the active values, by domain name.
        epochs: how many to train; None for the experiment's number.
        parent: id of the trial that it continues, or None.
    """

    def __init__(self, trial: Trial, domains: Mapping[str, Domain]):
        own = trial.hyperparameters.values
        self.id: str = trial.trial_id
        self.values = {n: decoded(domains[n], value) for n, value in own.items() if not n.startswith("tuner/")}
        self.epochs: int | None = own.get("tuner/epochs")
        self.parent: str | None = own.get("tuner/trial_id")


class Proposals:
    """A keras-tuner oracle, saved in the directory of a search.

    Args:
        search: what to search.
        folder: its directory, which is also keras-tuner's project directory.
    """

    def __init__(self, search: Search, folder: Path):
        self._domains, self._folder, self._objective = search.space.domains, folder, search.settings.objective
        self._hyperparameters = make_hyperparameters(search)
        self._oracle = make_oracle(search, self._hyperparameters)
        self._failures: dict[str, Failure] = {}
        self._requests = 0

    def __len__(self) -> int:
        return len(self._oracle.trials)

    def restore(self) -> list[Proposal]:
        """Load what an earlier process saved, and return the trials that had not ended.

        Raises:
            RunError: the files cannot be read.
        """
        saved = self._folder / "oracle.json"
        if not saved.exists():
            write_json(self._folder / "tuner0.json", {})
            return []
        try:
            state = json.loads(saved.read_text())
            # Trials that are not listed were started by a process that was killed before it saved the oracle.
            for name in state["start_order"]:
                self._load_trial(name)
            self._oracle.set_state(state)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{saved}: cannot be loaded: {type(error).__name__}: {error}") from None
        # The domains may have been widened since.
        self._oracle.hyperparameters = self._hyperparameters
        # The trial's file is written before the oracle's: a trial that the oracle lists as running has not ended.
        for trial in self._oracle.ongoing_trials.values():
            trial.status, trial.score = TrialStatus.RUNNING, None
            self._failures.pop(trial.trial_id, None)
        # keras-tuner answers a request under a name that it has given already with that trial, if it still runs.
        given = (int(name.rpartition(" ")[2]) for name in self._oracle.ongoing_trials)
        self._requests = max([len(self._oracle.trials), *given])
        return [Proposal(trial, self._domains) for trial in self._oracle.ongoing_trials.values()]

    def next(self) -> Proposal | None:
        """Return the next trial; None if there is none, or none before another trial ends."""
        self._requests += 1
        trial = self._oracle.create_trial(f"trial {self._requests}")
        if trial.status != TrialStatus.RUNNING:
            return None
        self._save(trial)
        return Proposal(trial, self._domains)

    def end(self, name: str, score: float | None, epochs: int = 0, failure: Failure | None = None) -> None:
        """Give the oracle the score of a trial that has ended, or its failure."""
        trial = self._oracle.trials[name]
        if score is None:
            trial.status, trial.message = TrialStatus.FAILED, failure.cause
            self._failures[name] = failure
        else:
            self._oracle.update_trial(name, {self._objective: score}, step=epochs)
            trial.status = TrialStatus.COMPLETED
        self._oracle.end_trial(trial)
        self._save(trial)

    def ended(self) -> list[tuple[Proposal, Failure | None]]:
        """Return the trials that have ended, in the order in which they started, with the failures."""
        running = {trial.trial_id for trial in self._oracle.ongoing_trials.values()}
        trials = (self._oracle.trials[name] for name in self._oracle.start_order if name not in running)
        return [(Proposal(trial, self._domains), self._failures.get(trial.trial_id)) for trial in trials]

    def _load_trial(self, name: str) -> None:
        state = json.loads(self._trial_file(name).read_text())
        trial = self._oracle.trials[name] = Trial.from_state(state)
        values = trial.hyperparameters.values
        values |= {
            key: again_encoded(self._domains[key], value) for key, value in values.items() if key in self._domains
        }
        if "failure" in state:
            self._failures[name] = Failure(FailureKind(state["failure"]["kind"]), state["failure"]["cause"])
        elif trial.status == TrialStatus.FAILED:  # written by keras-tuner itself, or by kerasexp 0.1
            self._failures[name] = Failure(FailureKind.OTHER, trial.message or "unknown")

    def _save(self, trial: Trial) -> None:
        # The oracle's file is written last: only what it lists counts.
        file, failure = self._trial_file(trial.trial_id), self._failures.get(trial.trial_id)
        file.parent.mkdir(exist_ok=True)
        write_json(file, {**trial.get_state(), **({"failure": asdict(failure)} if failure else {})})
        write_json(self._folder / "oracle.json", self._oracle.get_state())

    def _trial_file(self, name: str) -> Path:
        return self._folder / f"trial_{name}" / "trial.json"
