"""One run, from top to bottom: data, upstream, model, directory, training, evaluation, report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from kerasexp.config import Experiment
from kerasexp.config.track_section import Track
from kerasexp.console import Console
from kerasexp.custom.code_import import import_all
from kerasexp.data.images_in_files import reading_errors
from kerasexp.data.load_data import load_data
from kerasexp.data.prepared_data import DataCache
from kerasexp.errors import DirectoryInUse
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.finished_event import finished_event
from kerasexp.runs.identity import identify
from kerasexp.runs.prediction_graph import make_prediction_graph
from kerasexp.runs.resume import find_run, is_finished
from kerasexp.runs.run_request import RunRequest, Upstream
from kerasexp.runs.tracker_process import followed, require_trackers
from kerasexp.saving.checkpoint import load_checkpoint
from kerasexp.training.interruption import interruption_as_error


def run_experiment(request: RunRequest, console: Console, cache: DataCache | None = None) -> RunDirectory:
    """Run one experiment to its end, and return its directory.

    Single runs, runs of a study and trials of a search all go through this function.

    Args:
        request: what, and where.
        console: where progress is shown.
        cache: prepared data of earlier runs; gains those of this one.

    Raises:
        UserError: the experiment does not fit its data, its upstream or the directory, or a tracker is not installed; nothing
            is left behind.
        RunError: the run failed; its manifest says why.
        Interrupted: the run was asked to stop; its state is saved.
    """
    if request.run_dir is not None and not request.resume:
        RunDirectory.refuse_occupied(request.run_dir)
    if request.parent is not None and not request.run_dir.exists() and RunDirectory(request.parent).state.is_dir():
        RunDirectory(request.parent).copy_to(request.run_dir)
    if not request.is_part:
        require_trackers(request.experiment.track, request.experiment.name)
    with interruption_as_error():
        return _run(request, console, cache)


def _run(request: RunRequest, console: Console, cache: DataCache | None = None) -> RunDirectory:
    experiment = request.experiment

    # 1. The data; raises if the experiment does not fit them.
    data = load_data(experiment, console, cache)

    # 2. The upstream run, if there is one. This run may be finished already.
    upstream = run_upstream(experiment, console, request.resume)
    if upstream is not None:
        console.heading(experiment.name)
    identity = identify(experiment, data, upstream and upstream.key)
    found = find_run(request, identity, console)
    if found is not None and is_finished(found, identity):
        if not request.is_upstream:
            console.show(finished_event(found))
        return found

    from kerasexp.evaluation.custom_metrics import CustomMetrics
    from kerasexp.runs.checkpoint_card import write_card
    from kerasexp.runs.manifest import describe, record_training, recorded
    from kerasexp.runs.page import write_report
    from kerasexp.runs.raw_checkpoint import write_raw_checkpoint
    from kerasexp.runs.run_metrics import evaluate, validate
    from kerasexp.runs.run_relabelling import relabelled
    from kerasexp.training.fit import fit
    from kerasexp.training.initial_model import build_model

    # 3. The model, built before anything is written: a bad request leaves nothing. Code of users is imported first.
    import_all(experiment)
    CustomMetrics(experiment.metrics)
    checkpoint = None if upstream is None else upstream.run.checkpoint
    model = build_model(experiment, data, checkpoint, console)

    # 4. The directory, new or unfinished. Its manifest says at any time how far the run has come.
    run = found or RunDirectory.create(experiment.name, request.run_dir)
    manifest = describe(experiment, identity, data, upstream, model)
    with (
        followed(run.path, Track() if request.is_part else experiment.track, console),
        recorded(run, manifest, experiment, console, found is not None),
        reading_errors(*(split.images for split in data.splits.values())),
    ):
        # 5. Training, on labels from the upstream run where they are asked for.
        data = relabelled(experiment, data, checkpoint)
        fitted = fit(model, data, experiment, run, console)
        record_training(manifest, experiment, fitted, console)
        saved = load_checkpoint(run.checkpoint)
        if request.is_trial:
            validate(run, saved.model, experiment, data, fitted, console)
            return run

        # 6. Evaluation: every number, once, from what was saved. The test split is read here and nowhere before.
        results = evaluate(run, saved.model, experiment, data, fitted, manifest, console)
        write_raw_checkpoint(run, saved, experiment, data, manifest, console)
        make_prediction_graph(run, saved, request)
        write_card(run, results, manifest)

        # 7. The report, which draws what is in the results and computes nothing.
        write_report(run, results, manifest, console)
    console.show(finished_event(run))
    return run


def run_upstream(experiment: Experiment, console: Console, resume: bool) -> Upstream | None:
    """Return the upstream run, which is run first unless it is finished; None without `init`.

    Raises as `run_experiment`.
    """
    if experiment.init is None:
        return None
    upstream = experiment.init.experiment
    console.heading(f"{upstream.name}, which {experiment.name} starts from")
    run = _run_or_wait(RunRequest(upstream, resume=resume, is_upstream=True), console)
    manifest = run.read_manifest()
    return Upstream(run, manifest["key"], manifest.get("stand_ins", []))


def _run_or_wait(request: RunRequest, console: Console) -> RunDirectory:
    """Run; where another process has the directory, wait for that, and look again: by then the run may be finished."""
    while True:
        try:
            return _run(request, console)
        except DirectoryInUse as error:
            (problem,) = error.problems
            told = partial(console.line, f"waiting for {problem.file}, which another process is running")
            RunDirectory(Path(problem.file)).wait_until_free(told)
