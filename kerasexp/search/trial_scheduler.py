"""Which trial of a search runs next, and what the trials have given so far."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from kerasexp.config import Experiment, Search
from kerasexp.config.search_section import OBJECTIVES
from kerasexp.console import Console, JobEnded, JobTable
from kerasexp.errors import RunError
from kerasexp.executors import Executor
from kerasexp.executors.job_position import JobPosition
from kerasexp.executors.tasks import Failure, Task
from kerasexp.search.budget import UNLIMITED, max_trials
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.proposals import Proposal, Proposals
from kerasexp.search.results import SearchResults, Trial, read_trial
from kerasexp.search.table import trial_line, trials_csv
from kerasexp.storage import write_text

# If this many trials fail and none succeeds, the search stops.
MAX_FAILED = 10


def exhaustion(search: Search) -> str:
    """Return why an algorithm proposes no more trials although the budget allows them."""
    if search.settings.algorithm == "grid":
        return "every combination of values has been tried"
    if search.settings.algorithm != "hyperband":
        return (
            "no new combination was found in 21 draws, so nearly all have been tried; algorithm: grid tries every one"
        )
    epochs = corner(search).training.epochs
    of_settings = f"training.epochs {epochs}, search.factor {search.settings.factor}"
    return (
        f"the rounds of hyperband follow from {of_settings} and search.iterations {search.settings.iterations}; more epochs "
        "or iterations make more trials"
    )


def corner(search: Search) -> Experiment:
    """Return the experiment at the first corner of the space."""
    return search.experiment(next(search.space.corners(1)))


def monitor_message(search: Search) -> str | None:
    """Return the sentence on the epoch that trials keep, if that is not the best one by the objective; else None."""
    if any(name.startswith("training.checkpoint") for name in search.space.domains):
        return None
    objective, checkpoint = search.settings.objective, corner(search).training.checkpoint
    if checkpoint.keep == "last":
        return f"{objective} is that of a trial's last epoch (training.checkpoint: last)"
    if checkpoint.monitor == objective:
        return None
    key = "" if objective == "val_macro_f1" else "; training.checkpoint.monitor changes that"
    return f"{objective} is that of a trial's epoch with the best {checkpoint.monitor}{key}"


class TrialScheduler:
    """Starts the trials of one search and keeps their results; a search that was interrupted is restored.

    Attributes:
        experiments: of all trials that have started, by id.
        results: of all trials that have ended.
        total: how many trials there are at most; None if only time or epochs limit them.
    """

    def __init__(self, search: Search, directory: SearchDirectory, console: Console):
        self._search, self._directory, self._console = search, directory, console
        self._proposals = Proposals(search, directory.path)
        self._interrupted = deque(self._proposals.restore())
        before = directory.read()
        self._start_time = time.monotonic() - before.get("seconds", 0.0)
        self._running: dict[str, Proposal] = {}
        self.total = None if (most := max_trials(search)) >= UNLIMITED else most
        self.experiments: dict[str, Experiment] = {}
        self.results = SearchResults(search, OBJECTIVES[search.settings.objective])
        saved = {trial["id"]: Trial(**trial) for trial in before.get("trials", [])}
        for proposal, failure in self._proposals.ended():
            experiment = self._experiment(proposal)
            trial = saved.get(proposal.id) or self._repeated(proposal, experiment) or self._read(proposal, failure)
            self.experiments[proposal.id] = experiment
            self.results.trials.append(trial)
        self.results.trials.sort(key=lambda trial: trial.ended)

    def run(self, executor: Executor) -> None:
        """Run trials until the budget is spent."""
        with self._console.jobs(self._search.name, self.total) as table:
            table.skip(len(self.results.trials))
            while True:
                while executor.free_slots and (proposal := self._next_proposal()) is not None:
                    self._start(proposal, executor, table)
                if not self._running:
                    break
                result = executor.wait_for_one()
                table.end(f"trial {result.task.name}")
                self._end(self._read(self._running.pop(result.task.name), result.failure))
                self.save()
                self._stop_if_all_failed()
        if not self._is_spent() and self.total is not None:
            self._console.line(f"{len(self._proposals)} of {self.total} trials: {exhaustion(self._search)}")

    def save(self, status: str = "unfinished") -> None:
        """Write the results of all trials so far."""
        trials = [vars(trial) for trial in self.results.trials]
        self._directory.write(self._search, {"status": status, "seconds": self._seconds(), "trials": trials})
        write_text(self._directory.trials, trials_csv(self.results))

    def drop_weights(self) -> None:
        """Delete the weights of all trials except the best `search.keep`.

        Those of hyperband stay if the budget has ended it: with a larger one it continues any of them.
        """
        if self._search.settings.algorithm == "hyperband" and self._is_spent():
            return
        for trial in self.results.ranked[self._search.settings.keep :]:
            self._directory.drop_weights(trial.id)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of the block out of that of the search."""
        begun = time.monotonic()
        yield
        self._start_time += time.monotonic() - begun

    def _next_proposal(self) -> Proposal | None:
        if self._interrupted:
            return self._interrupted.popleft()
        return None if self._is_spent() else self._proposals.next()

    def _is_spent(self) -> bool:
        settings = self._search.settings
        epochs = sum(trial.trained for trial in self.results.trials)
        minutes = (time.monotonic() - self._start_time) / 60
        return (
            len(self._proposals) >= max_trials(self._search)
            or (settings.max_epochs is not None and epochs >= settings.max_epochs)
            or (settings.max_minutes is not None and minutes >= settings.max_minutes)
        )

    def _start(self, proposal: Proposal, executor: Executor, table: JobTable) -> None:
        experiment = self._experiment(proposal)
        repeated = self._repeated(proposal, experiment)
        self.experiments[proposal.id] = experiment
        if repeated is not None:
            table.skip(1)
            self._end(repeated)
            return
        run = self._directory.run(proposal.id)
        # A trial that repeats another one has no directory of its own.
        of_repeated = {trial.id: trial.parent for trial in self.results.trials if trial.status == "repeated"}
        above = of_repeated.get(proposal.parent, proposal.parent)
        parent = None if above is None else self._directory.run(above).path
        self._running[proposal.id] = proposal
        log = run.path.with_suffix(".log")
        table.start(f"trial {proposal.id}", JobPosition(run.path))
        executor.start(Task(proposal.id, experiment.seed, experiment, run.path, log, trial=True, parent=parent))

    def _repeated(self, proposal: Proposal, experiment: Experiment) -> Trial | None:
        """Return the result of an ended trial with the same experiment as this proposal's, or None."""
        earlier = next((trial for trial in self.results.trials if self.experiments[trial.id] == experiment), None)
        return earlier and earlier.repeated(proposal.id, proposal.values, self._seconds())

    def _read(self, proposal: Proposal, failure: Failure | None) -> Trial:
        parent = next(((t.id, t.epochs) for t in self.results.trials if t.id == proposal.parent), None)
        run = self._directory.run(proposal.id)
        return read_trial(run, proposal.id, proposal.values, self.results.objective, failure, self._seconds(), parent)

    def _end(self, trial: Trial) -> None:
        from kerasexp.search.hparams import write_hparams

        self._proposals.end(trial.id, trial.score, trial.epochs, trial.failure)
        self.results.trials.append(trial)
        write_hparams(self._directory.tensorboard / trial.id, trial, self.results)
        if self._search.settings.algorithm != "hyperband":  # which may continue any of them
            self.drop_weights()
        self._console.show(self._job_ended(trial))

    def _job_ended(self, trial: Trial) -> JobEnded:
        results, best, objective = self.results, self.results.best, self._search.settings.objective
        metrics = {objective: trial.score, "epochs": trial.epochs, "train_seconds": trial.seconds}
        return JobEnded(
            "search",
            trial.id,
            self.experiments[trial.id].seed,
            self._directory.run(trial.id).path,
            trial.status,
            len(results.trials),
            self.total,
            metrics,
            {} if best is None else {"trial": best.id, objective: best.score, "values": best.values},
            trial.values,
            trial.cause,
            text=trial_line(trial, results, self.total),
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self._start_time, 3)

    def _experiment(self, proposal: Proposal) -> Experiment:
        return self._search.experiment(proposal.values, proposal.epochs)

    def _stop_if_all_failed(self) -> None:
        trials = self.results.trials
        if len(trials) >= MAX_FAILED and not self.results.ranked:
            raise RunError(f"the first {len(trials)} trials have all failed; the first: {trials[0].cause}")
