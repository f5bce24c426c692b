"""The time of a request to `serve` beside a bare `model.predict` of one image; every answer is compared with `predict`'s.

    python benchmarks/serving.py [--pairs 5] [--requests 1000] [--clients 8] [--write]

`serve` runs in a process of its own on the shipped part 2 checkpoint. The clients send images of MNIST's test split as PNG files,
one a request, each over a connection that it keeps. The other side calls Keras's `model.predict` for one image after another, in
this process, with arrays that are ready.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from timing import parser, report_row, take_turns

from kerasexp.backend import import_tensorflow

import_tensorflow()

from kerasexp.config import load_experiment  # noqa: E402
from kerasexp.config.shipped_files import shipped_folder  # noqa: E402
from kerasexp.console import QuietConsole  # noqa: E402
from kerasexp.data.load_data import load_data  # noqa: E402
from kerasexp.evaluation.ensemble import load_ensemble  # noqa: E402
from kerasexp.evaluation.file_predictions import ImageFile, model_input, predict_files  # noqa: E402

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoints" / "part2_pretrained"
COMMAND = "python benchmarks/serving.py"
# `serve` answers by LiteRT, whose probabilities may differ from Keras's by so much.
SAME = 1e-4


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--requests", type=int, default=1000)
    arguments.add_argument("--clients", type=int, default=8)
    given = arguments.parse_args()
    files = png_files(given.requests)
    ensemble = load_ensemble([CHECKPOINT])
    images = [ImageFile.in_memory(str(k), one) for k, one in enumerate(files)]
    expected = predict_files(ensemble, images, 1)
    member = ensemble.members[0]
    inputs = [model_input(image, member)[np.newaxis] for image in images]
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    wrong = 0

    def ours() -> float:
        nonlocal wrong
        answers, times = ask(address, files, given.clients)
        wrong += sum(not is_same(*pair) for pair in zip(answers, expected, strict=True))
        seconds["ours"] += times
        return 1000 * median(times)

    def theirs() -> float:
        times = []
        for image in inputs:
            start = time.perf_counter()
            member.model.predict(image, verbose=0)
            times.append(time.perf_counter() - start)
        seconds["theirs"] += times
        return 1000 * median(times)

    member.model.predict(inputs[0], verbose=0)
    with served() as address:
        ask(address, files[:50], given.clients)
        ratio = take_turns(ours, theirs, given.pairs, "ms", "model.predict")
    p99, other = (1000 * float(np.quantile(seconds[side], 0.99)) for side in ("ours", "theirs"))
    times = f"p50 {ratio.ours:.1f} ms, p99 {p99:.1f} ms; `model.predict` p50 {ratio.theirs:.1f} ms, p99 {other:.1f} ms"
    count = len(seconds["ours"])
    report_row(
        f"`serve`, {given.requests:,} requests of {given.clients} clients: p50 / bare `model.predict`",
        f"{ratio}: {times}; {count - wrong:,} of {count:,} answers as those of `predict`",
        wrong == 0,
        "every answer as that of `predict`",
        COMMAND,
        given.write,
    )


def png_files(count: int) -> list[bytes]:
    """Return images of MNIST's test split, or of its stand-in, as PNG files; they begin again where there are fewer."""
    experiment = load_experiment(shipped_folder("experiments") / "part2_random.yaml")
    test = load_data(experiment, QuietConsole()).splits["test"]
    files = []
    for k in range(count):
        out = io.BytesIO()
        Image.fromarray(np.asarray(test.images[k % len(test.images)])[..., 0]).save(out, "png")
        files.append(out.getvalue())
    return files


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """Yield host and port of a running `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    command = [sys.executable, "-m", "kerasexp", "serve", str(CHECKPOINT), "--port", str(address[1])]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        server.stdout.readline()
        yield address
    finally:
        server.terminate()
        server.wait()


def ask(address: tuple[str, int], files: list[bytes], clients: int) -> tuple[list[dict], list[float]]:
    """Return answer and seconds of each file; each client sends its share over one connection."""

    def client(first: int) -> list[tuple[dict, float]]:
        connection = http.client.HTTPConnection(*address, timeout=60)
        found = []
        for file in files[first::clients]:
            start = time.perf_counter()
            connection.request("POST", "/predict?top=1", file, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            found.append((content[0] if answer.status == 200 else {}, time.perf_counter() - start))
        connection.close()
        return found

    with ThreadPoolExecutor(clients) as pool:
        shares = list(pool.map(client, range(clients)))
    pairs = [shares[k % clients][k // clients] for k in range(len(files))]
    return [answer for answer, _ in pairs], [seconds for _, seconds in pairs]


def is_same(found: dict, expected: dict) -> bool:
    same_class = found.get("class") == expected["class"]
    return same_class and abs(found["probability"] - expected["probability"]) <= SAME


if __name__ == "__main__":
    main()
