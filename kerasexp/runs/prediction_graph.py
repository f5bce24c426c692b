"""The graph by which LiteRT predicts with the checkpoint of a run: made when the run ends, so that the first answer is quick."""

from __future__ import annotations

from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.run_request import RunRequest
from kerasexp.saving.checkpoint import Checkpoint
from kerasexp.saving.checkpoint_code import needs_code
from kerasexp.saving.litert_graph import graph_file, keep_graph


def make_prediction_graph(run: RunDirectory, checkpoint: Checkpoint, request: RunRequest) -> None:
    """Make the graph of a run's checkpoint in the cache, if the checkpoint can have one.

    Runs of studies and searches, and those that others start from, get theirs when they predict first: most never do.
    """
    if request.is_part or request.is_upstream or needs_code(run.checkpoint):
        return
    file = graph_file(run.model, checkpoint.class_names, checkpoint.multi_label)
    if file is not None:
        keep_graph(checkpoint.model, file)
