"""A search from its proposals to the page: trials until the budget is spent, and then the winner's confirmation."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path

from kerasexp.config import Experiment, Search, Study, resolved_yaml
from kerasexp.config.search import OBJECTIVES, corner_problems
from kerasexp.config.study import with_seed
from kerasexp.console import Console
from kerasexp.data.load import load_data
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import RunError, UserError
from kerasexp.executors import Executor, executor_of
from kerasexp.executors.tasks import Ending, Task
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.proposals import Proposal, Proposals
from kerasexp.search.results import SearchResults, Trial, read_trial
from kerasexp.search.table import best_lines, trial_line, trials_csv
from kerasexp.storage import write_text
from kerasexp.training.interruption import interruption_is_an_error

DEFAULT_TRIALS, UNLIMITED = 30, 10**6
# Where not one of the first trials can be trained, the others will not be either.
MOST_FAILED = 10
# Models of so many corners are built before the first trial.
MOST_BUILT = 24


def run_search(search: Search, run_dir: Path | None, extend: bool, jobs: int, console: Console) -> Path:
    """Make the trials of a search that have not been made, train the winner again, and return the search's directory.

    A search of the same content that was begun before is gone on with: a trial that has ended is not made again, and one
    that was interrupted goes on from its last state.

    Args:
        search: what is searched for.
        run_dir: the directory to make or to go on with; None for the newest below `runs/<name>` that holds this search,
            or the next number.
        extend: go on with one whose domains were narrower.
        jobs: how many trials at once.
        console: where progress is shown.

    Raises:
        UserError: some values cannot be trained with, or `run_dir` holds something else.
        RunError: no trial could be trained.
        Interrupted: the process was asked to stop; what was running can be gone on with.
    """
    carried_out_by = executor_of(search.execution, jobs, _most_trials(search), console)
    directory = SearchDirectory.find(search, run_dir, extend)
    if directory is None:
        check_corners(search, console)
        directory = SearchDirectory.create(search, run_dir)
    with directory.held(), interruption_is_an_error():
        directory.write(search, {"status": "unfinished", **_kept(directory)})
        write_text(directory.yaml, resolved_yaml(search))
        found = _Searching(search, directory, console)
        try:
            with carried_out_by as executor:
                found.search(executor)
        finally:
            found.save()
        best = found.results.best
        if best is None:
            trials = found.results.trials
            if not trials:
                raise RunError("no trial was made: the budget is spent")
            raise RunError(f"not one trial could be trained; the first: {trials[0].cause}")
        found.drop_weights()
        directory.keep_best(best.id, resolved_yaml(found.experiments[best.id]))
        for line in best_lines(found.results):
            console.line(line)
        confirmation = _confirm(search, found, directory, jobs, console)
        found.save("finished")
        _write_page(directory, found.results, confirmation)
    return directory.path


class _Searching:
    """The trials of one search, as far as they are known."""

    def __init__(self, search: Search, directory: SearchDirectory, console: Console):
        self._search, self._directory, self._console = search, directory, console
        self._proposals = Proposals(search, directory.path)
        self._waiting = deque(self._proposals.restore())
        before = directory.read()
        self._start = time.monotonic() - before.get("seconds", 0.0)
        self._running: dict[str, Proposal] = {}
        self.experiments: dict[str, Experiment] = {}
        self.results = SearchResults(search, OBJECTIVES[search.settings.objective])
        noted = {trial["id"]: trial for trial in before.get("trials", [])}
        for proposal, cause in self._proposals.ended():
            kept, experiment = noted.get(proposal.id), self._experiment(proposal)
            earlier = self._same(experiment)
            self.experiments[proposal.id] = experiment
            if kept is not None:
                self.results.trials.append(Trial(**kept))
            elif earlier is not None:
                self.results.trials.append(earlier.repeated(proposal.id, proposal.values, self._seconds()))
            else:
                self.results.trials.append(self._looked_at(proposal, cause))
        self.results.trials.sort(key=lambda trial: trial.ended)

    def search(self, executor: Executor) -> None:
        """Make trials until the budget is spent."""
        most = _most_trials(self._search)
        with self._console.bar(self._search.name, most if most < UNLIMITED else None) as bar:
            while True:
                while executor.room and (proposal := self._next()) is not None:
                    self._begin(proposal, executor)
                if not self._running:
                    break
                self._note(executor.ended())
                bar.advance(len(self.results.trials))
                self.save()
                self._give_up_where_all_fail()

    def save(self, status: str = "unfinished") -> None:
        """Write what is known of all trials."""
        seconds, trials = round(time.monotonic() - self._start, 3), [vars(trial) for trial in self.results.trials]
        self._directory.write(self._search, {"status": status, "seconds": seconds, "trials": trials})
        write_text(self._directory.trials, trials_csv(self.results))

    def _next(self) -> Proposal | None:
        if self._waiting:
            return self._waiting.popleft()
        settings = self._search.settings
        epochs = sum(trial.trained for trial in self.results.trials)
        minutes = (time.monotonic() - self._start) / 60
        spent = (
            len(self._proposals) >= _most_trials(self._search)
            or (settings.max_epochs is not None and epochs >= settings.max_epochs)
            or (settings.max_minutes is not None and minutes >= settings.max_minutes)
        )
        return None if spent else self._proposals.next()

    def _begin(self, proposal: Proposal, executor: Executor) -> None:
        experiment = self._experiment(proposal)
        earlier = self._same(experiment)
        self.experiments[proposal.id] = experiment
        if earlier is not None:
            self._end(earlier.repeated(proposal.id, proposal.values, self._seconds()))
            return
        run = self._directory.run(proposal.id)
        parent = None if proposal.parent is None else self._directory.run(proposal.parent).path
        self._running[proposal.id] = proposal
        log = run.path.with_suffix(".log")
        executor.start(Task(proposal.id, experiment.seed, experiment, run.path, log, trial=True, parent=parent))

    def _same(self, experiment: Experiment) -> Trial | None:
        """Return a trial of this very experiment that has ended, or None."""
        return next((trial for trial in self.results.trials if self.experiments[trial.id] == experiment), None)

    def _note(self, ending: Ending) -> None:
        proposal = self._running.pop(ending.task.name)
        self._end(self._looked_at(proposal, ending.cause))

    def _end(self, trial: Trial) -> None:
        self._proposals.end(trial.id, trial.score, trial.epochs, trial.cause)
        self.results.trials.append(trial)
        self._write_summary(trial)
        if self._search.settings.algorithm != "hyperband":  # which may go on with any of them
            self.drop_weights()
        self._console.line(trial_line(trial, self.results))

    def _looked_at(self, proposal: Proposal, cause: str | None) -> Trial:
        parent = next(((t.id, t.epochs) for t in self.results.trials if t.id == proposal.parent), None)
        run = self._directory.run(proposal.id)
        return read_trial(run, proposal.id, proposal.values, self.results.objective, cause, self._seconds(), parent)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._start, 3)

    def _experiment(self, proposal: Proposal) -> Experiment:
        return self._search.experiment(proposal.values, proposal.epochs)

    def drop_weights(self) -> None:
        """Delete the weights of all trials but the best."""
        for trial in self.results.ranked[self._search.settings.keep :]:
            self._directory.drop_weights(trial.id)

    def _write_summary(self, trial: Trial) -> None:
        from kerasexp.search.hparams import write_hparams

        write_hparams(self._directory.tensorboard / trial.id, trial, self.results)

    def _give_up_where_all_fail(self) -> None:
        trials = self.results.trials
        if len(trials) >= MOST_FAILED and not self.results.ranked:
            raise RunError(f"the first {len(trials)} trials have all failed; the first: {trials[0].cause}")


def _kept(directory: SearchDirectory) -> dict:
    before = directory.read()
    return {key: before[key] for key in ("seconds", "trials") if key in before}


def _most_trials(search: Search) -> int:
    most = search.settings.max_trials
    if most is None:
        most = DEFAULT_TRIALS if search.settings.algorithm in ("random", "bayesian") else UNLIMITED
    return most


def check_corners(search: Search, console: Console) -> None:
    """Prepare the data and build the models of some corners of the space; raise UserError with all that cannot be."""
    from kerasexp.models import build_classifier

    prepared: dict[str, PreparedData] = {}
    built = 0

    def try_out(experiment: Experiment) -> None:
        nonlocal built
        key = json.dumps(
            [experiment.data.model_dump(mode="json", exclude={"augmentation"}), experiment.training.batch_size]
        )
        if key not in prepared:
            prepared[key] = load_data(experiment, console if not prepared else Console(quiet=True))
        if built < MOST_BUILT:
            built += 1
            build_classifier(experiment, prepared[key].class_names, prepared[key].train_counts)

    if problems := corner_problems(search, try_out):
        raise UserError(*problems)


def _confirm(search: Search, found: _Searching, directory: SearchDirectory, jobs: int, console: Console) -> Path | None:
    """Train the winner with several seeds, beside what it is compared with, as a study; return its directory."""
    from kerasexp.studies.run import run_study

    seeds, best = search.settings.confirm, found.results.best
    if not seeds:
        return None
    variants = {} if search.against is None else {search.against.name: search.against}
    variants |= {"found": found.experiments[best.id]}
    variants = {name: with_seed(experiment, seeds[0]) for name, experiment in variants.items()}
    study = Study(f"{search.name}_confirmed", variants, seeds, execution=search.execution)
    console.line(f"training the winner again with seeds {', '.join(map(str, seeds))}")
    directory.confirmation.mkdir(exist_ok=True)
    return run_study(study, directory.confirmation / best.id, console, jobs)


def _write_page(directory: SearchDirectory, results: SearchResults, confirmation: Path | None) -> None:
    from kerasexp.search.page import write_search_page

    write_search_page(directory, results, confirmation)
