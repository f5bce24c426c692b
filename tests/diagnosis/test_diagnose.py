"""`diagnose`: what is wrong with a data set, from the command line."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from kerasexp.config import experiment_from, load_experiment
from kerasexp.config.data_section import Preprocessing
from kerasexp.console import QuietConsole
from kerasexp.diagnosis.diagnose import _assess_class_names
from kerasexp.diagnosis.label_assessment import assess_scores
from kerasexp.diagnosis.target import load_target, resolve_target
from kerasexp.runs.run import run_experiment
from kerasexp.runs.run_request import RunRequest
from kerasexp.saving.checkpoint import write_sidecars

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
CLASSES = 4


def patterns(labels: np.ndarray, seed: int = 0, channels: int | None = None) -> np.ndarray:
    """Draw images of 12x12 that a small network separates at once: a bright block whose place is the class."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (len(labels), 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = 6 * (label // 2) + generator.integers(0, 3), 6 * (label % 2) + generator.integers(0, 3)
        image[row : row + 4, column : column + 4] += 150
    return images if channels is None else np.repeat(images[..., None], channels, axis=3)


def written(path: Path, true: np.ndarray, labels: np.ndarray, test: np.ndarray | None = None, channels=None) -> Path:
    splits = {"x_train": patterns(true, channels=channels), "y_train": labels}
    if test is not None:
        splits |= {"x_test": patterns(test, 1, channels), "y_test": test}
    np.savez(path, **splits)
    return path


@pytest.fixture
def true() -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(CLASSES), 150))


@pytest.fixture
def diagnosed(cli):
    """Return a function that diagnoses and returns the JSON; the page must exist and have no link to outside."""

    def run(*arguments) -> dict:
        answer = cli("diagnose", *arguments, "--format", "json")
        assert (answer.code, answer.err) == (0, ""), answer.err
        result = json.loads(answer.out)
        page = Path(result["page"]).read_text()
        assert "http://" not in page and "https://" not in page
        return result

    return run


def test_noise_is_found_with_its_rate_and_the_wrong_labels(diagnosed, true):
    written(Path("clean.npz"), true, true, np.repeat(np.arange(CLASSES), 20))
    found = diagnosed("clean.npz", "--set", "data.labels.noise=0.2")
    train, test = found["labels"]
    assert found["verdict"] == train["verdict"] == "noisy" and test["verdict"] == "ordinary"
    assert train["rate"] == pytest.approx(0.2, abs=0.02)
    index = [int(row["file"].rpartition("/")[2]) for row in train["likely_errors"]]
    correct = [str(true[i]) == row["suggested"] for i, row in zip(index, train["likely_errors"], strict=True)]
    assert len(correct) > 80 and np.mean(correct) > 0.95
    assert {"training": {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}}} in [
        item["change"] for item in found["advice"]
    ]


def test_labels_of_what_images_are_not(diagnosed, true):
    wrong = (true + np.random.default_rng(1).integers(1, CLASSES, len(true))) % CLASSES
    written(Path("not.npz"), true, wrong)
    found = diagnosed("not.npz")
    assert found["verdict"] == "complementary" and found["labels"][0]["decode"] == "argmin"
    assert found["advice"][0]["change"] == {"training": {"loss": "scl_nl"}}
    assert any("permutation of all class names cannot be excluded" in note for note in found["notes"])


def test_random_labels_and_correct_ones_in_colour(diagnosed, true):
    written(Path("random.npz"), true, np.random.default_rng(2).permutation(true))
    assert diagnosed("random.npz")["verdict"] == "random"
    written(Path("colour.npz"), true, true, channels=3)
    found = diagnosed("colour.npz")
    assert found["verdict"] == "ordinary" and found["labels"][0]["agreement"] > 0.97


def test_classes_that_train_and_test_name_differently(diagnosed, true):
    test = np.repeat(np.arange(CLASSES), 30)
    np.savez(
        "moved.npz", x_train=patterns(true), y_train=np.array([0, 2, 1, 3])[true], x_test=patterns(test, 1), y_test=test
    )
    found = diagnosed("moved.npz")
    train, test_labels = found["labels"]
    assert train["verdict"] == "ordinary" and test_labels["verdict"] == "permuted"
    assert test_labels["moved"] == {"1": "2", "2": "1"}
    assert "the label 1 means train's 2, 2 means train's 1" in test_labels["sentences"][0]


