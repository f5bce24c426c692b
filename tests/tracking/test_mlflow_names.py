"""What MLflow accepts as names and values, and addresses of its stores; none of it needs MLflow."""

from __future__ import annotations

import os

import pytest

from kerasexp.tracking import mlflow_tracker
from kerasexp.tracking.mlflow_tracker import LONGEST_KEY


def test_names_have_the_characters_that_mlflow_takes_and_stay_different():
    given = {"data.class_names.дом": 1, "data.class_names.лес": 2, "a(b)": 3, "a[b]": 4, "x" * 300: 5, "x" * 301: 6}
    names = [name for name, _ in mlflow_tracker._keys(given)]
    assert names[:4] == ["data.class_names.___", "data.class_names.____2", "a_b_", "a_b__2"]
    assert len(set(names)) == len(given) and max(map(len, names)) <= LONGEST_KEY


def test_values_are_cut_to_what_servers_take():
    text = mlflow_tracker._cut("x" * 600, 500)
    assert len(text) == 500 and text.endswith("...") and mlflow_tracker._cut("short", 500) == "short"


@pytest.mark.parametrize(
    ("value", "text"), [("adam", "adam"), (None, "null"), (True, "true"), (0.001, "0.001"), ([3, "é"], '[3, "é"]')]
)
def test_values_are_written_as_in_the_file(value, text):
    assert mlflow_tracker._text(value) == text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "https://host/mlflow", "databricks", "databricks://profile"])
def test_addresses_of_servers_stay(uri):
    assert mlflow_tracker._absolute(uri) == uri


@pytest.mark.parametrize(("uri", "scheme"), [("sqlite:///mlflow.db", "sqlite:///"), ("mlruns", "")])
def test_a_store_on_this_machine_is_the_same_in_any_folder(uri, scheme):
    path = uri.removeprefix(scheme)
    assert mlflow_tracker._absolute(uri) == scheme + os.path.abspath(path)
    assert mlflow_tracker._absolute(scheme + os.path.abspath(path)) == scheme + os.path.abspath(path)


@pytest.mark.parametrize(("uri", "file"), [("sqlite:///mlflow.db", "mlflow.db"), ("./mlruns", "mlruns")])
def test_a_relative_store_stays_in_the_folder_from_which_a_run_was_sent_first(tmp_path, monkeypatch, uri, file):
    first = mlflow_tracker._store(uri, None)
    assert first == mlflow_tracker._absolute(uri)
    (tmp_path / file).touch()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert mlflow_tracker._store(uri, first) == first
    # Another name is another store, and a folder that was moved took its store along.
    assert mlflow_tracker._store(f"{uri}2", first) == mlflow_tracker._absolute(f"{uri}2")
    (tmp_path / file).unlink()
    assert mlflow_tracker._store(uri, first) == mlflow_tracker._absolute(uri) != first


def test_addresses_of_other_stores_go_before_the_one_of_before():
    assert mlflow_tracker._store("http://127.0.0.1:5000", "http://127.0.0.1:4000") == "http://127.0.0.1:5000"
    assert mlflow_tracker._store("mlflow.db", "sqlite:////data/mlflow.db") == os.path.abspath("mlflow.db")
