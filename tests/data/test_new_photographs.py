"""`new` starts photographs from pretrained weights, and writes the baseline with random ones beside them."""

from pathlib import Path

import numpy as np
import pytest
from folder_trees import images, write_folder
from PIL import Image
from tables import write_csv_table

from kerasexp.config import load, load_experiment
from kerasexp.config.model_section import IMAGENET
from kerasexp.config.shipped_files import PHOTO_WEIGHTS
from kerasexp.console import Console, QuietConsole
from kerasexp.data.dataset_statistics import Survey
from kerasexp.data.new_experiment import WEIGHTS, write_new_experiment
from kerasexp.data.new_recipes import ENOUGH, RESIDUAL_BLOCKS, expected_better
from kerasexp.errors import UserError

QUIET = QuietConsole()
BASELINE = Path("photos_scratch.yaml")


def photos(colour: bool = True) -> Path:
    """24 images of two classes, of mixed sizes."""
    generator = np.random.default_rng(0)
    for number in range(24):
        place = Path("photos", "ab"[number % 2])
        place.mkdir(parents=True, exist_ok=True)
        sides = generator.integers(30, 90, 2)
        values = generator.integers(0, 256, (*sides, 3) if colour else tuple(sides), np.uint8)
        Image.fromarray(values).save(place / f"{number}.png")
    return Path("photos")


def found_in_a_folder(model, side: int) -> str:
    assert (model.name, side) == ("mobilenet_v2", 224)
    return "found in some folder"


def test_without_imagenet_weights_the_shipped_ones_are_taken():
    pretrained, scratch = load_experiment(write_new_experiment(photos(), None, QUIET)), load_experiment(BASELINE)
    assert (pretrained.model.name, pretrained.model.weights) == ("cnn", PHOTO_WEIGHTS)
    assert pretrained.training.fine_tune.head_epochs > 0
    assert scratch.model.weights is None and scratch.model.blocks == pretrained.model.blocks
    assert scratch.training.fine_tune == type(scratch.training.fine_tune)()
    same = {"exclude": {"preprocessing", "augmentation"}}
    assert scratch.data.model_dump(**same) == pretrained.data.model_dump(**same)


def test_imagenet_weights_come_first():
    experiment = load_experiment(write_new_experiment(photos(), None, QUIET, imagenet_origin=found_in_a_folder))
    assert (experiment.model.name, experiment.model.weights) == ("mobilenet_v2", IMAGENET)
    assert experiment.data.preprocessing.size == [224, 224] and BASELINE.exists()


@pytest.mark.parametrize(("weights", "start"), [("tiny_imagenet", "tiny_imagenet"), ("imagenet", "imagenet")])
def test_weights_can_be_chosen(weights, start):
    origin = found_in_a_folder if weights == PHOTO_WEIGHTS else lambda model, side: None
    experiment = load_experiment(write_new_experiment(photos(), None, QUIET, None, weights, origin))
    assert experiment.model.weights == start


def test_no_weights_give_one_experiment():
    experiment = load_experiment(write_new_experiment(photos(), None, QUIET, weights="none"))
    assert experiment.model.weights is None and not BASELINE.exists()


def test_grey_images_get_one_small_network():
    experiment = load_experiment(write_new_experiment(photos(colour=False), None, QUIET))
    assert experiment.model.weights is None and not BASELINE.exists()
    assert experiment.data.preprocessing.channels == 1


def test_grey_images_start_from_weights_on_request():
    experiment = load_experiment(write_new_experiment(photos(colour=False), None, QUIET, weights="tiny_imagenet"))
    assert experiment.model.weights == PHOTO_WEIGHTS and experiment.data.preprocessing.channels == 3


def test_a_baseline_that_exists_is_not_overwritten():
    BASELINE.write_text("seed: 1")
    with pytest.raises(UserError, match=r"photos_scratch\.yaml: already exists"):
        write_new_experiment(photos(), None, QUIET)
    assert BASELINE.read_text() == "seed: 1" and not Path("photos.yaml").exists()


def test_what_they_start_from_and_which_is_expected_to_be_better_is_said(capsys):
    write_new_experiment(photos(), None, Console(), imagenet_origin=found_in_a_folder)
    output = capsys.readouterr().out
    assert (
        "photos.yaml starts from the ImageNet weights of mobilenet_v2, found in some folder; photos_scratch.yaml, the "
        "baseline, from random weights" in output
    )
    assert "expected to be better: photos.yaml; 24 training images are few to learn from random weights" in output


@pytest.mark.parametrize("weights", [IMAGENET, PHOTO_WEIGHTS])
def test_with_many_images_neither_is_expected_to_be_better(weights):
    def said(count: int) -> str:
        empty = {name: None for name in Survey.__dataclass_fields__} | {"images": {"train": count}}
        return expected_better(Survey(**empty), weights, "a.yaml", "b.yaml")

    assert said(ENOUGH[weights]).startswith("expected to be better: a.yaml; ")
    assert said(ENOUGH[weights] + 1).startswith("expected to be about equal: ")


def test_a_table_of_photographs_with_several_labels_an_image():
    files = images("", each=24)
    write_folder(Path("d"), files)
    rows = [[path, ["cat", "dog", "cat;dog"][n % 3]] for n, path in enumerate(files)]
    write_csv_table(Path("d/labels.csv"), [["image", "label"], *rows])
    experiment = load_experiment(write_new_experiment(Path("d"), None, QUIET, weights="tiny_imagenet"))
    assert experiment.data.multi_label and experiment.model.weights == PHOTO_WEIGHTS


def test_the_blocks_are_those_of_the_experiment_that_trained_the_shipped_weights():
    experiment = load("tiny_imagenet/backbone")
    assert experiment.model.blocks == type(experiment.model)(blocks=RESIDUAL_BLOCKS).blocks


def test_the_choices_of_the_command_are_those_of_new():
    from kerasexp.commands.new import Weights

    assert tuple(Weights) == WEIGHTS


@pytest.mark.slow
def test_from_new_to_compare(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERASEXP_DATA", raising=False)
    answer = cli("new", photos(), "--weights", "tiny_imagenet")
    assert answer.code == 0 and answer.last_line == "photos.yaml"
    for file in ("photos.yaml", BASELINE):
        assert cli("check", file).code == 0
        more = ["--set", "training.fine_tune.head_epochs=1"] if file == "photos.yaml" else []
        answer = cli("run", file, "--set", "training.epochs=2", "--set", "report.plots=false", *more)
        assert answer.code == 0, answer.err
    assert cli("compare", "runs/photos_scratch", "runs/photos").code == 0
