"""`predict --page`: the order of the images, what is known of them, and that the page holds everything itself."""

import re
import shutil
import weakref
from pathlib import Path

import pytest

from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.evaluation.file_predictions import ImageFile, image_files, predict_files
from kerasexp.saving.fitted_values import read_calibration, write_calibration
from kerasexp.serving.predictions_page import write_predictions_page


@pytest.fixture
def run(cli, tiny_yaml) -> Path:
    return Path(cli("run", tiny_yaml).last_line)


def headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="[^"]*">([^<]*)</h2>', page)


def test_mistakes_come_first_where_folders_have_the_names_of_classes(cli, run):
    answer = cli("predict", run, "images", "--page", "answers.html", "--format", "csv")
    assert answer.code == 0 and "page: answers.html" in answer.err
    page = Path("answers.html").read_text()
    assert headings(page) == ["Wrong", "Right"]
    wrong = len(re.findall(r'<span class="faint">is ', page))
    right, count = map(int, re.search(r"<strong>(\d+)</strong> of (\d+) images", page).groups())
    assert count == answer.out.count("\n") - 1 and wrong == count - right
    assert page.count('<article class="card">') == count and page.count("evidence for ") >= count
    assert "http" not in re.sub("base64,[A-Za-z0-9+/=]*", "", page).replace("http-equiv", "")
    shown = [float(card.split('value="')[1].split('"')[0]) for card in page.split('<article class="card">')[1:]]
    assert shown[:wrong] == sorted(shown[:wrong], reverse=True) and shown[wrong:] == sorted(shown[wrong:])


def test_unknown_images_have_a_group_and_do_not_count_as_mistakes(cli, run):
    write_calibration(run / "checkpoint", read_calibration(run / "checkpoint").temperature, 1.0)
    assert cli("predict", run, "images", "--page", "answers.html").code == 0
    page = Path("answers.html").read_text()
    assert "Wrong" not in headings(page) and "Unknown" in headings(page)


def test_without_names_of_classes_no_truth_is_claimed(cli, run):
    shutil.copytree("images", "new images")
    files = [path for path in sorted(Path("new images").rglob("*")) if path.is_file()]
    Path("mixed").mkdir()
    for number, path in enumerate(files):
        shutil.copy(path, f"mixed/{number}{path.suffix}")
    assert cli("predict", run, "mixed", "--page", "answers.html").code == 0
    page = Path("answers.html").read_text()
    assert headings(page) == ["Answered"] and "right" not in page.split("</h1>")[1].split("<h2")[0]


def test_large_images_are_not_kept(run, monkeypatch):
    ensemble, files = load_ensemble([run]), image_files([Path("images")])
    predictions = predict_files(ensemble, files, 3)
    pixels, read = ImageFile.pixels, []

    def watched(file, *arguments):
        image = pixels(file, *arguments)
        read.append(weakref.ref(image))
        assert sum(reference() is not None for reference in read) <= 2  # this one, and the one before it
        return image

    monkeypatch.setattr(ImageFile, "pixels", watched)
    write_predictions_page(Path("answers.html"), ensemble, files, predictions)
    assert len(read) == len(files) > 20


def test_a_long_page_is_cut_and_says_so(cli, run, monkeypatch):
    monkeypatch.setattr("kerasexp.serving.predictions_page.MOST", 3)
    assert cli("predict", run, "images", "--page", "answers.html").code == 0
    page = Path("answers.html").read_text()
    assert page.count('<article class="card">') == 3 and "images are not shown" in page


@pytest.mark.parametrize(
    ("given", "message"), [("answers.txt", "must end in .html"), ("absent/answers.html", "no such folder")]
)
def test_a_page_that_cannot_be_written_is_refused_at_once(cli, run, given, message):
    answer = cli("predict", run, "images", "--page", given)
    assert answer.code == 2 and message in answer.err and answer.out == ""