@pytest.fixture(scope="module")
def trained(finished_runs, tmp_path_factory) -> Path:
    """A folder with images of bars and discs, an experiment on them, and a trained `reference`."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(finished_runs / "images", folder / "images")
    shutil.copy(finished_runs / "tiny.yaml", folder / "reference.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KERASEXP_CACHE", str(folder / "cache"))
        experiment = load_experiment(Path("reference.yaml"), ["training.epochs=12"])
        run_experiment(RunRequest(experiment, folder / "reference"), QuietConsole())
    return folder


@pytest.fixture
def reference(trained, tmp_path) -> Path:
    """The checkpoint, its images and its experiment in the working folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "reference"


def test_a_reference_finds_exchanged_folders_and_the_advice_corrects_them(diagnosed, cli, reference):
    folder = Path("exchanged")
    shutil.copytree("images", folder)
    for old, new in (("across", "x"), ("disc", "across"), ("x", "disc")):
        (folder / old).rename(folder / new)
    found = diagnosed("exchanged", "--reference", reference)
    assert found["verdict"] == "permuted" and found["labels"][0]["moved"] == {"across": "disc", "disc": "across"}
    names = found["advice"][0]["change"]["data"]["class_names"]
    assert names == {"across": "disc", "disc": "across", "upright": "upright"}
    mended = {"data": {"source": "image_folder", "path": "exchanged", "class_names": names}}
    Path("mended.yaml").write_text(yaml.safe_dump(mended | {"base": "reference.yaml"}))
    assert diagnosed("mended.yaml", "--reference", reference)["verdict"] == "ordinary"


def test_classes_of_other_names_than_the_reference_are_named_in_pairs(diagnosed, cli, reference):
    for old, new in (("disc", "discs"), ("upright", "a=b")):
        Path("images", old).rename(Path("images", new))
    answer = cli("diagnose", "images", "--reference", reference)
    assert answer.code == 2 and "--class-names a=b=CLASS --class-names discs=disc" in answer.err, answer.err
    pairs = ("--class-names", "discs=disc", "--class-names", "a=b=upright")
    found = diagnosed("images", "--reference", reference, *pairs)
    assert found["verdict"] == "ordinary" and "discs is evaluated as disc" in found["notes"]
    answer = cli("diagnose", "images", "--reference", reference, "--class-names", "disk=disc")
    assert answer.code == 2 and "the data have no class 'disk'; did you mean 'discs'?" in answer.err


def test_an_experiment_is_diagnosed_with_its_own_data_section(diagnosed, tiny_yaml):
    """Its splits, its label edits and its preprocessing; a disc lies in two folders, and one class is nearly absent."""
    shutil.copy("images/disc/00.png", "images/across/99.png")
    found = diagnosed(tiny_yaml, "--set", "data.labels.keep={upright: 3}")
    assert found["label_edits"] == ["of class upright, train and val keep 3 images"]
    counts = found["splits"]["class_counts"]
    assert counts["train"]["upright"] + counts["val"]["upright"] == 3 and list(counts) == ["train", "val", "test"]
    assert found["splits"]["rare"]["train"] == ["upright"]
    (group,) = found["images"]["duplicates"]
    assert {place["label"] for place in group} == {"across", "disc"}
    assert {"training": {"loss": "logit_adjusted"}} in [item["change"] for item in found["advice"]]


def test_very_few_images_are_reported_as_too_few(diagnosed, cli):
    few = np.array([0, 0, 1, 2, 2, 2])
    written(Path("few.npz"), few, few)
    found = diagnosed("few.npz")
    assert found["verdict"] is None and "The labels were not assessed: train has 6 images" in found["notes"][0]
    assert found["splits"]["missing"] == {"train": []}
    answer = cli("diagnose", "few.npz")
    assert answer.code == 0 and "Fewer than 10 images in train: 0 (2), 1 (1), 2 (3)" in answer.out


def test_one_image_of_each_of_many_classes(diagnosed):
    labels = np.arange(62) % CLASSES
    np.savez("many.npz", x_train=patterns(labels), y_train=np.arange(62))
    found = diagnosed("many.npz")
    assert found["verdict"] is None and found["labels"] == []
    assert found["notes"] == [
        "The labels were not assessed: train has 62 images of 62 classes, and cross-validation needs 30 images, of two "
        "classes or more, and 3 of each class on average. A --reference checkpoint can assess them."
    ]


