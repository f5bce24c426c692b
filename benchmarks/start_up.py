"""How soon the commands answer, beside the import of TensorFlow, and beside a script with `model.predict`.

    python benchmarks/start_up.py [--pairs 5] [--write]

Each go is a process of its own. `predict` runs on the shipped part 2 checkpoint: one image, and 10,000 of MNIST's test
split as PNG files, which the script reads with `image_dataset_from_directory` and writes its answers of to a CSV file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import parser, report_row, take_turns

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "checkpoints" / "part2_pretrained"
COMMAND = "python benchmarks/start_up.py"
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
# `predict` as it is where LiteRT is not installed.
WITHOUT_LITERT = """
import sys
sys.modules["ai_edge_litert"] = None
from kerasexp.cli import main
main()
"""


def main() -> None:
    given = parser(__doc__).parse_args()
    for words in (["--help"], ["show", "experiments/part2_random.yaml"], ["check", "experiments/part2_random.yaml"]):
        ratio = take_turns(lambda words=words: ours(*words), tensorflow, given.pairs, name="import tensorflow")
        # `check` builds the model, which needs TensorFlow.
        aim = 2 if words[0] == "check" else 0.2
        report_row(
            f"`{' '.join(words[:1])}` / `import tensorflow`",
            f"{ratio}: {ratio.ours:.2f} s, the import {ratio.theirs:.2f} s",
            ratio.median <= aim,
            f"at most {aim}",
            COMMAND,
            given.write,
        )
    with tempfile.TemporaryDirectory() as folder:
        files, table = written(Path(folder, "digits")), Path(folder, "answers.csv")
        one = next(files.iterdir())
        # The first time makes the graph by which LiteRT predicts; who uses a checkpoint again does not wait for it.
        ours("predict", str(CHECKPOINT), str(one))
        ratio = take_turns(
            lambda: ours("predict", str(CHECKPOINT), str(one)), tensorflow, given.pairs, name="import tensorflow"
        )
        report_row(
            "`predict` of one image / `import tensorflow`",
            f"{ratio}: {ratio.ours:.2f} s, the import {ratio.theirs:.2f} s",
            ratio.median <= 0.2 and ratio.ours <= 0.5,
            "at most 0.2, and 0.5 s",
            COMMAND,
            given.write,
        )
        ratio = take_turns(
            lambda: ours("predict", str(CHECKPOINT), str(one)),
            lambda: seconds([sys.executable, "-c", WITHOUT_LITERT, "predict", str(CHECKPOINT), str(one)]),
            given.pairs,
            name="by Keras",
        )
        report_row(
            "`predict` of one image by LiteRT / by Keras",
            f"{ratio}: {ratio.ours:.2f} s, by Keras {ratio.theirs:.2f} s",
            ratio.median <= 0.2,
            "at most 0.2",
            COMMAND,
            given.write,
        )
        ratio = take_turns(
            lambda: ours("predict", str(CHECKPOINT), str(files), "--format", "csv"),
            lambda: seconds([sys.executable, "-c", SCRIPT, str(CHECKPOINT / "model.keras"), str(files), str(table)]),
            given.pairs,
            name="the script",
        )
        report_row(
            "`predict` of 10,000 images / a script with `model.predict`",
            f"{ratio}: {ratio.ours:.2f} s, the script {ratio.theirs:.2f} s",
            ratio.median <= 1.0,
            "at most 1.0",
            COMMAND,
            given.write,
        )


def ours(*words: str) -> float:
    """Return the seconds that a command of ours takes."""
    return seconds([sys.executable, "-m", "kerasexp", *words])


def tensorflow() -> float:
    """Return the seconds of a process that imports TensorFlow and Keras, and does nothing with them."""
    return seconds([sys.executable, "-c", "import tensorflow, keras"])


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def written(folder: Path) -> Path:
    """Write MNIST's test split as PNG files, or as many of the stand-in's digits as there are."""
    import cv2

    from kerasexp.config import load_experiment
    from kerasexp.data.prepared_data import prepare

    test = prepare(load_experiment(ROOT / "experiments" / "part2_random.yaml").data).splits["test"]
    folder.mkdir()
    for number, image in enumerate(test.images):
        cv2.imwrite(str(folder / f"{number:05d}.png"), image)
    return folder


if __name__ == "__main__":
    main()
