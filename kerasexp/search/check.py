"""Check the corners of a search's space: combinations of extreme values that may not be trainable."""

from __future__ import annotations

import json

from kerasexp.backend import import_tensorflow
from kerasexp.config import Experiment, Search
from kerasexp.config.search_section import corner_problems
from kerasexp.console import Console, QuietConsole
from kerasexp.data.load_data import load_data
from kerasexp.data.prepared_data import PreparedData
from kerasexp.errors import UserError
from kerasexp.runs.tracker_process import require_trackers

# Building a model takes time: only those of the first corners are built.
MAX_MODELS = 24


def check_corners(search: Search, console: Console) -> None:
    """Prepare the data of each corner, and build the models of the first corners.

    Raises:
        UserError: with every problem.
    """
    require_trackers(search.track, search.name)
    prepared: dict[str, PreparedData] = {}
    models = 0

    def check(experiment: Experiment) -> None:
        nonlocal models
        key = json.dumps(
            [experiment.data.model_dump(mode="json", exclude={"augmentation"}), experiment.training.batch_size]
        )
        if key not in prepared:
            prepared[key] = load_data(experiment, console if not prepared else QuietConsole())
        if models < MAX_MODELS:
            if not models:
                console.line("building models, with TensorFlow")
                import_tensorflow()
            models += 1
            from kerasexp.models import build_classifier

            build_classifier(experiment, prepared[key].class_names, prepared[key].train_counts)

    if problems := corner_problems(search, check):
        raise UserError(*problems)
