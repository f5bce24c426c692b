"""A random search of 12 trials beside plain keras-tuner on the same space with the same seed; and two jobs beside one.

    python benchmarks/search.py [--pairs 5] [--write]

Both sides are whole processes: start, 6,000 digits of MNIST, 12 trials of 2 epochs with a checkpoint each. keras-tuner is used
as its guide says: a model-building function, `RandomSearch`, `search`; ours also keeps each trial's state, history and
TensorBoard files, and draws the page. Two jobs of one thread each are compared with one of one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, take_turns, told

ROOT = Path(__file__).resolve().parent.parent
TRIALS, PICTURES = 12, 6000
SEARCH = f"""
base: {ROOT}/experiments/_base/mnist.yaml
data: {{labels: {{at_most: {PICTURES}}}}}
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
order = np.random.default_rng(0).permutation(len(labels))[:{PICTURES}]
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
    given = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "space.yaml").write_text(SEARCH)
        bests: dict[str, list[float]] = {"ours": [], "theirs": []}

        def ours() -> float:
            seconds, best = search(place, 1, None)
            bests["ours"].append(best)
            return seconds / TRIALS

        def theirs() -> float:
            start = time.perf_counter()
            done = run([sys.executable, "-c", PLAIN, str(place)], place)
            bests["theirs"].append(float(done.split()[-1]))
            return (time.perf_counter() - start) / TRIALS

        ratio = take_turns(ours, theirs, given.pairs, name="keras-tuner")
        told(
            "a trial of a random search / plain keras-tuner",
            f"{ratio}: {ratio.ours:.2f} s, keras-tuner {ratio.theirs:.2f} s; best val accuracy {max(bests['ours']):.4f}, "
            f"keras-tuner {min(bests['theirs']):.4f} to {max(bests['theirs']):.4f}",
            ratio.median <= 1,
            "at most 1.0",
            "python benchmarks/search.py",
            given.write,
        )
        ratio = take_turns(
            lambda: TRIALS / search(place, 2, None)[0],
            lambda: TRIALS / search(place, 1, {0})[0],
            given.pairs,
            unit="trials/s",
            name="one job",
        )
        told(
            "trials per hour with two jobs / with one, a thread each",
            f"{ratio}: {3600 * ratio.ours:.0f}, one job {3600 * ratio.theirs:.0f}",
            ratio.median >= 1.7,
            "at least 1.7",
            "python benchmarks/search.py",
            given.write,
        )


def search(place: Path, jobs: int, cores: set[int] | None) -> tuple[float, float]:
    """Return the seconds of a search in a new directory, on these cores alone, and its best val accuracy."""
    directory = Path(tempfile.mkdtemp(dir=place)) / "search"
    start = time.perf_counter()
    command = [sys.executable, "-m", "kerasexp", "search", str(place / "space.yaml"), "--jobs", str(jobs)]
    run([*command, "--run-dir", str(directory)], place, cores)
    seconds = time.perf_counter() - start
    trials = json.loads((directory / "search.json").read_text())["trials"]
    return seconds, max(trial["score"] for trial in trials)


def run(command: list[str], place: Path, cores: set[int] | None = None) -> str:
    """Return what a command printed."""
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
