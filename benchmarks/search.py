"""A random search of 12 trials against plain keras-tuner on the same space with the same seed; and two jobs against one.

    python benchmarks/search.py [--pairs 5] [--parts trial jobs] [--write]

Both sides are whole processes: start, 6,000 digits of MNIST, 12 trials of 2 epochs with a checkpoint each. keras-tuner is used
as in its guide: a model-building function, `RandomSearch`, `search`. Ours also keeps the state, history and TensorBoard files of
each trial, and draws the page. Two jobs of one thread each are compared with one job of one thread, by trials per hour. The time
until each job has ended its first trial is left out, so that the start of the processes does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
TRIALS, IMAGES = 12, 6000
SEARCH = f"""
base: {ROOT}/experiments/_base/mnist.yaml
data: {{labels: {{at_most: {IMAGES}}}}}
model:
  name: cnn
  blocks: [{{filters: {{choice: [16, 32]}}, pool: 2}}, {{filters: {{choice: [32, 64]}}, pool: 2}}]
  head: {{units: {{choice: [[64], [128]]}}, dropout: {{float: [0.0, 0.5]}}}}
training:
  epochs: 2
  batch_size: 50
  optimizer: {{name: adam, learning_rate: {{float: [0.0003, 0.01], sampling: log}}}}
search: {{algorithm: random, max_trials: {TRIALS}, confirm: []}}
"""
PLAIN = f"""
import os, sys
from pathlib import Path
import keras, keras_tuner, numpy as np
folder = Path(os.environ.get("KERASEXP_DATA", "."))
found = folder / "mnist.npz"
with np.load(found if found.exists() else keras.utils.get_file("mnist.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz")) as file:
    images, labels = file["x_train"][..., None], file["y_train"]
order = np.random.default_rng(0).permutation(len(labels))[:{IMAGES}]
cut = len(order) * 9 // 10
train, val = ((images[part], labels[part]) for part in (order[:cut], order[cut:]))

def build(hp):
    units = None
    layers = [keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255)]
    for name, choices in (("first", [16, 32]), ("second", [32, 64])):
        layers += [keras.layers.Conv2D(hp.Choice(name, choices), 3, padding="same", activation="relu"),
                   keras.layers.MaxPooling2D(2)]
    units = hp.Choice("units", ["[64]", "[128]"])
    layers += [keras.layers.Flatten(), keras.layers.Dense(int(units.strip("[]")), activation="relu"),
               keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5)), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    rate = hp.Float("rate", 0.0003, 0.01, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

tuner = keras_tuner.RandomSearch(build, objective="val_accuracy", max_trials={TRIALS}, seed=1, directory=sys.argv[1],
                                 project_name="plain", overwrite=True)
tuner.search(*train, batch_size=50, epochs=2, validation_data=val, verbose=0)
print(tuner.oracle.get_best_trials()[0].score)
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what is compared")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "space.yaml").write_text(SEARCH)
        for part in given.parts:
            PARTS[part](place, given)


def trial(place: Path, given) -> None:
    """Compare the time per trial with that of plain keras-tuner."""
    bests: dict[str, list[float]] = {"ours": [], "theirs": []}

    def ours() -> float:
        start = time.perf_counter()
        trials = search(place, 1, None)
        bests["ours"].append(max(trial["score"] for trial in trials))
        return (time.perf_counter() - start) / TRIALS

    def theirs() -> float:
        start = time.perf_counter()
        done = run([sys.executable, "-c", PLAIN, str(place)], place)
        bests["theirs"].append(float(done.split()[-1]))
        return (time.perf_counter() - start) / TRIALS

    ratio = take_turns(ours, theirs, given.pairs, name="keras-tuner")
    report_row(
        "a trial of a random search / plain keras-tuner",
        f"{ratio}: {ratio.ours:.2f} s, keras-tuner {ratio.theirs:.2f} s; best val accuracy {max(bests['ours']):.4f}, "
        f"keras-tuner {min(bests['theirs']):.4f} to {max(bests['theirs']):.4f}",
        ratio.median <= 1,
        "at most 1.0",
        "python benchmarks/search.py",
        given.write,
    )


def jobs(place: Path, given) -> None:
    """Compare the trials per hour of two jobs with those of one job."""

    def rate(count: int, cores: set[int] | None) -> float:
        ended = sorted(trial["ended"] for trial in search(place, count, cores))
        return 3600 * (len(ended) - count) / (ended[-1] - ended[count - 1])

    ratio = take_turns(lambda: rate(2, None), lambda: rate(1, {0}), given.pairs, "trials/h", "one job")
    report_row(
        "trials per hour with two jobs / with one, a thread each",
        f"{ratio}: {ratio.ours:.0f}, one job {ratio.theirs:.0f}",
        ratio.median >= 1.7,
        "at least 1.7",
        "python benchmarks/search.py --parts jobs",
        given.write,
    )


PARTS = {"trial": trial, "jobs": jobs}


def search(place: Path, jobs: int, cores: set[int] | None) -> list[dict[str, Any]]:
    """Run the search in a new directory, only on these cores, and return its trials."""
    directory = Path(tempfile.mkdtemp(dir=place)) / "search"
    command = [sys.executable, "-m", "kerasexp", "search", str(place / "space.yaml"), "--jobs", str(jobs)]
    run([*command, "--run-dir", str(directory)], place, cores)
    return json.loads((directory / "search.json").read_text())["trials"]


def run(command: list[str], place: Path, cores: set[int] | None = None) -> str:
    """Run a command, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if cores is not None:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(len(cores)), "OMP_NUM_THREADS": str(len(cores))}
    done = subprocess.run(
        command,
        cwd=place,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    return done.stdout


if __name__ == "__main__":
    main()
