"""Paths in a table and the files that they mean."""

import pytest

from kerasexp.data.file_matching import MISSING, SHARED_NAME, FileMatching, match_files

FILES = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/3.png"]


def match(texts: list[str], paths: list[str] = FILES, base: str = "/data/images") -> FileMatching:
    return match_files(texts, paths, "/data/images", base)


@pytest.mark.parametrize(
    "text",
    [
        "cat/1.png",
        "./cat/1.png",
        "dog/../cat/1.png",
        "cat\\1.png",
        ".\\cat\\1.png",
        "/data/images/cat/1.png",
        "cat//1.png",
        "cat/1",
        "../images/cat/1.png",
    ],
)
def test_a_path_however_it_is_written(text):
    assert match([text]) == FileMatching({text: "cat/1.png"}, {}, {})


def test_paths_that_start_above_the_images():
    assert match(["images/cat/1.png"], base="/data").found == {"images/cat/1.png": "cat/1.png"}


def test_a_backslash_may_be_a_character_of_a_name():
    assert match(["a\\b.png"], ["a\\b.png", "a/b.png"]).found == {"a\\b.png": "a\\b.png"}


def test_names_are_compared_in_composed_form():
    assert match(["cafe\u0301.png"], ["caf\u00e9.png"]).found == {"cafe\u0301.png": "caf\u00e9.png"}


@pytest.mark.parametrize("text", ["Img/3.png", "C:\\scans\\3.png", "/kaggle/input/3.png", "../3.png", "3"])
def test_a_path_of_another_place_is_found_by_its_name(text):
    assert match([text]) == FileMatching({text: "dog/3.png"}, {text: "dog/3.png"}, {})


def test_of_several_files_of_a_name_the_one_in_the_same_folders_is_meant():
    texts = ["/kaggle/dog/1.png", "/kaggle/cat/1.png"]
    assert match(texts).found == dict(zip(texts, ["dog/1.png", "cat/1.png"], strict=True))


def test_a_name_that_several_files_have_is_not_guessed():
    assert match(["Img/1.png", "Img/4.png"]).lost == {"Img/1.png": SHARED_NAME, "Img/4.png": MISSING}


def test_two_rows_cannot_have_one_file_by_its_name():
    found = match(["a/3.png", "b/3.png", "a/2.png"])
    assert found.found == {"a/2.png": "cat/2.png"}
    assert found.lost == {"a/3.png": SHARED_NAME, "b/3.png": SHARED_NAME}


def test_where_paths_are_right_a_missing_file_is_not_looked_for_elsewhere():
    found = match(["cat/1.png", "cat/2.png", "cat/3.png"])
    assert found.lost == {"cat/3.png": MISSING} and not found.by_name


def test_a_file_at_its_path_is_not_taken_by_a_name():
    assert match(["dog/3.png", "x/3.png", "y/2.png"]).lost == {"x/3.png": MISSING}


def test_a_name_without_extension_means_one_image():
    assert match(["1"], ["1.png", "1.txt"]).found == {"1": "1.png"}
    assert match(["1"], ["1.png", "1.jpg"]).lost == {"1": SHARED_NAME}
