"""The cost of recording gradients, per step: one process alternates between a training with it and one without.

Both train the network of part 2 with its optimizer in batches of 100 on the same random images, with deterministic
operations as in `run`. One step in fifteen is recorded, as in that experiment's 1,440; writing the file is included.

    python benchmarks/gradient_flow.py [--pairs 5] [--steps 60] [--write]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from timing import parser, report_row, take_turns

from kerasexp.backend import import_tensorflow
from kerasexp.config import load_experiment

ROOT = Path(__file__).resolve().parent.parent
BATCH = 100
PLANNED = 1440


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=60, help="of each measurement")
    given = arguments.parse_args()
    import_tensorflow()

    from kerasexp.runs.directory import RunDirectory
    from kerasexp.training.precision import make_deterministic

    make_deterministic()
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder))
        plain, recording = make_training(given.steps, None), make_training(given.steps, run)
        for warm_up in (plain, recording):
            warm_up()
        ratio = take_turns(recording, plain, given.pairs, "ms", "without")
    report_row(
        "a training step with the gradients recorded / without",
        f"{ratio}: {ratio.ours:.1f} ms, without {ratio.theirs:.1f} ms",
        ratio.median <= 1.02,
        "at most 1.02",
        "python benchmarks/gradient_flow.py",
        given.write,
    )


def make_training(steps: int, run) -> Callable[[], float]:
    """Return a function that trains for `steps` steps and returns the milliseconds of one; with a `run`, gradients are recorded."""
    import keras
    import numpy as np
    import tensorflow as tf

    from kerasexp.losses import build_loss
    from kerasexp.models import build_model, logits_model
    from kerasexp.training.gradient_flow import GradientFlow
    from kerasexp.training.optimizers import build_optimizer

    keras.utils.set_random_seed(0)
    experiment = load_experiment(ROOT / "experiments" / "part2_random.yaml")
    training, preprocessing = experiment.training, experiment.data.preprocessing
    model = logits_model(build_model(experiment.model, preprocessing, 10, experiment.name))
    optimizer = build_optimizer(training.model_copy(update={"epochs": 1}), PLANNED, model.trainable_variables)
    callbacks = [] if run is None else [GradientFlow(model, optimizer, PLANNED, run.write_gradients)]
    model.compile(optimizer, build_loss(training.loss, [BATCH] * 10))

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (BATCH, *preprocessing.size, preprocessing.channels)).astype(np.uint8)
    batches = tf.data.Dataset.from_tensors((images, generator.integers(0, 10, BATCH))).repeat()

    def train() -> float:
        start = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, callbacks=callbacks, shuffle=False, verbose=0)
        return 1e3 * (time.perf_counter() - start) / steps

    return train


if __name__ == "__main__":
    main()
