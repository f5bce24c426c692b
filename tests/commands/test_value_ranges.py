"""Images of more than 8 bits, and arrays of other ranges than 0..255, through all commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

GENERATOR = np.random.default_rng(0)
EXPERIMENT = """
data:
  source: image_folder
  path: deep
  range: [0, 4095]
  test: 0.25
  validation: 0.25
  preprocessing: {size: [8, 8]}
model: {name: mlp, units: [8]}
training: {epochs: 1, batch_size: 4}
report: {plots: false}
"""


def bars(top: int) -> np.ndarray:
    """16 images of two classes by turns, a bar across or upright on a darker ground, up to the value `top`."""
    images = GENERATOR.integers(0, top // 2, (16, 8, 8))
    images[::2, 3:5], images[1::2, :, 3:5] = top, top
    return images


def write(folder: str, images: np.ndarray, dtype: type) -> None:
    for number, image in enumerate(images):
        path = Path(folder) / ("across", "upright")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(dtype)).save(path)


def scaled(images: np.ndarray, top: int) -> np.ndarray:
    return np.rint(images * 255 / top)


@pytest.fixture
def deep() -> np.ndarray:
    """Images of 12 bits in files of 16, in the folder `deep`, and the same in 8 bits, in `shallow`."""
    images = bars(4095)
    write("deep", images, np.uint16)
    write("shallow", scaled(images, 4095), np.uint8)
    Path("deep.yaml").write_text(EXPERIMENT)
    return images


def test_the_range_of_the_training_is_that_of_every_later_command(cli, deep):
    done = cli("run", "deep.yaml")
    assert done.code == 0, done.err
    line = "files of 16 bits: values 0..4095, scaled by 0.0622711 (data.range)"
    assert line in done.err + done.out
    run = Path(done.last_line)
    manifest = json.loads((run / "manifest.json").read_text())["data"]
    assert manifest["range"] == {"low": 0, "high": 4095, "source": "given"} and line in manifest["notes"]
    stored = json.loads((run / "checkpoint" / "preprocessing.json").read_text())
    assert stored["range"] == [0, 4095] and stored["range_of"] == "files"

    deep_scores, shallow_scores = (
        [row["probability"] for row in json.loads(cli("predict", run, folder, "--format", "json").out)]
        for folder in ("deep", "shallow")
    )
    assert len(deep_scores) == 16 and deep_scores == shallow_scores
    metrics = [
        json.loads(cli("evaluate", run, "--data", "image_folder", "--data-path", folder, "--format", "json").out)
        for folder in ("deep", "shallow")
    ]
    assert metrics[0]["loss"] == metrics[1]["loss"] and metrics[0]["accuracy"] == metrics[1]["accuracy"]
    assert metrics[0]["notes"] == [line] and metrics[1]["notes"] == []
    found = [
        json.loads(cli("diagnose", folder, "--reference", run, "--format", "json").out)
        for folder in ("deep", "shallow")
    ]
    assert found[0]["data_notes"] == [line] and found[0]["labels"] == found[1]["labels"]


def test_files_brighter_than_the_training_are_refused(cli, deep):
    run = cli("run", "deep.yaml").last_line
    write("brighter", bars(40_000), np.uint16)
    found = cli("evaluate", run, "--data", "image_folder", "--data-path", "brighter")
    assert found.code == 2 and "which is outside the range 0..4095" in found.err
    found = cli("predict", run, "brighter")
    assert found.code == 1 and "which is outside the range 0..4095" in found.err


@pytest.mark.parametrize(
    "command",
    [
        ("run", "deep.yaml"),
        ("check", "deep.yaml"),
        ("pack", "deep.yaml", "--output", "packed"),
        ("diagnose", "deep"),
        ("diagnose", "deep.yaml"),
    ],
    ids=" ".join,
)
def test_a_range_that_is_not_known_is_asked_for(cli, deep, command):
    Path("deep.yaml").write_text(EXPERIMENT.replace("  range: [0, 4095]\n", ""))
    found = cli(*command)
    assert found.code == 2 and "data.range: has 16 bits and only values from" in found.err
    assert "range: [0, 4095] or range: [0, 65535]" in found.err and not Path("runs").exists()


def test_new_writes_the_range_and_check_and_diagnose_take_it(cli, deep):
    made = cli("new", "deep", "--output", "made.yaml")
    assert made.code == 0, made.err
    assert "it is set to 0..4095 by data.range" in made.err + made.out
    assert yaml.safe_load(Path("made.yaml").read_text())["data"]["range"] == [0, 4095]
    assert "# The files have 16 bits and use" in Path("made.yaml").read_text()
    assert cli("check", "made.yaml", "--set", "training.batch_size=2").code == 0
    assert cli("diagnose", "deep", "--set", "data.range=[0, 4095]").code == 0
    assert "range:" not in Path(cli("new", "shallow").last_line).read_text()


def test_pack_writes_the_scaled_pixels(cli, deep):
    packed = cli("pack", "deep.yaml", "--output", "packed", "--set", "data.preprocessing.size=[8, 8]")
    assert packed.code == 0, packed.err
    shallow = cli("pack", "deep.yaml", "--output", "same", "--set", "data.path=shallow", "--set", "data.range=null")
    assert shallow.code == 0, shallow.err
    assert Path("packed/train.csv").read_text() == Path("same/train.csv").read_text()


def test_arrays_are_evaluated_with_the_range_of_the_training_where_they_do_not_say_theirs(cli):
    images = bars(16)
    np.savez("digits.npz", x=images, y=np.array(["across", "upright"] * 8))
    write("digits", scaled(images, 16), np.uint8)
    Path("digits.yaml").write_text(
        EXPERIMENT.replace("image_folder", "npz").replace("deep", "digits.npz").replace("4095", "16")
    )
    done = cli("run", "digits.yaml")
    assert done.code == 0 and "values 0..16, scaled by 15.9375 (data.range)" in done.err + done.out
    losses = []
    for source, path in (("npz", "digits.npz"), ("image_folder", "digits")):
        found = cli("evaluate", done.last_line, "--data", source, "--data-path", path, "--format", "json")
        assert found.code == 0, found.err
        losses.append(json.loads(found.out)["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)  # the order of the images is another one


def test_evaluate_takes_keys_of_the_source_and_no_others(cli, deep):
    run = cli("run", "deep.yaml").last_line
    np.savez("fine.npz", x=bars(1000), y=np.array(["across", "upright"] * 8))
    evaluate = "evaluate", run, "--data", "npz", "--data-path", "fine.npz"
    assert cli(*evaluate, "--set", "data.range=[0, 1000]").code == 0
    refused = cli(*evaluate, "--set", "data.labels.noise=0.5")
    assert refused.code == 2 and "data.labels has no effect on an evaluation; allowed: data.source" in refused.err
    refused = cli(*evaluate, "--set", "data.range=[5, 5]")
    assert refused.code == 2 and "the first value must be below the second" in refused.err
    refused = cli("evaluate", run, "--data", "digits", "--set", "data.range=[0, 16]", "--set", "data.fold=3")
    assert refused.code == 2 and "--set: data.fold: digits has no key 'fold'; those that have it: stl10" in refused.err
    assert (
        "--set: data.range: digits has no key 'range'; those that have it: image_folder, table, csv, npz" in refused.err
    )


def test_without_a_known_range_dark_files_of_16_bits_are_left_out_of_predictions(cli, deep):
    Path("deep.yaml").write_text(EXPERIMENT.replace("  range: [0, 4095]\n", "").replace("deep", "shallow"))
    run = cli("run", "deep.yaml").last_line
    found = cli("predict", run, "deep/across/00.png", "shallow/across/00.png", "--format", "json")
    assert found.code == 0 and len(json.loads(found.out)) == 1
    assert "deep/across/00.png: has 16 bits and only values from" in found.err
