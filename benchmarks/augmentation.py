"""The time of an epoch of MNIST with augmentation compared with one without: one process, alternating trainings.

Both train the network of part 2 in batches of 100, as `run` does. Each training has three epochs; the first, in which TensorFlow
builds its graphs, is not counted. On a CPU, whatever augmentation computes is taken from the training; on a GPU it is not.

    python benchmarks/augmentation.py [--pairs 5] [--images 4000] [--parts affine elastic all] [--write]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from epoch_overhead import EPOCHS, VALIDATION, make_ours
from timing import parser, report_row, take_turns

from kerasexp.backend import import_tensorflow
from kerasexp.config import load_experiment
from kerasexp.data.prepared_data import prepare

ROOT = Path(__file__).resolve().parent.parent
AFFINE = "rotation: 10, shift: 0.07, zoom: 0.1, shear: 8"
# Part -> its name in the table, the augmentation, the aim.
PARTS = {
    "affine": ("an affine map of each image", f"{{{AFFINE}}}", 1.05),
    "elastic": ("an affine map and elastic distortions", f"{{{AFFINE}, elastic: {{}}}}", 1.05),
    "all": (
        "all that is for digits: the two, strokes, blur, erased rectangles, mixup and cutmix",
        f"{{{AFFINE}, elastic: {{}}, stroke: 0.5, blur: 0.5, erase: 0.5, mixup: 0.2, cutmix: 1}}",
        1.05,
    ),
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--images", type=int, default=4000, help="of an epoch")
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what is compared")
    given = arguments.parse_args()
    import_tensorflow()
    plain = experiment_with("{}")
    data = prepare(plain.data)
    print(data.stand_in or data.origin)
    train = data.splits["train"].take(range(min(given.images, len(data.splits["train"]))))
    splits = {**data.splits, "train": train, "val": data.splits["val"].take(range(VALIDATION))}
    data = replace(data, splits=splits)
    without = make_ours(plain, data)
    for part in given.parts:
        name, augmentation, aim = PARTS[part]
        ratio = take_turns(make_ours(experiment_with(augmentation), data), without, given.pairs, name="without")
        report_row(
            f"an epoch of MNIST with {name} / without",
            f"{ratio}: {ratio.ours:.2f} s, without {ratio.theirs:.2f} s",
            ratio.median <= aim,
            f"at most {aim}",
            f"python benchmarks/augmentation.py --parts {part}",
            given.write,
        )


def experiment_with(augmentation: str):
    """Return the experiment of part 2 with an augmentation."""
    changes = [f"training.epochs={EPOCHS}", "training.schedule=constant", f"data.augmentation={augmentation}"]
    return load_experiment(ROOT / "experiments" / "part2_random.yaml", changes)


if __name__ == "__main__":
    main()
