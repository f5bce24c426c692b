"""The section `track`: words, lists and mappings; what is the same for all runs of a study or a search."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kerasexp.config import load, load_experiment, resolved_yaml
from kerasexp.config.schema import experiment_schema
from kerasexp.config.study_section import result_yaml
from kerasexp.config.track_section import Mlflow, Wandb
from kerasexp.errors import UserError, without_credentials
from kerasexp.search.directory import identity_of


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a text."""

    def load_text(text: str, *overrides: str, read=load):
        (tmp_path / "one.yaml").write_text(text)
        return read(Path("one.yaml"), overrides)

    return load_text


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("{}", {}),
        ("track: tensorboard", {}),
        ("track: mlflow", {"mlflow": Mlflow()}),
        ("track: [mlflow, tensorboard, wandb]", {"mlflow": Mlflow(), "wandb": Wandb()}),
        ("track: {mlflow: {experiment: nets}}", {"mlflow": Mlflow(experiment="nets")}),
        ("track: [wandb, {mlflow: {experiment: nets}}]", {"mlflow": Mlflow(experiment="nets"), "wandb": Wandb()}),
    ],
)
def test_words_lists_and_mappings(loaded, text, remote):
    found = loaded(text, read=load_experiment)
    assert found.track.remote == remote
    assert load(Path("one.yaml"), [f"track={json.dumps(found.track.model_dump())}"]).track == found.track


@pytest.mark.parametrize("before", ["track: mlflow", "track: [mlflow, wandb]", "{}"])
def test_a_key_may_be_set_where_a_word_stands(loaded, before):
    found = loaded(before, "track.mlflow.uri=http://here", read=load_experiment).track
    assert found.mlflow == Mlflow(uri="http://here") and (found.wandb is None) == ("wandb" not in before)


def test_a_file_adds_keys_to_the_words_of_its_base(tmp_path):
    (tmp_path / "base.yaml").write_text("track: [mlflow, wandb]\n")
    (tmp_path / "own.yaml").write_text("base: base.yaml\ntrack: {wandb: {mode: offline}}\n")
    assert load(tmp_path / "own.yaml").track.remote == {"mlflow": Mlflow(), "wandb": Wandb(mode="offline")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track: mlfow", "track: got 'mlfow'; did you mean 'mlflow'?; allowed: mlflow, wandb, tensorboard"),
        ("track: [mlflow, wandbb]", "track: got 'wandbb'; did you mean 'wandb'?"),
        ("track: {mlfow: {}}", "track.mlfow: unknown key 'mlfow'; did you mean 'mlflow'?"),
        ("track: {mlflow: {url: x}}", "track.mlflow.url: unknown key 'url'; did you mean 'uri'?"),
        ("track: {wandb: {mode: offlin}}", "got 'offlin'; did you mean 'offline'?; allowed: online, offline"),
        ("track: {tensorboard: false}", "track.tensorboard: got False; allowed: True"),
        ("track: 3", "track: got 3"),
        ("track: []", "track: got []"),
        ("variants: {a: {track: mlflow}}", "track: in variant 'a': is the same for all variants"),
        ("variants: {a: {track.mlflow.uri: x}, b: {}}", "track.mlflow.uri: in variant 'a': is the same for all"),
        ("track: {choice: [mlflow, wandb]}", "track: cannot be searched"),
    ],
)
def test_mistakes_are_named(loaded, text, message):
    with pytest.raises(UserError) as error:
        loaded(text)
    # Where all variants have a problem, it is not said of which variant it is.
    assert message.replace("in variant 'a': ", "") in str(error.value).replace("in variant 'a': ", "")


PASSWORDS = [
    "http://me:secret@host",
    "http://secret@host",
    "https://me:sec@ret@host/path",
    "mysql://me:sec/ret@db/runs",
]


@pytest.mark.parametrize("uri", PASSWORDS)
def test_an_address_with_a_password_is_refused_and_not_repeated(loaded, uri):
    for text in (f"track: {{mlflow: {{uri: '{uri}'}}}}", f"track: '{uri}'"):
        with pytest.raises(UserError) as error:
            loaded(text)
        assert not re.search("sec.?ret", str(error.value))
    assert "MLFLOW_TRACKING_PASSWORD" in str(load_error(loaded, uri))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:se/cret@db/mlflow", "postgresql://db/mlflow"),
        ("got 'postgresql://me:se/c?ret@db:5432/mlflow'", "got 'postgresql://db:5432/mlflow'"),
        ("git+ssh://git@host:22/own@v1", "git+ssh://host:22/own@v1"),
        *((text, text) for text in ("http://host:5000/a@b", "https://host/a@b", "sqlite:////runs/a:b@c", "me@host:x")),
    ],
)
def test_addresses_are_shown_without_credentials(text, shown):
    assert without_credentials(text) == shown


def load_error(loaded, uri):
    with pytest.raises(UserError) as error:
        loaded("{}", f"track.mlflow.uri={uri}")
    return error.value


def test_a_study_is_written_with_its_trackers_and_is_the_same_study_without(loaded):
    text = "variants: {a: {}, b: {model: mlp}}\nseeds: [0, 1]\n"
    plain, tracked = loaded(text), loaded(f"track: mlflow\n{text}")
    assert result_yaml(tracked) == result_yaml(plain) and "track" not in result_yaml(plain)
    assert loaded(resolved_yaml(tracked)) == tracked and tracked.track.mlflow is not None


def test_a_search_is_the_same_search_without_its_trackers(loaded):
    text = "training: {batch_size: {choice: [8, 16]}}\n"
    plain, tracked = loaded(text), loaded(f"track: [mlflow, wandb]\n{text}")
    assert identity_of(tracked) == identity_of(plain)
    assert list(tracked.track.remote) == ["mlflow", "wandb"]
    assert tracked.experiment({"training.batch_size": 8}).track == tracked.track


def test_the_schema_takes_words_lists_and_mappings():
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(experiment_schema())
    for good in ("mlflow", ["mlflow", "wandb"], [{"mlflow": {"uri": "http://x"}}], {"wandb": None}):
        assert schema.is_valid({"track": good}), good
    for bad in ("mlfow", [], ["mlfow"], {"mlflow": {"url": "x"}}, 3):
        assert not schema.is_valid({"track": bad}), bad
