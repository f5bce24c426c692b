"""What saving the state costs beside an epoch of the part 2 network, both timed in one training.

The state is saved once after each epoch. The first epoch, in which TensorFlow builds its graphs, is not counted.

    python benchmarks/resumable_state.py [--epochs 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from kerasexp.backend import import_tensorflow
from kerasexp.config import load_experiment
from kerasexp.console import Console
from kerasexp.data.preparation import prepare
from kerasexp.runs import RunDirectory

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print the seconds of each save and of each epoch, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    import_tensorflow()
    from kerasexp.models import build_model
    from kerasexp.training.fit import fit
    from kerasexp.training.state import TrainingState

    experiment = load_experiment(
        ROOT / "experiments" / "part2_random.yaml", [f"training.epochs={arguments.epochs}", "training.validate_at=[]"]
    )
    data = prepare(experiment.data)
    print(data.stand_in or data.origin)
    saves, save = [], TrainingState._save

    def timed(self, *position, **what):
        begun = time.perf_counter()
        save(self, *position, **what)
        saves.append(time.perf_counter() - begun)

    TrainingState._save = timed
    model = build_model(experiment.model, experiment.data.preprocessing, len(data.class_names), experiment.name)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(experiment.name, Path(folder) / "run")
        fitted = fit(model, data, experiment, run, Console(quiet=True))
        size = sum(path.stat().st_size for path in run.state.iterdir())
    ends = [row["seconds"] for row in fitted.history]
    epochs = [end - begin for begin, end in zip(ends, ends[1:], strict=False)]
    print(
        f"epochs {', '.join(f'{s:.1f}' for s in epochs)} s; saves {', '.join(f'{s:.2f}' for s in saves)} s; {size:,} bytes"
    )
    print(f"saving the state / an epoch: {statistics.median(saves) / statistics.median(epochs):.4f}")


if __name__ == "__main__":
    main()
