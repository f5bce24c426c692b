"""Training on a GPU: images per second, the share of the GPU's peak, and whether the input pipeline keeps up.

    python benchmarks/gpu.py [--pairs 5] [--networks resnet18 resnet50 cnn] [--sizes 64 224] [--precisions ...] [--write]

Each measurement is a separate process that trains on random images with the project's `fit`. The peak is measured in the
same process: the operations per second of a product of two large square matrices in the same number format. A step counts
as three forward passes, as the gradients of feature maps and of weights take one each. The input pipeline is timed alone,
without a network. `cnn` is part 2's network at 28x28, whose time is mostly that of launching kernels.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from timing import Ratio, parser, report_row
from training_step import ROOT, random_data, step_of_fit

BATCH, CLASSES = 64, 10
# Side of the matrices, large enough for any GPU to reach its peak; and the number of products.
SIDE, PRODUCTS = 8192, 20
NETWORKS = {
    "resnet18": "model: {name: resnet18, weights: null}",
    "resnet50": "model: {name: resnet50, weights: null}",
    "cnn": f"base: {ROOT}/experiments/_base/midas_cnn.yaml",
}
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=100, help="of each measurement")
    arguments.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments.add_argument("--sizes", nargs="+", type=int, default=[64, 224], help="of the ResNets' images")
    arguments.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    arguments.add_argument("--measure", action="store_true", help="measure the first of each once, in this process")
    given = arguments.parse_args()
    if given.measure:
        print(*measure(given.networks[0], given.sizes[0], given.precisions[0], given.steps))
        return
    name = gpu()
    for network, precision in product(given.networks, given.precisions):
        for size in [28] if network == "cnn" else given.sizes:
            row(network, size, precision, name, given)


def gpu() -> str:
    """Return the name of the GPU; exit if there is none."""
    asked = "import tensorflow as tf; g = tf.config.list_physical_devices('GPU'); "
    asked += "print(tf.config.experimental.get_device_details(g[0])['device_name'] if g else '')"
    answer = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
    return answer or sys.exit("TensorFlow sees no GPU here: pip install 'kerasexp[gpu]' on a machine that has one")


def row(network: str, size: int, precision: str, gpu: str, given) -> None:
    """Time one network at one size in one number format, and report it."""
    command = [
        sys.executable,
        __file__,
        "--measure",
        "--networks",
        network,
        "--sizes",
        str(size),
        "--precisions",
        precision,
    ]
    measured = []
    for _ in range(given.pairs):
        done = subprocess.run([*command, "--steps", str(given.steps)], check=True, stdout=subprocess.PIPE, text=True)
        step, peak, batch = map(float, done.stdout.split()[-3:])
        measured.append((step, peak, batch))
        print(f"  {BATCH / step:,.0f} images/s, {peak / step:.3f} of the peak, input {batch / step:.3f}", flush=True)
    share = Ratio.of([(peak, step) for step, peak, _ in measured])
    inputs = Ratio.of([(batch, step) for step, _, batch in measured])
    report_row(
        f"{network}, {size} px, {precision}: share of the peak of {gpu}",
        f"{share}: {BATCH / share.theirs:,.0f} images/s; the input takes {inputs.median:.3f} of a step",
        inputs.median < 1,
        "the input under 1",
        f"python benchmarks/gpu.py --networks {network} --sizes {size} --precisions {precision}",
        given.write,
    )


def measure(network: str, size: int, precision: str, steps: int) -> tuple[float, float, float]:
    """Return the seconds of a training step, of its operations at the peak, and of producing its batch."""
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.config import load_experiment
    from kerasexp.models import build_model
    from kerasexp.models.flops import flops

    channels = 1 if network == "cnn" else 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "random.yaml")
        path.write_text(
            f"data: {{source: digits, preprocessing: {{size: [{size}, {size}], channels: {channels}}}}}\n"
            f"{NETWORKS[network]}\n"
            f"training: {{epochs: 1, batch_size: {BATCH}, validate_at: []}}\n"
        )
        experiment = load_experiment(path)
    data = random_data((size, size, channels), CLASSES, BATCH * steps, BATCH)
    step = step_of_fit(experiment, data, precision) / 1e3
    operations = 3 * BATCH * flops(build_model(experiment.model, experiment.data.preprocessing, CLASSES, "counted"))
    return step, operations / peak(precision, SIDE, PRODUCTS), of_a_batch(data.splits["train"])


def peak(precision: str, side: int, products: int) -> float:
    """Return the operations a second of products of two square matrices in a policy's format."""
    import tensorflow as tf

    form = tf.as_dtype(precision.removeprefix("mixed_"))
    # So scaled that the numbers neither grow nor vanish.
    drawn = (tf.random.stateless_normal((side, side), (seed, 0), 0, side**-0.5) for seed in (0, 1))
    one, other = (tf.cast(matrix, form) for matrix in drawn)

    @tf.function
    def multiplied() -> tf.Tensor:
        found = one
        for _ in range(products):
            found = tf.matmul(found, other)
        return tf.reduce_sum(tf.cast(found, tf.float32))

    multiplied().numpy()
    begun = time.perf_counter()
    multiplied().numpy()
    return products * 2 * side**3 / (time.perf_counter() - begun)


def of_a_batch(split) -> float:
    """Return the seconds in which the input makes a batch, without those of the first."""
    from kerasexp.data.epoch_sampling import Sampling
    from kerasexp.data.pipeline import training_batches

    batches = iter(training_batches(split, Sampling(BATCH), 0, None, 1))
    next(batches)
    begun = time.perf_counter()
    count = sum(1 for _ in batches)
    return (time.perf_counter() - begun) / count


if __name__ == "__main__":
    main()
