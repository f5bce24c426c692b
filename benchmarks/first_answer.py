"""How soon `predict` and `evaluate` answer by LiteRT, beside Keras, and how long many images take beside `model.predict`.

    python benchmarks/first_answer.py [--pairs 5] [--images 10000] [--write]

The shipped part 2 checkpoint answers. Commands run in processes of their own; before the first timing, one of them makes the graph
by which LiteRT predicts, as a run does at its end. Many images are those of MNIST's test split, in a folder of PNG files and in
memory; a script reads the folder with `image_dataset_from_directory` and writes its answers to a CSV file.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import ROOT, Ratio, ours, parser, report_row, seconds, take_turns

CHECKPOINT = ROOT / "checkpoints" / "part2_pretrained"
COMMAND = "python benchmarks/first_answer.py"
SCRIPT = """
import csv, sys
import keras
model = keras.saving.load_model(sys.argv[1])
images = keras.utils.image_dataset_from_directory(
    sys.argv[2], labels=None, color_mode="grayscale", image_size=(28, 28), batch_size=500, shuffle=False, verbose=False
)
answers = model.predict(images, verbose=0)
with open(sys.argv[3], "w") as file:
    csv.writer(file).writerows(zip(images.file_paths, answers.argmax(1), answers.max(1)))
"""
# A command as it is where LiteRT is not installed.
WITHOUT_LITERT = """
import sys
sys.modules["ai_edge_litert"] = None
from kerasexp.cli import main
main()
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--images", type=int, default=10_000, help="how many images many are")
    given = arguments.parse_args()

    def row(what: str, ratio: Ratio, theirs: str, aim: float, seconds: float = float("inf")) -> None:
        measured = f"{ratio}: {ratio.ours:.2f} s, {theirs} {ratio.theirs:.2f} s"
        reached = ratio.median <= aim and ratio.ours <= seconds
        limit = f", and {seconds:g} s" if seconds < float("inf") else ""
        report_row(what, measured, reached, f"at most {aim:g}{limit}", COMMAND, given.write)

    images = test_images(given.images)
    with tempfile.TemporaryDirectory() as folder:
        files, table = written(images, Path(folder, "digits")), Path(folder, "answers.csv")
        one = ["predict", str(CHECKPOINT), str(next(files.iterdir()))]
        row("`predict` of one image by LiteRT / by Keras", beside_keras(one, given.pairs), "by Keras", 0.2, 0.5)
        digits = ["evaluate", str(CHECKPOINT), "--data", "digits"]
        row("`evaluate` of 360 images by LiteRT / by Keras", beside_keras(digits, given.pairs), "by Keras", 0.5)
        ratio = take_turns(
            lambda: ours("predict", str(CHECKPOINT), str(files), "--format", "csv"),
            lambda: seconds([sys.executable, "-c", SCRIPT, str(CHECKPOINT / "model.keras"), str(files), str(table)]),
            given.pairs,
            name="the script",
        )
        row(f"`predict` of {len(images):,} images / a script with `model.predict`", ratio, "the script", 1)
    by_litert, by_keras = networks(images)
    ratio = take_turns(by_litert, by_keras, given.pairs, name="model.predict")
    row(f"{len(images):,} images in memory by LiteRT / `model.predict`", ratio, "`model.predict`", 1)


def beside_keras(words: list[str], pairs: int) -> Ratio:
    """Time a command beside itself where LiteRT is not installed."""
    ours(*words)
    hidden = [sys.executable, "-c", WITHOUT_LITERT, *words]
    return take_turns(lambda: ours(*words), lambda: seconds(hidden), pairs, name="by Keras")


def networks(images: np.ndarray) -> tuple[Callable[[], float], Callable[[], float]]:
    """Return the timings of the network by LiteRT and by Keras for images in memory; both have seen one batch."""
    from kerasexp.saving.checkpoint import load_checkpoint
    from kerasexp.saving.litert_graph import graph_file, keep_graph, load_graph

    checkpoint = load_checkpoint(CHECKPOINT)
    model, file = checkpoint.model, graph_file(CHECKPOINT / "model.keras", checkpoint.class_names, False)
    if not keep_graph(model, file):
        raise SystemExit("LiteRT is not installed: pip install ai-edge-litert")
    litert = load_graph(file)
    images = images.reshape(-1, *model.input_shape[1:])
    litert.predict_on_batch(images[:500])
    model.predict(images[:500], batch_size=500, verbose=0)

    def timed(predict: Callable[[], object]) -> float:
        start = time.perf_counter()
        predict()
        return time.perf_counter() - start

    return (
        lambda: timed(lambda: litert.predict_on_batch(images)),
        lambda: timed(lambda: model.predict(images, batch_size=500, verbose=0)),
    )


def test_images(count: int) -> np.ndarray:
    """Return images of MNIST's test split, uint8 [n, 28, 28, 1], or of the stand-in: as many as there are, up to a number."""
    from kerasexp.config import load_experiment
    from kerasexp.data.prepared_data import prepare

    return np.asarray(
        prepare(load_experiment(ROOT / "experiments" / "part2_random.yaml").data).splits["test"].images[:count]
    )


def written(images: np.ndarray, folder: Path) -> Path:
    """Write images as PNG files."""
    import cv2

    folder.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:05d}.png"), image)
    return folder


if __name__ == "__main__":
    main()
