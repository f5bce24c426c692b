"""All that can be found wrong with an experiment without training it."""

from __future__ import annotations

from kerasexp.config import Experiment
from kerasexp.console import Console
from kerasexp.data.preparation import PreparedData
from kerasexp.errors import Problem, UserError
from kerasexp.workflow import prepare_data

# Activations are kept for the backward pass: their sum over one batch, in float32, is most of what training needs.
BYTES = 4


def check_experiment(experiment: Experiment, console: Console) -> None:
    """Prepare the data and build the model of an experiment and its upstream, and print what was found.

    Raises:
        UserError: with every problem.
    """
    problems: list[Problem] = []
    _check(experiment, console, problems)
    if problems:
        raise UserError(*problems)
    console.line(f"{experiment.name}: nothing wrong was found")


def _check(experiment: Experiment, console: Console, problems: list[Problem]):
    """Check one experiment, its upstream first; return its model, or None where it cannot be built."""
    from kerasexp.models import build_model
    from kerasexp.training.initial_weights import start_from

    upstream = None if experiment.init is None else _check(experiment.init.experiment, console, problems)
    try:
        data, _ = prepare_data(experiment, console)
    except UserError as error:
        problems += [Problem(p.message, p.file or experiment.name, p.key) for p in error.problems]
        return None
    problems += [Problem(message, experiment.name, key) for key, message in _data_problems(experiment, data)]
    model = build_model(experiment.model, experiment.data.preprocessing, len(data.class_names), experiment.name)
    if upstream is not None:
        try:
            start_from(model, upstream, experiment.init)
        except UserError as error:
            problems += [Problem(p.message, experiment.name, p.key) for p in error.problems]
    activations = sum(_size(layer) for layer in model.layers) * experiment.training.batch_size * BYTES
    console.line(
        f"{experiment.name}: {model.count_params():,} parameters; about {activations * 2 / 2**20:,.0f} MiB for a batch of "
        f"{experiment.training.batch_size}"
    )
    return model


def _size(layer) -> int:
    size = 1
    for side in layer.output.shape[1:]:
        size *= side or 1
    return size


def _data_problems(experiment: Experiment, data: PreparedData):
    count, batch = len(data.splits["train"]), experiment.training.batch_size
    if batch > count:
        yield "training.batch_size", f"{batch} is more than the {count} training pictures"
    if data.faults and experiment.data.on_corrupt == "error":
        yield "data.on_corrupt", f"is error, and {len(data.faults)} pictures cannot be read"
    for name, split in data.splits.items():
        absent = sorted(set(range(len(data.class_names))) - set(split.labels.tolist()))
        if absent and name == "train":
            yield "data", f"train holds no picture of {', '.join(data.class_names[i] for i in absent[:10])}"
