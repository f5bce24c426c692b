"""Names that stand for experiments and checkpoints: what is found, what comes first, and what is said."""

import errno
import shutil
from pathlib import Path

import pytest

from kerasexp.config import load
from kerasexp.config.experiment_catalog import experiments_in, named_experiment, shipped_experiments
from kerasexp.config.shipped_files import shipped_checkpoints, shipped_folder
from kerasexp.config.study_section import resolved_yaml

OWN = "data: digits\nmodel: mlp\n"


def test_each_experiment_has_the_name_of_its_file_and_bases_have_none():
    names = shipped_experiments()
    assert {"part1_digits", "mlp/mlp", "tiny_imagenet/losses"} <= names.keys()
    assert not any("_base" in name or name.endswith(".yaml") for name in names)
    assert set(shipped_checkpoints()) == {"part1_scans", "part2_pretrained", "tiny_imagenet"}


def test_a_shipped_experiment_loads_by_its_name(cli):
    assert load("part1_digits") == load(shipped_folder("experiments") / "part1_digits.yaml")
    assert "name: mlp" in cli("show", "mlp/mlp").out


@pytest.mark.parametrize("place", ["part1_digits.yaml", "part1_digits.yml", "experiments/part1_digits.yaml"])
def test_a_file_of_ones_own_comes_first_and_is_said(cli, write, place):
    write(OWN, place)
    answer = cli("show", "part1_digits")
    assert "source: digits" in answer.out
    assert answer.err == f"part1_digits is {place} here; the shipped experiment of this name is not used\n"
    # A path is no name.
    assert cli("show", place).err == ""


def test_a_name_of_ones_own_alone_needs_no_word(cli, write):
    write(OWN, "experiments/deep/mine.yaml")
    answer = cli("show", "deep/mine")
    assert (answer.code, answer.err) == (0, "") and "name: mine" in answer.out


def test_a_folder_of_the_same_name_hides_nothing(cli):
    Path("part1_digits").mkdir()
    assert cli("show", "part1_digits").code == 0
    Path("other").mkdir()
    assert "other: is a folder; an experiment is a YAML file" in cli("show", "other").err


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("part2_pretraind", "part2_pretrained"), ("mlp/ml", "mlp/mlp"), ("experiments/part1_digits.yaml", "part1_digits")],
)
def test_an_unknown_name_has_a_closest_one(cli, given, nearest):
    answer = cli("run", given)
    assert answer.code == 2 and "no such file" in answer.err and f"did you mean '{nearest}'?" in answer.err
    assert "`list` shows" in answer.err


@pytest.mark.parametrize(
    "name", ["/part1_digits", "../part1_digits", "part1_digits.yaml", "_base/mnist", ".", "", "a\0b", "x" * 300]
)
def test_what_is_no_name(name):
    assert named_experiment(name) is None


def test_bases_and_upstream_experiments_may_be_shipped_ones(cli, write):
    path = write("base: part2_random\ninit: {experiment: part1_digits}\ntraining: {epochs: 1}\n", "mine.yaml")
    experiment = load(path)
    assert experiment.init.experiment == load("part1_digits") and experiment.training.epochs == 1
    answer = cli("show", write("base: part2_randm\n"))
    assert answer.code == 2 and "did you mean 'part2_random'?" in answer.err


def test_list_shows_names_of_ones_own_and_shipped_ones(cli, write):
    write("# Whose?\n" + OWN, "experiments/deep/mine.yaml")
    lines = cli("list").out.splitlines()
    assert lines[:2] == ["experiments in ./experiments", "  deep/mine  Whose?"]
    assert any(line.startswith("  part1_digits  ") for line in lines)
    assert [line.partition(":")[0] for line in lines[-3:]] == ["  part1_scans", "  part2_pretrained", "  tiny_imagenet"]


def test_the_shipped_folder_itself_is_listed_once(cli, monkeypatch):
    monkeypatch.chdir(shipped_folder("experiments").parent)
    out = cli("list").out
    assert "./experiments" not in out and out.count("  part1_digits  ") == 1


def test_checkpoints_have_names_too(cli, images):
    shipped = cli("predict", "part1_scans", "images/disc/00.png")
    assert (shipped.code, shipped.err) == (0, "")
    answer = cli("predict", "part1_scan", "images/disc/00.png")
    assert answer.code == 2 and "did you mean 'part1_scans'?" in answer.err
    Path("part1_scans").mkdir()  # no checkpoint: of a run, or of data
    assert cli("predict", "part1_scans", "images/disc/00.png").out == shipped.out
    shutil.rmtree("part1_scans")
    shutil.copytree(shipped_folder("checkpoints") / "part1_scans", "part1_scans")
    own = cli("predict", "part1_scans", "images/disc/00.png")
    assert own.out == shipped.out and "the shipped checkpoint of this name is not used" in own.err


@pytest.mark.parametrize("name", sorted(shipped_experiments()))
def test_a_copy_of_an_example_is_the_same_experiment_and_lies_anywhere(cli, name):
    answer = cli("new", "--example", name)
    copy = Path(answer.last_line)
    assert answer.code == 0 and copy == Path(f"{Path(name).name}.yaml")
    assert resolved_yaml(load(copy)) == resolved_yaml(load(shipped_experiments()[name]))
    text = copy.read_text()
    assert f"Copied from kerasexp's {name}" in text and "base:" not in text and "$schema" not in text


def test_a_copy_under_another_name_and_what_new_refuses(cli):
    assert cli("new", "--example", "mlp/mlp", "--output", "deep/own.yaml").last_line == "deep/own.yaml"
    assert load("deep/own.yaml").name == "own" and list(experiments_in(Path("deep"))) == ["own"]
    again = cli("new", "--example", "mlp/mlp", "--output", "deep/own.yaml")
    assert again.code == 2 and "already exists" in again.err
    unknown = cli("new", "--example", "part1_digit")
    assert (
        unknown.code == 2 and "--example: no such example: 'part1_digit'; did you mean 'part1_digits'?" in unknown.err
    )
    assert "neither is given" in cli("new").err and "both are given" in cli("new", "images", "--example", "mlp/mlp").err


def test_a_copy_that_cannot_be_written_is_refused(cli, monkeypatch):
    def refuse(**place: object):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("kerasexp.storage.tempfile.mkstemp", refuse)
    answer = cli("new", "--example", "mlp/mlp")
    assert answer.code == 2 and "mlp.yaml: cannot be written: Permission denied" in answer.err


def test_diagnose_takes_a_name(monkeypatch):
    from kerasexp.diagnosis.target import resolve_target

    assert resolve_target("part1_digits", None, []).experiment.name == "part1_digits"
    assert resolve_target("mnist", None, []).experiment.data.source == "mnist"
