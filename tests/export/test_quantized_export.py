"""Quantized exports: smaller files, and what they cost on val, measured on the file that is kept."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from checkpoints_to_export import WITHOUT, random_checkpoint

from kerasexp.config.code_keys import custom_parts
from kerasexp.custom.trust import approve_parts
from kerasexp.evaluation.evaluate_checkpoint import parse_source
from kerasexp.export import FORMATS
from kerasexp.export.export_plan import ExportRequest, plan_export
from kerasexp.export.quantization import QuantizationCost, quantization_cost
from kerasexp.export.validation_images import ValidationImages, validation_images
from kerasexp.saving.checkpoint import load_checkpoint

EACH = ["litert", pytest.param("onnx", marks=WITHOUT)]
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "part2_pretrained"
COST = re.compile(
    r"accuracy on ([\d,]+) images of (.+): (\S+) before, (\S+) after; (-?\S+) lost \((\d+) right only before"
)


def files() -> set[str]:
    return {entry.name for entry in Path().iterdir()} - {"cache"}


def images_with(labels: list[int], thresholds=None) -> ValidationImages:
    pictures = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    return ValidationImages("val of here", np.array(labels), lambda position: pictures[position], thresholds)


def test_the_cost_is_counted_image_by_image(tmp_path):
    for name, size in (("before", 4000), ("after", 1000)):
        (tmp_path / name).write_bytes(bytes(size))
    answers = {"before": [0, 1, 1, 0, 0, 1], "after": [0, 0, 1, 0, 1, 0]}

    def predict(name):
        return lambda batch: np.eye(2)[np.array(answers[name])[batch[:, 0, 0, 0]]]

    before, after = ((tmp_path / name, predict(name)) for name in answers)
    cost = quantization_cost(before, after, images_with([0, 1, 1, 1, 1, 1]))
    assert cost.accuracy == pytest.approx((4 / 6, 3 / 6)) and cost.only == (2, 1) and cost.p_value == 1
    assert cost.lost == pytest.approx(1 / 6) and cost.bytes == (4000, 1000) and min(cost.seconds) > 0


def test_the_sentences_name_accuracy_size_and_latency():
    cost = QuantizationCost(
        "val of mnist", 6000, (0.9912, 0.9902), (9, 3), 0.146, (1_131_000, 290_400), (0.004, 0.0012)
    )
    assert cost.sentences() == [
        "accuracy on 6,000 images of val of mnist: 0.9912 before, 0.9902 after; 0.0010 lost (9 right only before, 3 right only "
        "after; McNemar p = 0.15)",
        "size: 1,131 kB before, 290 kB after; latency for one image: 4.00 ms before, 1.20 ms after",
    ]


def test_with_several_labels_an_image_is_right_if_all_of_them_are():
    labels = np.array([[1, 0], [1, 1], [0, 0]], np.uint8)
    images = ValidationImages("val", labels, lambda position: None, np.array([0.5, 0.2]))
    assert images.is_correct(np.array([[0.6, 0.1], [0.6, 0.1], [0.4, 0.3]])).tolist() == [True, False, False]


def test_calibration_takes_some_images_evenly():
    positions = [int(batch[0, 0, 0, 0]) for batch in images_with([0] * 250).calibration()]
    assert len(positions) == 200 and positions[0] == 0 and positions[-1] == 249
    assert sum(len(batch) for batch in images_with([0] * 250).batches()) == 250


def mistakes() -> dict[str, tuple[list[str], str]]:
    there = ["export", "mine", "--format", "litert"]
    return {
        "unknown kind": ([*there, "--quantize", "int9"], "--quantize: got 'int9'; did you mean 'int8'?; allowed: int8, float16"),
        "no kind": ([*there, "--tolerance", "0.1"], "--tolerance: is read with --quantize only; remove this option"),
        "data alone": ([*there, "--data", "mnist"], "--data: is read with --quantize only; remove this option"),
        "tolerance": ([*there, "--quantize", "int8", "--tolerance", "2"], "--tolerance: got 2; a share of val's images from 0"),
        "no val": ([*there, "--quantize", "int8"], "is not in a run directory; name their source, such as --data mnist"),
        "path alone": ([*there, "--quantize", "int8", "--data-path", "x"], "--data-path: needs --data, the kind of source"),
        "unknown source": ([*there, "--quantize", "int8", "--data", "mnits"], "--data: got 'mnits'; did you mean 'mnist'?"),
        "a folder": (
            ["export", "mine", "--format", "tf_saved_model", "--quantize", "int8"],
            "--quantize: tf_saved_model cannot be quantized; litert, onnx can",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), mistakes().values(), ids=mistakes())
def test_a_mistake_is_reported_before_anything_is_loaded(cli, arguments, message):
    Path("mine").mkdir()
    for name in ("model.keras", "classes.json", "preprocessing.json"):
        (Path("mine") / name).write_bytes(b"not looked into")
    answer = cli(*arguments)
    assert answer.code == 2 and message in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "change", ["training: {loss: scl_nl}", "init: {experiment: ../excluded.yaml, pseudo_labels: true}"]
)
def test_labels_that_say_what_an_image_is_not_measure_nothing(cli, tiny_yaml, change):
    Path("excluded.yaml").write_text(f"base: {tiny_yaml.name}\ntraining: {{loss: scl_nl}}\n")
    Path("done").mkdir()
    Path("done/manifest.json").write_text("{}")
    Path("done/experiment.yaml").write_text(f"base: ../{tiny_yaml.name}\n{change}\n")
    checkpoint = random_checkpoint("done/checkpoint")
    answer = cli("export", checkpoint, "--format", "litert", "--quantize", "int8")
    assert answer.code == 2 and "those of its val say what an image is NOT; name a source that has them" in answer.err


@pytest.mark.slow
def test_val_of_other_data_than_those_of_the_run_is_refused(cli, run):
    other = Path(shutil.copytree(run, "other"))
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["data"]["identities"]["val"] = "0"
    (other / "manifest.json").write_text(json.dumps(manifest))
    before = files()
    answer = cli("export", other, "--format", "litert", "--quantize", "dynamic")
    assert answer.code == 2 and "the data have changed since the run" in answer.err and files() == before


OWN_SOURCE = """
import numpy as np


