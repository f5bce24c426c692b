"""`new`: the experiment written for a user's own images loads, and its data can be prepared."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kerasexp.config import load_experiment
from kerasexp.console import Console, QuietConsole
from kerasexp.data.image_formats import SUPPORTED
from kerasexp.data.new_experiment import write_new_experiment
from kerasexp.data.prepared_data import prepare
from kerasexp.errors import RunError, UserError

QUIET = QuietConsole()
GENERATOR = np.random.default_rng(0)


def grey_scans(folder: str = "scans", classes: int = 3, each: int = 8, size: tuple[int, int] = (90, 120)) -> Path:
    """Dark ink on white pages of one size, in the middle of the page."""
    for number in range(classes):
        place = Path(folder, f"Sample{number:03d}")
        place.mkdir(parents=True)
        for writer in range(each):
            page = Image.new("L", size[::-1], 255)
            ImageDraw.Draw(page).line((40 + number * 5, 30, 70, 50 + writer % 10), fill=0, width=6)
            page.save(place / f"{writer}.png")
    return Path(folder)


def photos(folder: str = "photos", classes: int = 2, each: int = 10, damaged: int = 2) -> Path:
    """Colour images of mixed sizes; the first ones of the first class cannot be read."""
    for number in range(classes):
        place = Path(folder, f"kind {number}")
        place.mkdir(parents=True)
        for shot in range(each):
            sides = GENERATOR.integers(30, 90, 2)
            Image.fromarray(GENERATOR.integers(0, 256, (*sides, 3), np.uint8)).save(place / f"{shot}.jpg")
    for shot in range(damaged):
        Path(folder, "kind 0", f"{shot}.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return Path(folder)


def test_scans_get_one_window_that_holds_the_ink():
    experiment = load_experiment(write_new_experiment(grey_scans(), None, QUIET))
    how = experiment.data.preprocessing
    assert (how.channels, how.framing, how.invert) == (1, "window", "auto")
    top, left, bottom, right = how.window
    assert 0.2 < top < 27 / 90 and 60 / 90 < bottom < 0.75
    assert 0.25 < left < 37 / 120 and 70 / 120 < right < 0.68


def test_photos_of_mixed_sizes_keep_their_colour_and_fill_the_frame():
    experiment = load_experiment(write_new_experiment(photos(), None, QUIET))
    how = experiment.data.preprocessing
    assert (how.channels, how.framing, how.invert) == (3, "stretch", False)


def test_small_grey_images_keep_their_size():
    experiment = load_experiment(write_new_experiment(grey_scans(size=(28, 28)), None, QUIET))
    assert experiment.data.preprocessing.size == [28, 28]


@pytest.mark.parametrize("make", [grey_scans, photos])
def test_the_written_experiment_can_be_prepared(make):
    output = write_new_experiment(make(), None, QUIET)
    data = prepare(load_experiment(output).data)
    assert all(len(set(split.labels)) == len(data.class_names) for split in data.splits.values())


@pytest.mark.parametrize(("classes", "each"), [(2, 3), (5, 3), (10, 4), (3, 4), (10, 5), (20, 6), (2, 200)])
def test_every_class_is_in_every_split_however_few_images_there_are(classes, each):
    output = write_new_experiment(grey_scans(classes=classes, each=each, size=(8, 8)), None, QUIET)
    data = prepare(load_experiment(output).data)
    assert [len(set(split.labels)) for split in data.splits.values()] == [classes] * 3


def test_the_file_explains_itself_and_is_named_after_the_folder():
    output = write_new_experiment(grey_scans(), None, QUIET)
    assert output == Path("scans.yaml")
    text = output.read_text()
    assert text.startswith("# Image classification with 3 classes.")
    assert "python -m kerasexp run scans.yaml" in text
    assert text.count("#") >= 5
    assert load_experiment(output).name == "scans"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my scans", "my_scans"),
        (".hidden", "hidden"),
        ("été", None),
        ("手写", None),
        ("été 2", None),
        ("a" * 150, None),
    ],
)
def test_a_folder_of_any_name_gives_an_experiment_that_loads(folder, name):
    output = write_new_experiment(grey_scans(folder), None, QUIET)
    experiment = load_experiment(output)
    assert name is None or experiment.name == name
    assert Path(experiment.data.path) == Path(folder).resolve()


def test_a_dot_in_the_name_of_a_folder_begins_no_ending():
    assert write_new_experiment(grey_scans("v1.2"), None, QUIET) == Path("v1.2.yaml")


def test_the_command_that_runs_the_file_can_be_typed(capsys):
    text = write_new_experiment(grey_scans(), Path("my scans.yaml"), Console()).read_text()
    command = "python -m kerasexp run 'my scans.yaml'"
    assert f"# Run it with: {command}\n" in text and f"run it with: {command}" in capsys.readouterr().out


@pytest.mark.parametrize("output", ["my scans.yaml", "new folder/été.yaml", "deep/down/x.yaml"])
def test_the_file_may_be_anywhere(output):
    written = write_new_experiment(grey_scans(), Path(output), QUIET)
    assert written == Path(output)
    assert Path(load_experiment(written).data.path) == Path("scans").resolve()


def test_a_folder_beside_the_file_is_a_relative_path(tmp_path):
    grey_scans("work/scans")
    text = write_new_experiment(Path("work/scans"), Path("work/exp.yaml"), QUIET).read_text()
    assert "path: scans\n" in text and str(tmp_path) not in text


def test_an_archive_is_examined_without_unpacking_it():
    folder = grey_scans()
    with zipfile.ZipFile("archive.zip", "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file)
    experiment = load_experiment(write_new_experiment(Path("archive.zip"), None, QUIET))
    assert experiment.data.path.endswith("archive.zip") and experiment.data.preprocessing.framing == "window"


def test_existing_splits_are_used():
    grey_scans("all/train")
    grey_scans("all/test", each=2)
    experiment = load_experiment(write_new_experiment(Path("all"), None, QUIET))
    assert experiment.data.test is None
    assert {name: len(split) for name, split in prepare(experiment.data).splits.items()}["test"] == 6


def test_the_findings_are_printed(capsys):
    write_new_experiment(photos(damaged=2), None, Console())
    output = capsys.readouterr().out
    assert "left out: kind 0/0.jpg: " in output and "left out: kind 0/1.jpg: " in output
    assert "train: 20 images in 2 classes, 10 per class" in output
    assert "100% in colour" in output
    assert "2 of 20 examined images cannot be read" in output
    assert "run it with: python -m kerasexp run photos.yaml" in output


# What cannot be learned from


def test_an_existing_file_is_not_overwritten():
    Path("scans.yaml").write_text("seed: 1")
    with pytest.raises(UserError, match=r"scans\.yaml: already exists"):
        write_new_experiment(grey_scans(), None, QUIET)
    assert Path("scans.yaml").read_text() == "seed: 1"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: grey_scans(each=2), r"fewer than 3 images .*Sample000 \(2\), Sample001 \(2\)"),
        (lambda: grey_scans(classes=1), "only one class"),
        (lambda: photos(each=3, damaged=1), r"fewer than 3 images .*kind 0 \(2\)"),
        (lambda: Path("nowhere"), "no such file or folder"),
        (lambda: Path(__file__), "neither a folder nor a zip archive"),
    ],
    ids=["too few", "one class", "too few that can be read", "missing", "no archive"],
)
def test_unusable_images_are_refused_and_nothing_is_written(make, reason):
    folder = make()
    with pytest.raises(UserError, match=reason):
        write_new_experiment(folder, Path("exp.yaml"), QUIET)
    assert not Path("exp.yaml").exists()


def test_images_that_are_all_unreadable_are_refused():
    folder = grey_scans()
    for file in folder.rglob("*.png"):
        file.write_text("no image")
    with pytest.raises(UserError, match="none of the 24 images can be read; the first is "):
        write_new_experiment(folder, None, QUIET)


def test_images_of_unsupported_formats_are_refused_in_a_line_for_each_kind(cli):
    folder = grey_scans()
    for number, file in enumerate(sorted(folder.rglob("*.png"))):
        suffix = ".ppm" if number % 4 == 3 else ".tga"
        Image.open(file).save(file.with_suffix(suffix), "PPM")
        file.unlink()
    answer = cli("new", folder)
    assert (answer.code, answer.out) == (2, "")
    advice = f"the file is Netpbm; supported formats: {SUPPORTED}; convert it, best to PNG"
    assert answer.err.splitlines() == [
        f"error: {folder}: none of the 24 images can be read; the first is Sample000/0.tga: {advice}",
        f"18 .tga, such as Sample000/0.tga: {advice}",
        f"6 .ppm, such as Sample000/3.ppm: {advice}",
    ]
    for file in folder.rglob("*.ppm"):
        file.unlink()
    answer = cli("new", folder)
    assert answer.code == 2 and len(answer.err.splitlines()) == 1


def test_of_many_unreadable_images_among_readable_ones_a_few_are_listed(cli):
    folder = grey_scans()
    for file in sorted(folder.rglob("*.png"))[:7]:
        Image.open(file).save(file.with_suffix(".pgm"))
    answer = cli("new", folder)
    assert answer.code == 0, answer.err
    listed = [line for line in answer.out.splitlines() if line.startswith("left out: ")]
    assert len(listed) == 4 and listed[3].startswith("left out: 4 more (4 .pgm): the file is Netpbm; supported formats")


def test_an_unwritable_place_is_a_user_error():
    Path("file").write_text("")
    with pytest.raises(UserError):
        write_new_experiment(grey_scans(), Path("file/exp.yaml"), QUIET)


def test_a_file_that_cannot_be_written_is_a_user_error(monkeypatch):
    def refuse(path: Path, text: str) -> None:
        raise RunError(f"{path}: cannot be written: Permission denied")

    monkeypatch.setattr("kerasexp.config.new_file.write_text", refuse)
    with pytest.raises(UserError, match=r"exp\.yaml: cannot be written: Permission denied"):
        write_new_experiment(grey_scans(), Path("exp.yaml"), QUIET)


def test_the_working_folder_is_no_file_to_write(cli):
    answer = cli("new", grey_scans(), "--output", ".")
    assert answer.code == 2 and ".: already exists" in answer.err
