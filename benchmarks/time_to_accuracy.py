"""Seconds from a cold start to 99.0 % and to 99.2 % on MNIST's test split: `run` beside the same recipe in PyTorch.

    pip install -r benchmarks/requirements.txt
    python benchmarks/time_to_accuracy.py [--pairs 5] [--write]

Both sides do the same, each in a new process: start, reading, training with the recipe of experiments/part2_random_best.yaml
(network, one cycle of Adam, random affine changes, batches of 128), and a look at val after each epoch. The time ends with the
last epoch. What follows is on neither side: the look at the test split that must reach the figure, and the evaluation, plots and
report of `run`. The recipe with so few epochs is taken that it reaches the figure with seed 0 on both sides:
1 for 99.0 %, 2 for 99.2 %; a go that misses it is an error. The report that this is compared with took 3 epochs of 2,700 s
for 99.11 %, beyond which one epoch of ours is too, or that is an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENT = ROOT / "experiments" / "part2_random_best.yaml"
EPOCHS = {0.990: 1, 0.992: 2}
REPORT_SECONDS, REPORT_ACCURACY = 3 * 2700, 0.9911
RATE, BETAS, BATCH, PEAK = 0.005, (0.7, 0.9), 128, 0.2


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--torch", type=int, metavar="EPOCHS", help="the PyTorch side, in this process")
    given = arguments.parse_args()
    if given.torch:
        print(with_torch(given.torch))
        return
    command = "python benchmarks/time_to_accuracy.py"
    seconds = []
    for accuracy, epochs in EPOCHS.items():
        ratio = take_turns(
            lambda epochs=epochs, accuracy=accuracy: ours(epochs, max(accuracy, REPORT_ACCURACY + 1e-4)),
            lambda epochs=epochs, accuracy=accuracy: theirs(epochs, accuracy),
            given.pairs,
            name="PyTorch",
        )
        measured = f"{ratio}: {ratio.ours:.1f} s, PyTorch {ratio.theirs:.1f} s"
        what = f"seconds to {accuracy:.1%} on MNIST / PyTorch"
        report_row(what, measured, ratio.median <= 0.9, "at most 0.9", command, given.write)
        seconds.append(ratio.ours)
    fewest = min(seconds)
    report_row(
        f"seconds to more than the MIDAS report's {REPORT_ACCURACY:.2%} / its {REPORT_SECONDS:,} s",
        f"{fewest / REPORT_SECONDS:.4f}: {fewest:.1f} s, {REPORT_SECONDS / fewest:.0f} times faster (another machine)",
        fewest * 100 <= REPORT_SECONDS,
        "at most 0.01",
        command,
        given.write,
    )


def ours(epochs: int, accuracy: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        changes = [f"training.epochs={epochs}", "training.validate_at=[]"]
        command = [sys.executable, "-m", "kerasexp", "run", str(EXPERIMENT), "--run-dir", f"{folder}/run"]
        seconds, _ = trained([*command, *(p for c in changes for p in ("--set", c))], epochs)
        reached(json.loads(Path(folder, "run", "metrics.json").read_text())["test"]["accuracy"], accuracy)
    return seconds


def theirs(epochs: int, accuracy: float) -> float:
    seconds, answer = trained([sys.executable, __file__, "--torch", str(epochs)], epochs)
    reached(float(answer), accuracy)
    return seconds


def trained(command: list[str], epochs: int) -> tuple[float, str]:
    """Run a command to its end; return the seconds until it printed the line of its last epoch, and its last line."""
    start, seconds, line = time.perf_counter(), None, ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            if line.startswith(f"epoch {epochs}/{epochs} "):
                seconds = time.perf_counter() - start
    if process.returncode or seconds is None:
        sys.exit(f"failed: {' '.join(command)}")
    return seconds, line


def reached(found: float, wanted: float) -> None:
    if found < wanted:
        sys.exit(f"the recipe reached {found:.4f}, not {wanted}; take more epochs")


def with_torch(epochs: int) -> float:
    """Train and return the test accuracy."""
    import math

    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional

    from kerasexp.config.yaml_paths import find_file

    with np.load(find_file("mnist.npz")) as file:
        data = {name: torch.from_numpy(file[name]) for name in ("x_train", "y_train", "x_test", "y_test")}
    torch.manual_seed(0)

    def block(into, out, kernel, convolutions=1):
        layers = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(into, out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
            into = out
        return [*layers, nn.MaxPool2d(2)]

    model = nn.Sequential(
        *block(1, 32, 5),
        *block(32, 64, 3, 2),
        *block(64, 128, 3),
        *(nn.Flatten(), nn.Linear(128 * 9, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    ).to(memory_format=torch.channels_last)
    # As in the experiment, a tenth of train is kept for validation.
    images, labels = data["x_train"][:54000, None], data["y_train"][:54000].long()
    steps = epochs * math.ceil(len(labels) / BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=BETAS)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, pct_start=PEAK, div_factor=25, final_div_factor=1e4, cycle_momentum=False
    )

    def accuracy(images, labels) -> float:
        model.eval()
        with torch.no_grad():
            parts = zip((images.float() / 255).split(500), labels.split(500), strict=True)
            return sum((model(x).argmax(1) == y).sum().item() for x, y in parts) / len(labels)

    for epoch in range(1, epochs + 1):
        model.train()
        for positions in torch.randperm(len(labels)).split(BATCH):
            draw = torch.rand(len(positions), 6) * 2 - 1
            angle, slant = math.radians(8) * draw[:, 0], torch.tan(math.radians(5) * draw[:, 1])
            zoom = 1 / (1 + 0.08 * draw[:, 2:4])
            cos, sin = torch.cos(angle), torch.sin(angle)
            rows = [(cos + slant * sin) * zoom[:, 0], (sin - slant * cos) * zoom[:, 0], 0.12 * draw[:, 4]]
            rows += [-sin * zoom[:, 1], cos * zoom[:, 1], 0.12 * draw[:, 5]]
            grid = functional.affine_grid(
                torch.stack(rows, 1).reshape(-1, 2, 3), (len(positions), 1, 28, 28), align_corners=False
            )
            batch = functional.grid_sample(images[positions].float() / 255, grid, align_corners=False)
            loss = functional.cross_entropy(model(batch.to(memory_format=torch.channels_last)), labels[positions])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        val = accuracy(data["x_train"][54000:, None], data["y_train"][54000:])
        print(f"epoch {epoch}/{epochs} accuracy on val {val:.4f}", flush=True)
    return accuracy(data["x_test"][:, None], data["y_test"])


if __name__ == "__main__":
    main()
