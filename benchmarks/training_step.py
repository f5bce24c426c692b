"""The time of a training step of the part 2 network with batches of 100: `run` compared with an eager PyTorch loop.

    pip install -r benchmarks/requirements.txt
    python benchmarks/training_step.py [--pairs 5] [--steps 100] [--peers channels_last ...] [--write]

Each measurement is a separate process that trains on MNIST with all cores and returns the mean time of a step, without the
first ten. `run` is the project's `fit` with its input pipeline, callbacks and deterministic operations; the PyTorch loop has
the same network, Adam, loss and batches, and nothing else. In bfloat16 both compute in bfloat16 and keep float32 weights.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
BATCH, WARM_UP = 100, 10
# Name of the peer -> its memory format, its number format, and ours.
PEERS = {
    "eager": ("contiguous_format", "float32", "float32"),
    "channels_last": ("channels_last", "float32", "float32"),
    "channels_last_bfloat16": ("channels_last", "bfloat16", "mixed_bfloat16"),
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=100, help="of each measurement")
    arguments.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="of PyTorch")
    arguments.add_argument(
        "--measure", nargs=2, metavar=("SIDE", "FORMAT"), help="measure one side once, in this process"
    )
    given = arguments.parse_args()
    if given.measure:
        side, form = given.measure
        print(with_run(given.steps, form) if side == "run" else with_torch(given.steps, side, form))
        return
    for peer in given.peers:
        memory, theirs, ours = PEERS[peer]
        ratio = take_turns(
            lambda ours=ours: measure(given.steps, "run", ours),
            lambda memory=memory, theirs=theirs: measure(given.steps, memory, theirs),
            given.pairs,
            "ms",
            "PyTorch",
        )
        report_row(
            f"a training step of `run` / PyTorch, {peer.replace('_', ' ')}",
            f"{ratio}: {ratio.ours:.1f} ms, PyTorch {ratio.theirs:.1f} ms",
            ratio.median <= 1,
            "at most 1.0",
            f"python benchmarks/training_step.py --peers {peer}",
            given.write,
        )


def measure(steps: int, side: str, form: str) -> float:
    """Return the milliseconds of a step, timed in a new process."""
    command = [sys.executable, __file__, "--steps", str(steps), "--measure", side, form]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])


def of_a_step(ends: list[tuple[int, float]]) -> float:
    """Return the mean milliseconds of a step, without the first ones; `ends` are steps so far, and the seconds at their end."""
    (before, start), (after, end) = next(done for done in ends if done[0] > WARM_UP), ends[-1]
    return 1e3 * (end - start) / (after - before)


def with_run(steps: int, precision: str) -> float:
    """Return the milliseconds of a step of the project's own training of part 2."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.config import load_experiment
    from kerasexp.data.prepared_data import PreparedData, prepare

    changes = ["training.epochs=1", "training.validate_at=[]", f"training.batch_size={BATCH}"]
    experiment = load_experiment(ROOT / "experiments" / "part2_random.yaml", changes)
    data = prepare(experiment.data)
    splits = {name: split.take(range(min(BATCH * steps, len(split)))) for name, split in data.splits.items()}
    splits["val"] = splits["val"].take(range(BATCH))
    return step_of_fit(experiment, PreparedData(**{**vars(data), "splits": splits}), precision)


def step_of_fit(experiment, data, precision: str) -> float:
    """Return the milliseconds of a step of `fit`, of an experiment of one epoch, with deterministic operations as in `run`."""
    from kerasexp.console import QuietConsole
    from kerasexp.models import build_classifier
    from kerasexp.runs.directory import RunDirectory
    from kerasexp.training import fit
    from kerasexp.training.precision import make_deterministic, use_precision

    make_deterministic()
    use_precision(precision)
    ends, shown = [], fit.EpochProgress.on_train_batch_end

    def timed(self, batch, logs=None):
        # Showing the loss waits for the end of the step.
        shown(self, batch, logs)
        ends.append((batch + 1, time.perf_counter()))

    fit.EpochProgress.on_train_batch_end = timed
    classifier = build_classifier(experiment, data.class_names, data.train_counts)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create("step", Path(folder) / "run")
        fit.fit_by_gradients(classifier, data, experiment, run, QuietConsole())
    return of_a_step(ends)


def random_data(shape: tuple[int, int, int], classes: int, train: int, val: int):
    """Return prepared data of random images of one shape, all classes alike."""
    import numpy as np

    from kerasexp.data.prepared_data import PreparedData, Split

    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
        return Split(images, np.arange(count) % classes, [str(i) for i in range(count)])

    splits = {"train": split(train), "val": split(val)}
    names = [str(i) for i in range(classes)]
    return PreparedData(splits, names, {}, "random images", None, [], [], "", {})


def with_torch(steps: int, memory: str, form: str) -> float:
    """Return the milliseconds of a step of a loop as one would write it."""
    import torch
    from torch import nn

    # The same images, by way of our reader; what is timed is the loop.
    from kerasexp.config import load_experiment
    from kerasexp.data.prepared_data import prepare

    train = prepare(load_experiment(ROOT / "experiments" / "part2_random.yaml").data).splits["train"]
    torch.manual_seed(0)
    layout = getattr(torch, memory)
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 1000), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1000, 10)),
    ).to(memory_format=layout)
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss()
    images, labels = torch.from_numpy(train.images).permute(0, 3, 1, 2), torch.from_numpy(train.labels)
    order = torch.randperm(len(labels))[: BATCH * steps].reshape(-1, BATCH)
    ends, right = [], 0
    for positions in order:
        batch = (images[positions].float() / 255).to(memory_format=layout)
        answers = labels[positions]
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=form == "bfloat16"):
            logits = model(batch)
        loss = criterion(logits.float(), answers)
        loss.backward()
        optimizer.step()
        # What every loop shows, and `run` does: the loss and the accuracy so far.
        loss.item()
        right += (logits.argmax(1) == answers).sum().item()
        ends.append((len(ends) + 1, time.perf_counter()))
    return of_a_step(ends)


if __name__ == "__main__":
    main()
