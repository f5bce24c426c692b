"""Every problem of an experiment that can be found without training."""

from __future__ import annotations

import math
from collections.abc import Callable

from kerasexp.backend import import_tensorflow
from kerasexp.config import Experiment, Study
from kerasexp.console import Console
from kerasexp.custom.code_import import CodeError, import_all
from kerasexp.data.data_requirements import misfits
from kerasexp.data.load_data import prepare_data
from kerasexp.data.prepared_data import DataCache, PreparedData
from kerasexp.errors import Problem, UserError
from kerasexp.runs.tracker_process import require_trackers

# The activations of one batch, kept in float32 for the backward pass, are most of the memory that training needs.
BYTES = 4


def check_all(asked: Experiment | Study, console: Console) -> None:
    """Prepare the data and build the model of an experiment and its upstream, or of each variant of a study.

    Where something is wrong with the data, no model is built.

    Raises:
        UserError: with every problem.
    """
    variants = asked.variants if isinstance(asked, Study) else {None: asked}
    require_trackers(asked.track, asked.name)
    problems, building, cache = {}, False, DataCache()
    for name, experiment in variants.items():
        if name is not None:
            console.line(f"variant {name}:")
        found: list[Problem] = []
        chain = _prepared(experiment, console, cache, found)
        if not found:
            if not building:
                console.line("building the model, with TensorFlow")
                import_tensorflow()
            building = True
            model = None
            for one, data in chain:
                model = _built(one, data, model, console, found)
        problems |= dict.fromkeys(found)
    if problems:
        raise UserError(*problems)
    console.line(f"{asked.name}: no problem was found")


def _prepared(
    experiment: Experiment, console: Console, cache: DataCache, problems: list[Problem]
) -> list[tuple[Experiment, PreparedData]]:
    """Return an experiment and its data, after those of its upstream; what is wrong with the data is added to the problems.

    This needs no TensorFlow, whose import takes seconds: the counts and the mistakes come at once.
    """
    chain = [] if experiment.init is None else _prepared(experiment.init.experiment, console, cache, problems)
    try:
        # Here images that cannot be read are listed, and do not stop the check.
        lenient = experiment.data.model_copy(update={"on_corrupt": "skip"})
        data = prepare_data(experiment.model_copy(update={"data": lenient}), console, cache)
    except UserError as error:
        problems += [Problem(p.message, p.file or experiment.name, p.key) for p in error.problems]
        return chain
    problems += misfits(experiment, data)
    if data.faults and experiment.data.on_corrupt == "error":
        message = f"is error, and {len(data.faults)} images cannot be read"
        problems.append(Problem(message, experiment.name, "data.on_corrupt"))
    return [*chain, (experiment, data)]


def _built(experiment: Experiment, data: PreparedData, upstream, console: Console, problems: list[Problem]):
    """Build the model of one experiment and load what it starts from; return the model, or None if it cannot be built."""
    from kerasexp.evaluation.custom_metrics import CustomMetrics
    from kerasexp.models import build_classifier, family_of
    from kerasexp.models.flops import flops
    from kerasexp.training.fine_tuning import freeze_below
    from kerasexp.training.initial_model import try_out_code
    from kerasexp.training.initial_weights import start_from
    from kerasexp.training.pretrained_weights import load_pretrained
    from kerasexp.training.teacher import load_teacher

    try:
        import_all(experiment)
        CustomMetrics(experiment.metrics)
        model = build_classifier(experiment, data.class_names, data.train_counts)
        try_out_code(experiment, data)
    except (UserError, CodeError) as error:
        given = getattr(error, "problems", [Problem(str(error))])
        problems += [Problem(p.message, p.file or experiment.name, p.key) for p in given]
        return None
    steps: list[Callable[[], object]] = [
        lambda: load_pretrained(model, experiment.model, console),
        *([lambda: start_from(model, upstream, experiment.init)] if upstream is not None else []),
        lambda: freeze_below(model, family_of(experiment.model), experiment.training.fine_tune),
        lambda: load_teacher(experiment, data),
    ]
    for step in steps:
        try:
            step()
        except UserError as error:
            problems += [Problem(p.message, p.file or experiment.name, p.key) for p in error.problems]
    activations = sum(_size(layer) for layer in model.layers) * experiment.training.batch_size * BYTES
    operations = flops(model)
    count = "unknown" if operations is None else f"{operations:,}"
    console.line(
        f"{experiment.name}: {model.count_params():,} parameters; {count} FLOPs for one image; about "
        f"{activations * 2 / 2**20:,.0f} MiB for a batch of {experiment.training.batch_size}"
    )
    return model


def _size(layer) -> int:
    import keras

    tensors = keras.tree.flatten(layer.output)  # a layer may have several
    return sum(math.prod(side or 1 for side in tensor.shape[1:]) for tensor in tensors)