def test_a_checkpoint_of_the_working_folder_that_cannot_be_used_does_not_end_a_diagnosis(true):
    """`broken` has the classes of the data, and so has `several`, which gives several of them an image."""
    names = list(map(str, range(CLASSES)))
    for name in ("broken", "several"):
        folder = Path("checkpoints", name)
        folder.mkdir(parents=True)
        write_sidecars(folder, names, {}, Preprocessing(size=[12, 12]), multi_label=name == "several")
        (folder / "model.keras").write_bytes(b"x")
    target = resolve_target(str(written(Path("clean.npz"), true, true)), None, [])
    data = load_target(target, Preprocessing(size=[12, 12]), QuietConsole())
    scores = np.eye(CLASSES, dtype=np.float32)[true]
    every = np.arange(len(true))
    (assessment,) = assess_scores({"train": (every, scores)}, {"train": true}, names, "the models")
    found, note = _assess_class_names(target, data, assessment, scores, 0, QuietConsole())
    assert found == [] and "several" not in note
    assert "broken has the same class names, but cannot be used: checkpoints/broken/model.keras: " in note


def test_a_test_split_without_a_class_and_inverted_and_blank_images(diagnosed):
    true = np.repeat(np.arange(3), 6)
    images = np.pad(patterns(true), ((0, 0), (4, 4), (4, 4)))
    images[2], images[5] = 255 - images[2], 0
    np.savez("odd.npz", x_train=images, y_train=true, x_test=images[:3], y_test=true[:3])
    found = diagnosed("odd.npz")
    assert found["splits"]["missing"] == {"train": [], "test": ["1", "2"]}
    assert [place["file"] for place in found["images"]["inverted"]] == ["train/00002", "test/00002"]
    assert [place["file"] for place in found["images"]["blank"]] == ["train/00005"]
    assert len(found["images"]["duplicates"]) == 3
    changes = [item["change"] for item in found["advice"]]
    assert {"data": {"preprocessing": {"invert": "auto"}}} in changes
    for change in changes:
        experiment_from({"name": "mended", **change})


def test_the_console_and_the_page_have_the_same_sentences(cli, reference):
    answer = cli("diagnose", "images", "--reference", reference, "--output", "page.html")
    assert answer.code == 0 and answer.last_line == "page.html"
    assert "ordinary" in answer.out and "nothing to change was found" in answer.out
    page = Path("page.html").read_text()
    assert "<strong>ordinary</strong>" in page and "across" in page
    for line in answer.out.splitlines():
        if line.startswith("  ") and "draws" not in line:
            assert line.strip() in page


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["mnits"], "SOURCE: got 'mnits'; did you mean 'mnist'?"),
        (["nowhere.zip"], "nor a file or folder at"),
        (["notes.md"], "is not a source; allowed: a folder, or a file that ends in"),
        (["csv"], "--data-path: csv needs a file or folder"),
        (["digits", "--data-path", "x"], "source: digits takes no path"),
        (["images", "--data-path", "x"], "'images' is a path already"),
        (["images", "--output", "page.png"], "must end in .html"),
        (["images", "--output", "no/page.html"], "no such folder"),
        (["images", "--set", "data.labls.noise=1"], "did you mean 'labels'?"),
        (["images", "--reference", "nowhere"], "nowhere: no such file or folder"),
        (["images", "--reference", ROOT / "checkpoints/part2_pretrained"], "none are the same"),
        (["images", "--class-names", "a=b"], "--class-names: matches the classes of a --reference, and none is given"),
        (["nowhere.yaml"], "nowhere.yaml: no such file"),
        (["one"], "only one class (only)"),
    ],
)
def test_mistakes_are_reported(cli, images, given, message):
    Path("notes.md").write_text("nothing")
    Path("one/only").mkdir(parents=True)
    shutil.copy("images/disc/00.png", "one/only/00.png")
    answer = cli("diagnose", *given)
    assert answer.code == 2 and message in answer.err and "Traceback" not in answer.err
    assert not Path("diagnosis.html").exists()


def test_a_table_of_images_is_diagnosed_as_its_folders_are(diagnosed, true):
    labels = true.copy()
    labels[:60] = (labels[:60] + 1) % CLASSES
    Path("i").mkdir()
    for number, image in enumerate(patterns(true)):
        cv2.imwrite(f"i/{number:04d}.png", image)
    rows = [f"i/{number:04d}.png;{label}" for number, label in enumerate(labels)]
    Path("labels.csv").write_text("\n".join(["file;kind", *rows, "i/gone.png;1", "i/bad.png;1"]))
    Path("i/bad.png").write_text("no image")
    result = diagnosed("labels.csv")
    train = result["labels"][0]
    assert train["verdict"] == "noisy"
    suspicious = {row["file"] for row in train["likely_errors"]}
    assert len(suspicious & {f"{number:04d}.png" for number in range(60)}) > 50
    assert [row["file"] for row in result["left_out"]] == ["bad.png"]
    assert "not used: 1 of 602 rows of labels.csv whose file is not there: i/gone.png" in result["data_notes"]
