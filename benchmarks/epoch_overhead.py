"""The time of an epoch of `run` compared with bare `model.fit` on the same arrays: one process, alternating trainings.

Both train the network of part 2 in batches of 100 on the same images and validate on the same others. Bare is
`model.fit(x, y)` and a clock; ours is the project's `fit` with its input pipeline, checkpoint, history and TensorBoard. Each
training has three epochs; the first, in which TensorFlow builds its graphs, is not counted. Saving the state and the
checkpoint takes some 0.2 s per epoch, whatever its length.

With `--live`, both sides are ours: the live line of a terminal is compared with no display at all.

    python benchmarks/epoch_overhead.py [--pairs 5] [--images 30000] [--live] [--write]
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import rich.console
from timing import parser, report_row, take_turns

from kerasexp.backend import import_tensorflow
from kerasexp.config import load_experiment
from kerasexp.console import Console, QuietConsole
from kerasexp.console.terminal_console import TerminalConsole
from kerasexp.data.prepared_data import PreparedData, prepare

ROOT = Path(__file__).resolve().parent.parent
# Both sides validate; with few images, so that validation does not hide the cost of training.
VALIDATION = 100
EPOCHS = 3


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--images", type=int, default=30_000, help="of an epoch")
    arguments.add_argument("--live", action="store_true", help="measure what the live line of a terminal costs")
    given = arguments.parse_args()
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    experiment = load_experiment(
        ROOT / "experiments" / "part2_random.yaml", [f"training.epochs={EPOCHS}", "training.schedule=constant"]
    )
    data = prepare(experiment.data)
    print(data.stand_in or data.origin)
    train = data.splits["train"].take(range(min(given.images, len(data.splits["train"]))))
    splits = {**data.splits, "train": train, "val": data.splits["val"].take(range(VALIDATION))}
    data = PreparedData(**{**vars(data), "splits": splits})
    if given.live:
        report_live(experiment, data, given)
        return
    ratio = take_turns(make_ours(experiment, data), make_bare(experiment, data), given.pairs, name="bare fit")
    report_row(
        "an epoch of `run` / bare `model.fit`",
        f"{ratio}: {ratio.ours:.1f} s, bare {ratio.theirs:.1f} s",
        ratio.median <= 1.02,
        "at most 1.02",
        "python benchmarks/epoch_overhead.py",
        given.write,
    )


def report_live(experiment, data: PreparedData, given) -> None:
    """Print how long an epoch takes with the live line, compared with no display."""
    with open(os.devnull, "w") as nowhere:
        terminal = TerminalConsole(rich.console.Console(file=nowhere, force_terminal=True, width=120))
        shown, hidden = make_ours(experiment, data, terminal), make_ours(experiment, data)
        ratio = take_turns(shown, hidden, given.pairs, name="no display")
    report_row(
        "an epoch of `run` with the live line / without",
        f"{ratio}: {ratio.ours:.1f} s, without {ratio.theirs:.1f} s",
        ratio.median <= 1.01,
        "at most 1.01",
        "python benchmarks/epoch_overhead.py --live",
        given.write,
    )


def make_bare(experiment, data: PreparedData):
    """Return a function that trains with Keras alone and returns the seconds of an epoch."""
    import keras
    from tensorflow.python.util import _pywrap_determinism

    from kerasexp.models import build_model

    train, val = data.splits["train"], data.splits["val"]

    def epoch() -> float:
        # Plain Keras code does not enable deterministic operations, as `run` does.
        _pywrap_determinism.enable(False)
        model = build_model(experiment.model, experiment.data.preprocessing, 10, experiment.name)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
        ends: list[float] = []
        model.fit(
            train.images,
            train.labels,
            batch_size=experiment.training.batch_size,
            epochs=EPOCHS,
            validation_data=(val.images, val.labels),
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
            ],
            verbose=0,
        )
        return (ends[-1] - ends[0]) / (EPOCHS - 1)

    return epoch


def make_ours(experiment, data: PreparedData, console: Console | None = None):
    """Return a function that trains as `run` does and returns the seconds of an epoch; it shows nothing without a console."""
    from kerasexp.runs.directory import RunDirectory
    from kerasexp.training.fit import fit
    from kerasexp.training.initial_model import build_model

    def epoch() -> float:
        with tempfile.TemporaryDirectory() as folder:
            run = RunDirectory.create("benchmark", Path(folder))
            model = build_model(experiment, data, None, QuietConsole())
            rows = fit(model, data, experiment, run, console or QuietConsole()).history
        return (rows[-1]["seconds"] - rows[0]["seconds"]) / (EPOCHS - 1)

    return epoch


if __name__ == "__main__":
    main()
