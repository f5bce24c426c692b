"""The commands: arguments in, one call, a printed answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import (
    CheckpointPath,
    DataPath,
    ExperimentFile,
    Format,
    Jobs,
    ListFormat,
    Overrides,
    RunDir,
)
from kerasexp.errors import KerasexpError

app = typer.Typer(
    name="kerasexp",
    help="Image-classification experiments as YAML files.\n\nBegin with: python -m kerasexp run experiments/part2_pretrained.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished run, or with a finished one for more epochs.")
    ] = False,
    jobs: Jobs = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A study with fewer images and seeds, which it says.")] = False,
    variants: Annotated[
        Optional[list[str]],  # noqa: UP045 (typer reads it)
        typer.Option("--variant", metavar="NAME", help="Only this variant of a study; may be given again."),
    ] = None,
):
    """Train, evaluate, draw and report.

    The last line printed is the run's directory, or the study's. Ctrl-C ends the step, saves, and says how to go on.

    Example: python -m kerasexp run experiments/part2_pretrained.yaml --set training.epochs=1
    """
    from kerasexp.commands.run import run_file
    from kerasexp.console import Console

    print(run_file(experiment, overrides or (), run_dir, resume, jobs, quick, variants or (), Console()))


@app.command()
def search(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Go on with a random or bayesian search whose domains were narrower.")
    ] = False,
    jobs: Jobs = 1,
):
    """Look for the best values of an experiment's domains.

    The same command goes on with a search that was stopped. The last line printed is its directory, with best.yaml in it.

    Example: python -m kerasexp search experiments/part2_search.yaml --set search.max_trials=10
    """
    from kerasexp.commands.search import search_file
    from kerasexp.console import Console

    print(search_file(experiment, overrides or (), run_dir, extend, jobs, Console()))


@app.command()
def check(experiment: ExperimentFile, overrides: Overrides = None):
    """Find what is wrong without training.

    Keys, ranges, files, classes, shapes and memory are looked at, and every problem is listed at once.

    Example: python -m kerasexp check experiments/part1_scans.yaml
    """
    from kerasexp.config import load
    from kerasexp.console import Console

    resolved = load(experiment, overrides or ())
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.runs.check import check_all

    check_all(resolved, Console())


@app.command()
def show(experiment: ExperimentFile, overrides: Overrides = None):
    """Print the experiment with every default.

    Bases and overrides are merged in, as `run` will see them.

    Example: python -m kerasexp show experiments/part1_scans.yaml
    """
    from kerasexp.config import load, resolved_yaml

    print(resolved_yaml(load(experiment, overrides or ())), end="")


@app.command("list")
def list_experiments(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of experiments.")] = Path("experiments"),
):
    """List the experiments of a folder.

    Each is shown with the question that it answers.

    Example: python -m kerasexp list experiments
    """
    from kerasexp.config.catalog import listed

    for line in listed(folder):
        print(line)


@app.command()
def evaluate(
    checkpoint: CheckpointPath,
    data: Annotated[str, typer.Option(metavar="SOURCE", help="Kind of source, such as mnist or image_folder.")],
    data_path: DataPath = None,
    format: Annotated[Format, typer.Option(help="How to print the figures.")] = Format.table,
):
    """Judge a saved checkpoint on other data.

    The source's test split is used, or all of it where it has none.

    Example: python -m kerasexp evaluate checkpoints/part2_pretrained --data digits
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.evaluation.checkpoint_metrics import evaluate_on, parse_source

    source = parse_source(data, data_path)
    import_tensorflow()
    print(evaluate_on(checkpoint, source, format.value))


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or folders of numbered runs: the newest counts."),
    ],
    output: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("comparison.html"),
    format: Annotated[Format, typer.Option(help="How to print the comparison.")] = Format.table,
):
    """Put runs beside each other, and say which differences are real.

    The others are compared with the first: figures with intervals, McNemar's test, convergence, disagreements.

    Example: python -m kerasexp compare runs/part2_random runs/part2_pretrained
    """
    from kerasexp.comparison.compare import compare_runs

    print(compare_runs(runs, output, format.value))


