"""A search from its first proposal to its page: trials until the budget is spent, then the confirmation of the winner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasexp.config import Search, Study, resolved_yaml
from kerasexp.config.study_section import with_seed
from kerasexp.console import Console, Finished, Started
from kerasexp.errors import RunError
from kerasexp.executors import make_executor
from kerasexp.runs.tracker_process import followed, require_trackers
from kerasexp.search.budget import max_trials
from kerasexp.search.check import check_corners
from kerasexp.search.directory import SearchDirectory
from kerasexp.search.results import SearchResults, Trial
from kerasexp.search.table import best_lines
from kerasexp.search.trial_scheduler import TrialScheduler, monitor_message
from kerasexp.storage import write_text
from kerasexp.studies.run import FinishedStudy, run_study
from kerasexp.training.interruption import interruption_as_error


@dataclass(frozen=True)
class FinishedSearch:
    """A search that has ended: its directory, its trials, and the study of the winner; None without `search.confirm`."""

    directory: SearchDirectory
    results: SearchResults
    confirmation: FinishedStudy | None

    @property
    def path(self) -> Path:
        return self.directory.path


def run_search(search: Search, run_dir: Path | None, extend: bool, jobs: int, console: Console) -> FinishedSearch:
    """Run the trials of a search, and train the winner again with other seeds.

    A search of the same content is resumed: trials that have ended are not run again, and interrupted ones continue from
    their last state.

    Args:
        search: what to search.
        run_dir: the directory to create or to resume; None for the newest one below `runs/<name>` that holds this search,
            or the next number.
        extend: whether to continue a search with narrower domains.
        jobs: how many trials at once.
        console: where progress is shown.

    Raises:
        UserError: some values cannot be used for training, `run_dir` holds something else, or a tracker is not installed.
        RunError: no trial could be trained.
        Interrupted: the process was asked to stop. Unfinished trials can be resumed.
    """
    from kerasexp.search.page import write_search_page

    require_trackers(search.track, search.name)
    prepared_executor = make_executor(search.execution, jobs, max_trials(search), console)
    directory = SearchDirectory.find(search, run_dir, extend)
    if directory is None:
        check_corners(search, console)
        directory = SearchDirectory.create(search, run_dir)
    # The lock is free again when the rest is sent: with it, whatever was interrupted would be sent as still running.
    with interruption_as_error(), followed(directory.path, search.track, console), directory.locked():
        before = directory.read()
        kept = {key: before[key] for key in ("seconds", "trials") if key in before}
        scheduler = TrialScheduler(search, directory, console)  # before the directory is of wider domains
        directory.write(search, {"status": "unfinished", **kept})
        write_text(directory.yaml, resolved_yaml(search))
        console.show(Started("search", search.name, directory.path, bool(kept), jobs=scheduler.total))
        if (message := monitor_message(search)) is not None:
            console.line(message)
        try:
            with prepared_executor as executor:
                scheduler.run(executor)
        finally:
            scheduler.save()
        best = _best(scheduler.results)
        if _differs_in_data(search, scheduler, directory):
            console.warning("the data have changed between the trials: their scores are of different images")
        scheduler.drop_weights()
        directory.keep_best(best.id, resolved_yaml(scheduler.experiments[best.id]))
        for line in best_lines(scheduler.results):
            console.line(line)
        with scheduler.paused():  # the minutes of a search are those of its trials
            confirmation = _confirm(search, scheduler, directory, jobs, console)
        scheduler.save("finished")
        write_search_page(directory, scheduler.results, confirmation)
    done = FinishedSearch(directory, scheduler.results, confirmation)
    console.show(_finished_event(done))
    return done


def _best(results: SearchResults) -> Trial:
    """Return the best trial; raise RunError if none could be trained."""
    if results.best is None:
        if not results.trials:
            raise RunError("no trial was run: the budget is spent")
        raise RunError(f"no trial could be trained; the first failed: {results.trials[0].cause}")
    return results.best


def _differs_in_data(search: Search, scheduler: TrialScheduler, directory: SearchDirectory) -> bool:
    """Return whether trials were measured on different images of val although no domain is about the data."""
    if any(name.startswith("data.") for name in search.space.domains):
        return False
    manifests = (directory.run(trial.id).read_manifest() for trial in scheduler.results.ranked)
    return len({manifest["data"]["identities"]["val"] for manifest in manifests if "data" in manifest}) > 1


def _confirm(
    search: Search, scheduler: TrialScheduler, directory: SearchDirectory, jobs: int, console: Console
) -> FinishedStudy | None:
    """Train the winner with several seeds, beside the experiment that it is compared with, as a study."""
    seeds, best = search.settings.confirm, scheduler.results.best
    if not seeds:
        return None
    variants = {} if search.against is None else {search.against.name: search.against}
    variants |= {"found": scheduler.experiments[best.id]}
    variants = {
        name: with_seed(experiment, seeds[0]).model_copy(update={"track": search.track})
        for name, experiment in variants.items()
    }
    study = Study(f"{search.name}_confirmed", variants, seeds, execution=search.execution)
    console.heading(f"training the winner again with seeds {', '.join(map(str, seeds))}")
    directory.confirmation.mkdir(exist_ok=True)
    return run_study(study, directory.confirmation / best.id, console, jobs, is_part=True)


def _finished_event(done: FinishedSearch) -> Finished:
    """Return the event of a finished search: its best trial."""
    best, page, name = done.results.best, done.directory.page, done.results.search.settings.objective
    metrics = {"trial": best.id, name: best.score, "values": best.values, "trials": len(done.results.trials)}
    return Finished("search", done.results.search.name, done.path, page, metrics, text=f"report: {page}")