def load():
    dark, bright = np.zeros((10, 12, 10, 1), np.uint8), np.full((10, 12, 10, 1), 255, np.uint8)
    labels = ["a", "b"] * 5
    return {split: [(image, label, str(i)) for i, (image, label) in enumerate(zip(images, labels))]
            for split, images in (("train", dark), ("test", bright))}
"""


@pytest.mark.slow
def test_a_source_of_ones_own_measures_what_is_lost(cli):
    """Its names are those of train and of test: val is the images of train alone."""
    Path("own.py").write_text(OWN_SOURCE)
    folder = random_checkpoint("mine", ["a", "b"], (12, 10))
    answer = cli("export", folder, "--format", "litert", "--quantize", "dynamic", "--data", "own.py:load")
    assert answer.code == 0 and "accuracy on 10 images of train of " in answer.out, answer.err


def test_raw_images_of_val_are_not_those_of_test_with_the_same_names(cli):
    Path("own.py").write_text(OWN_SOURCE)
    source = parse_source("own.py:load", None)
    approve_parts(custom_parts(source, "data"), "--data", Path.cwd(), False)
    folder = random_checkpoint("mine", ["a", "b"], (12, 10))
    request = ExportRequest([folder], "litert", quantize="int8", data="own.py:load")
    images = validation_images(plan_export(request), load_checkpoint(folder))
    assert all(images.read(position).max() == 0 for position in range(10))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run on drawn images whose network is large enough for its size to count."""
    from tiny import TINY, draw_images

    from kerasexp.config import load_experiment
    from kerasexp.console import QuietConsole
    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    folder = tmp_path_factory.mktemp("quantized")
    draw_images(folder / "images")
    (folder / "tiny.yaml").write_text(TINY.replace("path: images", f"path: {folder / 'images'}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KERASEXP_CACHE", str(folder / "cache"))
        experiment = load_experiment(Path("tiny.yaml"), ["model.head.units=[800]", "training.epochs=4"])
        return folder / run_experiment(RunRequest(experiment), QuietConsole()).path


@pytest.mark.slow
@pytest.mark.parametrize("format", EACH)
@pytest.mark.parametrize(("kind", "share"), [("int8", 0.33), ("dynamic", 0.33), ("float16", 0.56)])
def test_a_quantized_model_is_small_and_measured_on_val(cli, run, format, kind, share):
    answer = cli("export", run, "--format", format, "--quantize", kind, "--tolerance", "0.1")
    assert answer.code == 0, answer.err
    count, origin, before, after, lost, _ = COST.search(answer.out).groups()
    assert count == "10" and origin.startswith("val of ") and float(before) - float(after) == pytest.approx(float(lost))
    sizes = [int(text.replace(",", "")) for text in re.findall(r"([\d,]+) kB", answer.out)]
    path = Path(answer.last_line)
    assert path.name == f"tiny_1_{kind}{FORMATS[format].ending}" and sizes[1] == round(path.stat().st_size / 1000)
    assert sizes[1] <= share * sizes[0] + 20
    assert files() == {path.name}


@pytest.mark.slow
@pytest.mark.parametrize("format", EACH)
def test_the_preprocessing_of_a_quantized_model_keeps_its_precision(cli, run, format):
    """With all of it in 8 bits, the images would be useless."""
    answer = cli("export", run, "--format", format, "--quantize", "int8", "--input", "raw", "--tolerance", "0.1")
    network = cli("export", run, "--format", format, "--quantize", "int8", "--input", "model", "--tolerance", "0.1")
    assert (answer.code, network.code) == (0, 2) and "exists already" in network.err
    named = ["--output", f"network{FORMATS[format].ending}"]
    network = cli(
        "export", run, "--format", format, "--quantize", "int8", "--input", "model", "--tolerance", "0.1", *named
    )
    assert network.code == 0, network.err
    from kerasexp.data.preprocessing import preprocess
    from kerasexp.evaluation.file_predictions import image_files
    from kerasexp.evaluation.predictions import calibrated
    from kerasexp.saving.checkpoint import load_checkpoint

    files, checkpoint = image_files([run.parents[2] / "images"])[::7], load_checkpoint(run)
    raw = [np.repeat(file.pixels(None, lambda values: values), 3, axis=2) for file in files]
    small = np.stack([preprocess(image, checkpoint.preprocessing) for image in raw])
    got = FORMATS[format].load(Path(answer.last_line))(np.stack(raw))
    expected = FORMATS[format].load(Path(network.last_line))(small)
    assert expected.std(axis=0).max() > 1e-3
    # A raw model is calibrated, which also spreads the steps of 8 bits.
    np.testing.assert_allclose(got, calibrated(expected, checkpoint), atol=0.03)


@pytest.mark.slow
def test_too_large_a_loss_is_an_error_and_leaves_nothing(cli, run, monkeypatch):
    monkeypatch.setattr("kerasexp.export.quantization.QuantizationCost.lost", property(lambda self: 0.02))
    answer = cli("export", run, "--format", "litert", "--quantize", "dynamic")
    assert answer.code == 1 and "--tolerance is 0.01; nothing was written" in answer.err and files() == set()
    answer = cli("export", run, "--format", "litert", "--quantize", "dynamic", "--tolerance", "0.02")
    assert answer.code == 0
    metadata = json.loads(zipfile.ZipFile(answer.last_line).read("kerasexp.json"))
    assert metadata["quantization"] == "dynamic" and metadata["input"] == "raw"


@pytest.mark.slow
def test_a_checkpoint_outside_a_run_is_measured_on_a_named_source(cli):
    answer = cli("export", SHIPPED, "--format", "litert", "--quantize", "int8", "--data", "digits")
    assert answer.code == 0, answer.err
    count, origin, *_ = COST.search(answer.out).groups()
    assert count == "1,437" and origin == "train of scikit-learn's 1,797 digits"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("format", EACH)
def test_int8_of_a_shipped_checkpoint_is_a_quarter_and_loses_at_most_0_002_on_mnist(cli, format):
    answer = cli("export", SHIPPED, "--format", format, "--quantize", "int8", "--data", "mnist", "--tolerance", "0.002")
    assert answer.code == 0, answer.err
    before, after = [int(text.replace(",", "")) for text in re.findall(r"([\d,]+) kB", answer.out)]
    assert after <= 0.28 * before
    mnist = np.load(Path(os.environ["KERASEXP_DATA"]) / "mnist.npz")
    images, labels = np.repeat(mnist["x_test"][..., None], 3, axis=3), mnist["y_test"]
    predict = FORMATS[format].load(Path(answer.last_line))
    right = sum((predict(images[i : i + 500]).argmax(1) == labels[i : i + 500]).sum() for i in range(0, 10_000, 500))
    evaluated = json.loads(cli("evaluate", SHIPPED, "--data", "mnist", "--format", "json").out)["accuracy"]
    assert evaluated - right / 10_000 <= 0.002