@app.command()
def diagnose(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Source such as mnist, folder, archive, CSV, or an experiment's YAML."),
    ],
    data_path: DataPath = None,
    reference: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="CHECKPOINT", help="Judge the labels by this checkpoint instead of by cross-validation."),
    ] = None,
    overrides: Overrides = None,
    output: Annotated[Path, typer.Option("--output", "--out", help="HTML file to write.")] = Path("diagnosis.html"),
    format: Annotated[Format, typer.Option(help="How to print the findings.")] = Format.table,
    seed: Annotated[int, typer.Option(min=0, help="Seed of samples and of the models that judge.")] = 0,
):
    """Find what is wrong with a data set.

    Labels (ordinary, noisy, permuted, complementary, random), classes, duplicates, odd images, and what to change.

    Example: python -m kerasexp diagnose mnistTask3.zip
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console

    import_tensorflow()
    from kerasexp.diagnosis.diagnose import diagnose as diagnosed

    console = Console(quiet=format is Format.json)
    print(diagnosed(source, data_path, reference, overrides or (), output, format.value, seed, console))


@app.command()
def predict(
    checkpoint: CheckpointPath,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE_OR_FOLDER...", help="Image files, folders or zip archives.")
    ],
    format: Annotated[ListFormat, typer.Option(help="How to print the answer.")] = ListFormat.table,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 3,
):
    """Say which class each image is.

    Any size of image; it is preprocessed as in training, by the checkpoint's own record.

    Example: python -m kerasexp predict checkpoints/part1_scans my_scan.png --format json
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.evaluation.file_predictions import image_files, predict_files, shown

    found = image_files(images)
    import_tensorflow()
    print(shown(predict_files(checkpoint, found, top), format.value), end="")


@app.command()
def export(
    checkpoint: CheckpointPath,
    format: Annotated[str, typer.Option(metavar="FORMAT", help="tf_saved_model, litert or onnx.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder (tf_saved_model) or file to make; default: named after the checkpoint, here."),
    ] = None,
    images: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="IMAGE_OR_FOLDER", help="Images to compare it with the checkpoint on; default: digits."),
    ] = None,
):
    """Make a checkpoint usable without Keras.

    What was written is loaded again and gives the checkpoint's probabilities, or it is not left. The last line printed is
    where it lies.

    Example: python -m kerasexp export checkpoints/part2_pretrained --format litert
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console
    from kerasexp.export.exporter import export as exported
    from kerasexp.export.exporter import plan_export

    plan = plan_export(checkpoint, format, output, images)
    import_tensorflow()
    print(exported(plan, Console()))


@app.command()
def new(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder or zip archive with one folder of images per class.")
    ],
    output: Annotated[Optional[Path], typer.Option(help="YAML file to write; default: NAME.yaml here.")] = None,  # noqa: UP045
):
    """Write an experiment for your own images.

    They are looked at first: classes, counts, sizes, colour, faults. `run` takes the experiment as it is.

    Example: python -m kerasexp new my_images
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console

    import_tensorflow()
    from kerasexp.data.new_experiment import write_new_experiment

    print(write_new_experiment(folder, output, Console()))


@app.command()
def pack(
    experiment: ExperimentFile,
    output: Annotated[Path, typer.Option(help="Folder to make: one CSV file per split.")],
    overrides: Overrides = None,
):
    """Write preprocessed images as CSV.

    A label and the flattened pixels a line, which `source: csv` reads.

    Example: python -m kerasexp pack experiments/part1_digits.yaml --output digits_csv
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.config import load_experiment
    from kerasexp.console import Console

    resolved = load_experiment(experiment, overrides or ())
    import_tensorflow()
    from kerasexp.data.csv_export import write_packed

    print(write_packed(resolved, output, Console()))


@app.command()
def schema():
    """Print the JSON Schema of an experiment.

    Editors use it for completion and hints.

    Example: python -m kerasexp schema > experiments/schema.json
    """
    import json

    from kerasexp.config.schema import experiment_schema

    print(json.dumps(experiment_schema(), indent=1))


@app.command()
def doctor():
    """Say what is installed and found here.

    Versions, devices, data and cache.

    Example: python -m kerasexp doctor
    """
    from kerasexp.commands.doctor import findings

    for line in findings():
        print(line)


def main() -> None:
    """Run the command line; errors of ours become one message and an exit code."""
    # TensorFlow logs absent GPUs and its own version skew as errors; what stops a run comes as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold what the terminal cannot show.
        stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KerasexpError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
