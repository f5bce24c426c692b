"""The pages of `ui`: 2,000 runs, and what a followed training loses.

The first answer makes the index; the later ones read what has changed. Then the same training runs alone, and beside a server
whose page follows it: a request every second, as a browser sends them.

    pip install 'kerasexp[serve]'
    python benchmarks/browser.py [--runs 2000] [--pairs 5] [--write]
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
COMMAND, ANSWERS = "python benchmarks/browser.py", 20
REQUESTS = {
    "list": "/",
    "filter": "/?filter=test.accuracy+%3E+0.9+and+model.name+%3D+cnn",
    "sort": "/?sort=-test.accuracy",
}
# Some ten seconds of training.
TRAINING = ("digits_cnn.yaml", "data: digits\ntraining: {epochs: 60}\nreport: {plots: false}\n")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=int, default=2000, help="in the list")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERASEXP_CACHE"] = f"{folder}/cache"
        answers(Path(folder) / "many", given)
        beside(Path(folder), given)


def answers(runs: Path, given) -> None:
    """Measure the first answer, which makes the index, and the later ones."""
    from many_runs import write_runs

    write_runs(runs, given.runs)
    with server(runs) as address:
        first = timed(address + "/")
        report_row(f"index of {given.runs:,} runs", f"{first:.1f} s", first < 20, "under 20 s", COMMAND, given.write)
        for name, path in REQUESTS.items():
            times = sorted(1000 * timed(address + path) for _ in range(ANSWERS))
            median = statistics.median(times)
            measured = f"{median:.0f} ms ({ANSWERS} times, {times[0]:.0f} to {times[-1]:.0f})"
            report_row(
                f"page of {given.runs:,} runs, {name}", measured, median < 200, "under 200 ms", COMMAND, given.write
            )


def beside(folder: Path, given) -> None:
    """Measure a training that a page follows, against the same training alone."""
    folder.joinpath(TRAINING[0]).write_text(TRAINING[1])
    runs, numbers = folder / "runs", iter(range(10**6))
    runs.mkdir()

    def train(place: Path) -> float:
        command = [sys.executable, "-m", "kerasexp", "run", TRAINING[0], "--run-dir", str(place)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return json.loads((place / "metrics.json").read_text())["train_seconds"]

    def followed() -> float:
        place, ended = runs / str(next(numbers)), threading.Event()
        with server(runs) as address:
            watcher = threading.Thread(target=follow, args=(f"{address}/live/{place.name}", ended))
            watcher.start()
            seconds = train(place)
            ended.set()
            watcher.join()
        return seconds

    ratio = take_turns(followed, lambda: train(runs / str(next(numbers))), given.pairs, name="alone")
    measured = f"{ratio}: {ratio.ours:.1f} s, alone {ratio.theirs:.1f} s"
    report_row(
        "a training that `ui` follows / alone", measured, ratio.median <= 1.01, "at most 1.01", COMMAND, given.write
    )


def follow(address: str, ended: threading.Event) -> None:
    """Ask for the state of a run every second."""
    while not ended.wait(1):
        try:
            timed(address)
        except OSError:  # the directory is not there yet
            continue


@contextmanager
def server(runs: Path) -> Iterator[str]:
    """Serve the pages of a folder, and yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "kerasexp", "ui", str(runs), "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        while "http://" not in (line := process.stdout.readline()):
            if not line:
                raise SystemExit("the server did not begin")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def timed(address: str) -> float:
    """Return the seconds until a page is there."""
    start = time.perf_counter()
    with urllib.request.urlopen(address) as answer:
        answer.read()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
