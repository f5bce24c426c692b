"""What evaluation and report cost beside the training of 3 epochs of MNIST with the part 2 network, timed in one run each.

    python benchmarks/report_share.py [--pairs 5] [--write]

Each go is the whole command `run experiments/part2_random.yaml`, whose manifest says how long each part took: two passes
over val and test, all figures, and the page with the diagnosis of the data.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Ratio, parser, told

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    given = parser(__doc__).parse_args()
    ratio = Ratio.of([times() for _ in range(given.pairs)])
    told(
        "evaluation and report / training of 3 epochs",
        f"{ratio}: {ratio.ours:.1f} s, training {ratio.theirs:.1f} s",
        ratio.median < 0.15,
        "under 0.15",
        "python benchmarks/report_share.py",
        given.write,
    )


def times() -> tuple[float, float]:
    """Return the seconds of evaluation and report, and those of the training, of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kerasexp", "run", str(ROOT / "experiments" / "part2_random.yaml")]
        subprocess.run([*command, "--run-dir", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)
        found = json.loads(Path(folder, "run", "manifest.json").read_text())["times"]
    after = found["evaluate_seconds"] + found["report_seconds"]
    print(f"  evaluation and report {after:.1f} s, training {found['train_seconds']:.1f} s", flush=True)
    return after, found["train_seconds"]


if __name__ == "__main__":
    main()
