"""The time of saving the state compared with an epoch of the part 2 network, both in one training.

The state is saved once after each epoch; a pair is an epoch and the save after it. The first epoch, in which TensorFlow
builds its graphs, is not counted.

    python benchmarks/resumable_state.py [--pairs 5] [--write]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from timing import Ratio, parser, report_row

from kerasexp.backend import import_tensorflow
from kerasexp.config import load_experiment
from kerasexp.console import QuietConsole
from kerasexp.data.prepared_data import prepare
from kerasexp.runs.directory import RunDirectory

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    given = parser(__doc__).parse_args()
    import_tensorflow()
    from kerasexp.training.fit import fit
    from kerasexp.training.initial_model import build_model
    from kerasexp.training.training_state import TrainingState

    experiment = load_experiment(
        ROOT / "experiments" / "part2_random.yaml", [f"training.epochs={given.pairs + 1}", "training.validate_at=[]"]
    )
    data = prepare(experiment.data)
    print(data.stand_in or data.origin)
    saves, save = [], TrainingState._save

    def timed(self, *position, **what):
        begun = time.perf_counter()
        save(self, *position, **what)
        saves.append(time.perf_counter() - begun)

    TrainingState._save = timed
    model = build_model(experiment, data, None, QuietConsole())
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(experiment.name, Path(folder) / "run")
        fitted = fit(model, data, experiment, run, QuietConsole())
        size = sum(path.stat().st_size for path in run.state.iterdir())
    ends = [row["seconds"] for row in fitted.history]
    epochs = [end - begin for begin, end in zip(ends, ends[1:], strict=False)]
    # The first save follows the epoch that is not counted; the last one saves the end of the training.
    saves = saves[1 : len(epochs) + 1]
    ratio = Ratio.of(list(zip(saves, epochs, strict=True)))
    report_row(
        "saving the state for `--resume` / an epoch of part 2",
        f"{ratio.median:.4f} ({ratio.pairs} pairs, {ratio.low:.4f} to {ratio.high:.4f}): {ratio.ours:.2f} s of "
        f"{ratio.theirs:.1f} s, {size / 1e6:.1f} MB",
        ratio.median < 0.03,
        "under 0.03",
        "python benchmarks/resumable_state.py",
        given.write,
    )


if __name__ == "__main__":
    main()
