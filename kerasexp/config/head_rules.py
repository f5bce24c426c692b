"""Rules of heads that no steps train: what only a training by steps has, they have not."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.config.experiment import Experiment
from kerasexp.config.head import Svm, WithoutSteps, ZeroShot
from kerasexp.config.model import Application, Mlp
from kerasexp.config.training import Training

# The one key of `training` that concerns how features are computed.
TAKEN = "precision"


def head_without_steps(experiment: Experiment) -> tuple[str, WithoutSteps] | None:
    """Return key and section of the head that is found without steps of training; None where steps train the model."""
    if isinstance(experiment.model, Mlp):
        return None
    return next(iter(experiment.model.head.without_steps().items()), None)


def head_rules(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, message) for each of these rules that the experiment breaks."""
    found = head_without_steps(experiment)
    if found is None:
        return
    name, head = found
    for other in list(experiment.model.head.without_steps())[1:]:
        yield f"model.head.{other}", f"there is head.{name} already; use one of the two"
    if isinstance(head, Svm):
        yield from _svm_rules(head)
    if isinstance(head, ZeroShot):
        yield from _zero_shot_rules(experiment, head)
    usual = Training()
    for key in Training.model_fields:
        if key != TAKEN and getattr(experiment.training, key) != getattr(usual, key):
            yield f"training.{key}", f"has no part in head.{name}, which no steps train; leave it out"
    for key in ("augmentation", "oversample"):
        if getattr(experiment.data, key):
            yield f"data.{key}", f"has no part in head.{name}, which takes each image as it is, once; leave it out"
    if experiment.init is not None and experiment.init.pseudo_labels:
        yield "init.pseudo_labels", f"is for networks; head.{name} takes the labels as they are"


def _svm_rules(head: Svm) -> Iterator[tuple[str, str]]:
    if head.kernel == "linear" and head.gamma is not None:
        yield "model.head.svm.gamma", "linear has no gamma; use kernel: rbf, or null"
    if head.kernel != "linear" and head.multi_class != "ovr":
        yield "model.head.svm.multi_class", f"{head.multi_class} needs kernel: linear; {head.kernel} takes ovr"


def _zero_shot_rules(experiment: Experiment, head: ZeroShot) -> Iterator[tuple[str, str]]:
    model = experiment.model
    if not isinstance(model, Application):
        names = ", ".join(kind.model_fields["name"].default for kind in Application.__subclasses__())
        yield "model.head.zero_shot", f"{model.name} has no ImageNet outputs of its own; those that have: {names}"
    if model.head.units or model.head.dropout:
        key = "units" if model.head.units else "dropout"
        yield f"model.head.{key}", "has no part in head.zero_shot, which reads the network's own outputs; leave it out"
    if experiment.init is not None:
        yield "init", "has no part in head.zero_shot; model.weights names the weights"
    owner: dict[int, str] = {}
    for name, outputs in head.outputs.items():
        for output in outputs:
            if owner.setdefault(output, name) != name:
                yield f"model.head.zero_shot.outputs.{name}", f"has output {output}, which {owner[output]} has as well"
                break
