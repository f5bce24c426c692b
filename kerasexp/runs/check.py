"""All that can be found wrong with an experiment without training it."""

from __future__ import annotations

from collections.abc import Callable

from kerasexp.config import Experiment, Search, Study
from kerasexp.console import Console
from kerasexp.data.fit_checks import misfits
from kerasexp.data.load import prepare_data
from kerasexp.errors import Problem, UserError

# Activations are kept for the backward pass: their sum over one batch, in float32, is most of what training needs.
BYTES = 4


def check_all(asked: Experiment | Study | Search, console: Console) -> None:
    """Prepare the data and build the model of an experiment and its upstream, of each variant of a study, or of some corners
    of a search's space.

    What was found is printed.

    Raises:
        UserError: with every problem.
    """
    if isinstance(asked, Search):
        from kerasexp.search.run import check_corners

        check_corners(asked, console)
        console.line(f"{asked.name}: nothing wrong was found at the corners of the space")
        return
    variants = asked.variants if isinstance(asked, Study) else {None: asked}
    problems: dict[Problem, None] = {}
    for name, experiment in variants.items():
        if name is not None:
            console.line(f"variant {name}:")
        found: list[Problem] = []
        _check(experiment, console, found)
        problems |= dict.fromkeys(found)
    if problems:
        raise UserError(*problems)
    console.line(f"{asked.name}: nothing wrong was found")


def _check(experiment: Experiment, console: Console, problems: list[Problem]):
    """Check one experiment, its upstream first; return its model, or None where it cannot be built."""
    from kerasexp.models import build_classifier
    from kerasexp.models.flops import flops
    from kerasexp.training.fine_tuning import freeze_below
    from kerasexp.training.initial_weights import start_from
    from kerasexp.training.pretrained_weights import load_pretrained

    upstream = None if experiment.init is None else _check(experiment.init.experiment, console, problems)
    try:
        # Images that cannot be read are a finding here, whatever the run would make of them.
        lenient = experiment.data.model_copy(update={"on_corrupt": "skip"})
        data = prepare_data(experiment.model_copy(update={"data": lenient}), console)
    except UserError as error:
        problems += [Problem(p.message, p.file or experiment.name, p.key) for p in error.problems]
        return None
    problems += misfits(experiment, data)
    if data.faults and experiment.data.on_corrupt == "error":
        message = f"is error, and {len(data.faults)} images cannot be read"
        problems.append(Problem(message, experiment.name, "data.on_corrupt"))
    model = build_classifier(experiment, data.class_names, data.train_counts)
    steps: list[Callable[[], object]] = [
        lambda: load_pretrained(model, experiment.model),
        *([lambda: start_from(model, upstream, experiment.init)] if upstream is not None else []),
        lambda: freeze_below(model, experiment.training.fine_tune),
    ]
    for step in steps:
        try:
            step()
        except UserError as error:
            problems += [Problem(p.message, p.file or experiment.name, p.key) for p in error.problems]
    activations = sum(_size(layer) for layer in model.layers) * experiment.training.batch_size * BYTES
    console.line(
        f"{experiment.name}: {model.count_params():,} parameters; {flops(model):,} FLOPs for one image; about "
        f"{activations * 2 / 2**20:,.0f} MiB for a batch of {experiment.training.batch_size}"
    )
    return model


def _size(layer) -> int:
    size = 1
    for side in layer.output.shape[1:]:
        size *= side or 1
    return size
