"""What the settings save that kerasexp chooses for TensorFlow: oneDNN, and several short steps in one call.

    python benchmarks/execution.py [--pairs 5] [--settings onednn together] [--networks part2 scans mobilenet] [--write]

Each measurement is a separate process, which trains on random images with the project's `fit` and returns the mean time of a
step. oneDNN is turned on and off by TF_ENABLE_ONEDNN_OPTS; TensorFlow itself turns it on only on processors with VNNI. Steps
are put together for small networks: here the perceptron of the MLP report, in batches of 100.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from functools import partial

from step_profile import NETWORKS, SHAPE, each_step_alone, first_experiment
from timing import parser, report_row, take_turns
from training_step import random_data, step_of_fit

# Of the perceptron; its report has 1,000, whose steps are not short.
BATCH = 100


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--steps", type=int, default=60, help="of each measurement; of the perceptron, ten times as many"
    )
    arguments.add_argument("--settings", nargs="+", choices=("onednn", "together"), default=["onednn", "together"])
    arguments.add_argument(
        "--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="with oneDNN and without"
    )
    arguments.add_argument("--measure", metavar="NETWORK", help="measure one side once, in this process")
    arguments.add_argument("--alone", action="store_true", help="with --measure: each step in a call of its own")
    given = arguments.parse_args()
    if given.measure:
        print(measure(given.measure, given.steps, given.alone))
        return
    for network in given.networks if "onednn" in given.settings else ():
        command = ["--steps", str(given.steps), "--measure", network]
        with_it, without = partial(timed, command, "1"), partial(timed, command, "0")
        ratio = take_turns(with_it, without, given.pairs, "ms", "without")
        report_row(
            f"{network}: a training step with oneDNN / without",
            f"{ratio}: {ratio.ours:.1f} ms, without {ratio.theirs:.1f} ms",
            ratio.median <= 1,
            "at most 1.0",
            f"python benchmarks/execution.py --settings onednn --networks {network}",
            given.write,
        )
    if "together" in given.settings:
        command = ["--steps", str(10 * given.steps), "--measure", "mlp"]
        together, alone = partial(timed, command, "1"), partial(timed, [*command, "--alone"], "1")
        ratio = take_turns(together, alone, given.pairs, "ms", "alone")
        report_row(
            "a training step of a perceptron, several in each call / each alone",
            f"{ratio}: {ratio.ours:.2f} ms, alone {ratio.theirs:.2f} ms",
            ratio.median <= 0.8,
            "at most 0.8",
            "python benchmarks/execution.py --settings together",
            given.write,
        )


def timed(arguments: list[str], onednn: str) -> float:
    """Return the milliseconds of a step, timed in a new process."""
    surroundings = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=surroundings
    )
    return float(done.stdout.split()[-1])


def measure(network: str, steps: int, alone: bool) -> float:
    """Return the milliseconds of a step of one network."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    if network == "mlp":
        experiment, classes = first_experiment("mlp/mlp", f"training.batch_size={BATCH}"), 10
    else:
        name, classes = NETWORKS[network]
        experiment = first_experiment(name)
    size = experiment.training.batch_size
    with each_step_alone() if alone else nullcontext():
        return step_of_fit(experiment, random_data(SHAPE, classes, size * steps, size), "float32")


if __name__ == "__main__":
    main()
