"""Where the time of a training step goes: the share of the machine's peak that it reaches, and its operations by kind.

    python benchmarks/step_profile.py [--pairs 5] [--steps 60] [--networks part2 ...] [--precisions ...] [--write]

Each measurement is a separate process, which trains on random images with the project's `fit`: first timed, then once more
under TensorFlow's profiler. The peak is measured in the same process, in the same number format: the operations per second of
a product of two square matrices, which are large and stay in the cache. A step counts as three forward passes, as the gradients
of feature maps and of weights take one each. The kinds are shares of the time of all operations that the profiler saw; two
operations that ran at the same time both count. So few steps all record their gradients; of a whole run, a hundred do.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from gpu import peak
from timing import Ratio, parser, report_row
from training_step import ROOT, random_data, step_of_fit

STEPS = 60
SIDE, PRODUCTS = 2048, 12
# Name -> the experiment, or the study of which the first variant is taken, and its classes. All images are 28x28.
NETWORKS = {
    "part2": ("part2_random", 10),
    "scans": ("part1_scans_best", 62),
    "mobilenet": ("mobilenet/mobilenet", 10),
    "perceptron": ("mlp/mlp", 10),
}
SHAPE = (28, 28, 1)
# The kind of an operation, `the path in the graph:Type`, is that of the first pattern that is found in it.
KINDS = {
    "the optimizer": r"/(adam|adamw|sgd|rmsprop|lion|muon|adafactor)_?\d*/",
    "records of gradients": r"/cond(_\d+)?/then/",
    "depthwise convolutions": r":.*Depthwise",
    "convolutions": r":.*Conv2D",
    "dense layers": r":.*MatMul",
    "batch normalisation": r":.*BatchNorm",
    "pooling": r":.*(MaxPool|AvgPool)",
    "activations": r":.*(Relu|Sigmoid)",
    "random numbers": r":.*Random",
}
PRECISIONS = ("float32", "mixed_bfloat16")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=STEPS, help="of each measurement")
    arguments.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32"])
    arguments.add_argument("--measure", action="store_true", help="measure the first of each once, in this process")
    given = arguments.parse_args()
    if given.measure:
        print(json.dumps(measure(given.networks[0], given.precisions[0], given.steps)))
        return
    for network, precision in product(given.networks, given.precisions):
        row(network, precision, given)


def row(network: str, precision: str, given) -> None:
    """Measure one network in one number format, and report it."""
    command = [sys.executable, __file__, "--measure", "--steps", str(given.steps)]
    command += ["--networks", network, "--precisions", precision]
    found = []
    for _ in range(given.pairs):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(
            "  {step:.1f} ms, {at_peak:.1f} ms at the peak of {peak:.0f} GFLOP/s, {kinds}".format(**found[-1]),
            flush=True,
        )
    share = Ratio.of([(each["at_peak"], each["step"]) for each in found])
    names = {name for each in found for name in each["kinds"]}
    kinds = {name: statistics.median(each["kinds"].get(name, 0) for each in found) for name in names}
    named = ", ".join(
        f"{name} {kinds[name]:.0%}" for name in sorted(kinds, key=kinds.get, reverse=True) if kinds[name] >= 0.01
    )
    machine = statistics.median(each["peak"] for each in found)
    steps = "" if given.steps == STEPS else f" --steps {given.steps}"
    report_row(
        f"{network}, {precision}: a training step's share of the peak of a matrix product",
        f"{share}: {share.theirs:.1f} ms, at {machine:.0f} GFLOP/s {share.ours:.1f} ms; {named}",
        None,
        "stated",
        f"python benchmarks/step_profile.py --networks {network} --precisions {precision}{steps}",
        given.write,
    )


def measure(network: str, precision: str, steps: int) -> dict[str, object]:
    """Return the milliseconds of a step and of its operations at the peak, the peak, and the shares of the kinds."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.models import build_model
    from kerasexp.models.flops import flops

    name, classes = NETWORKS[network]
    experiment = first_experiment(name)
    size = experiment.training.batch_size
    data = random_data(SHAPE, classes, size * steps, size)
    step = step_of_fit(experiment, data, precision)
    with each_step_alone():  # in a loop of several, the profiler names operations otherwise
        kinds = profiled(lambda: step_of_fit(experiment, data, precision))
    operations = 3 * size * flops(build_model(experiment.model, experiment.data.preprocessing, classes, "counted"))
    machine = peak(precision, SIDE, PRODUCTS)
    return {"step": step, "at_peak": 1e3 * operations / machine, "peak": machine / 1e9, "kinds": kinds}


def first_experiment(name: str, *changes: str):
    """Return a shipped experiment, or of a study the first variant's, for one epoch and with these changes."""
    from kerasexp.config import Study, load

    always = ["training.epochs=1", "training.validate_at=[]"]
    asked = load(ROOT / "experiments" / f"{name}.yaml", [*always, *changes])
    return next(iter(asked.variants.values())) if isinstance(asked, Study) else asked


@contextmanager
def each_step_alone():
    """Let a training take each step in a call of its own."""
    from kerasexp.training import steps_at_once

    most, steps_at_once.MOST = steps_at_once.MOST, 1
    try:
        yield
    finally:
        steps_at_once.MOST = most


def profiled(train) -> dict[str, float]:
    """Return the kinds of operations of a training and their shares; the first steps, which build the graph, count little."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            train()
        seconds = Counter(of_kinds(next(Path(folder).rglob("*.xplane.pb"))))
    total = sum(seconds.values())
    return {kind: time / total for kind, time in seconds.most_common()}


def of_kinds(file: Path) -> Counter[str]:
    """Return the picoseconds of each kind of operation in a trace of a training."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    found: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            # The operations of the compiled step; other events hold them, or are of Python.
            if name.startswith("StatefulPartitionedCall/"):
                found[kind_of(name)] += event.duration_ps
    return found


def kind_of(operation: str) -> str:
    """Return the kind of an operation of the graph of a training step."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, operation)), "others")


if __name__ == "__main__":
    main()
