"""`reproduce`: the same run again, or what differs."""

import json
import shutil
from pathlib import Path

import pytest

from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.reproduction import changes_now
from kerasexp.storage import write_json


@pytest.fixture
def finished(cli, tiny_yaml) -> RunDirectory:
    return RunDirectory(Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line))


def test_a_run_is_reproduced_to_the_last_digit(cli, finished):
    # As on another machine: the folder alone.
    place = shutil.copytree(finished.path, "elsewhere")
    answer = cli("reproduce", place)
    assert answer.code == 0, answer.err
    assert "nothing that was recorded differs now" in answer.out.splitlines()[0]
    assert "numbers, to the last digit; predictions.csv is the same, byte for byte" in answer.out
    again = RunDirectory(Path(answer.last_line))
    assert again.path == Path("runs/tiny/2") and again.read_manifest()["key"] == finished.read_manifest()["key"]
    assert again.read_manifest()["reproduction"] == {
        "of": "elsewhere", "is_same": True, "surroundings": [], "metrics": [],
    }  # fmt: skip
    assert again.read_manifest()["provenance"]["command"][:2] == ["kerasexp", "reproduce"]
    answer = cli("reproduce", place, "--run-dir", again.path)
    assert answer.code == 2 and "is not an empty folder" in answer.err


def test_what_differs_is_named(cli, finished):
    metrics = json.loads(finished.metrics.read_text())
    metrics["test"]["loss"] += 1e-12
    write_json(finished.metrics, metrics)
    manifest = finished.read_manifest()
    manifest["versions"]["numpy"] = "1.0"
    manifest["provenance"]["packages"].append("gone==1.0")
    manifest["provenance"]["environment"]["CUDA_VISIBLE_DEVICES"] = "7"
    manifest["data"]["fingerprint"] = "other"
    write_json(finished.manifest, manifest)
    answer = cli("reproduce", finished.path)
    assert answer.code == 1
    assert (
        "differs now: numpy: 1.0 then, " in answer.out
        and "differs now: packages: gone==1.0 then, none now" in answer.out
    )
    assert "differs now: $CUDA_VISIBLE_DEVICES: 7 then, none now" in answer.out
    assert "1 of " in answer.out and f"test.loss: {metrics['test']['loss']!r} then, " in answer.out
    assert "data fingerprint: other then, " in answer.out
    recorded = json.loads((Path(answer.last_line) / "manifest.json").read_text())["reproduction"]
    assert recorded["is_same"] is False and [each["what"] for each in recorded["metrics"]] == ["test.loss"]


def test_check_runs_nothing(cli, finished):
    manifest = finished.read_manifest()
    del manifest["provenance"]  # as of an earlier version
    write_json(finished.manifest, manifest)
    answer = cli("reproduce", finished.path, "--check")
    assert (
        answer.code == 0
        and answer.out == "differs now: packages, git and environment: not recorded then, recorded now\n"
    )
    assert not Path("runs/tiny/2").exists()
    assert [change.what for change in changes_now(finished, manifest)] == ["packages, git and environment"]


def test_only_a_finished_run_is_reproduced(cli, finished):
    write_json(finished.manifest, {**finished.read_manifest(), "status": "failed"})
    answer = cli("reproduce", finished.path)
    assert answer.code == 2 and "is not finished" in answer.err and "--resume" in answer.err
    answer = cli("reproduce", "nowhere")
    assert answer.code == 2 and "no such run directory" in answer.err


@pytest.mark.slow
def test_runs_of_a_study_have_the_provenance_of_its_command(cli, tiny_yaml):
    Path("study.yaml").write_text("base: tiny.yaml\nseeds: [0, 1]\nvariants: {a: {}}\ntraining: {epochs: 1}\n")
    study = Path(cli("run", "study.yaml", "--jobs", 2).last_line)
    for seed in (0, 1):
        entry = json.loads((study / f"a/{seed}/manifest.json").read_text())["provenance"]
        assert entry["command"] == ["kerasexp", "run", "study.yaml", "--jobs", "2"]
        assert Path(entry["file"]).samefile("study.yaml")


@pytest.mark.slow
def test_a_resumed_run_keeps_where_it_began(cli, tiny_yaml):
    first = RunDirectory(Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line))
    before = first.read_manifest()["provenance"]
    cli("run", tiny_yaml, "--set", "training.epochs=2", "--resume")
    manifest = first.read_manifest()
    assert manifest["provenance"] == before and "--resume" in manifest["resumed_by"]["command"]
