"""Runs that start from the weights of other runs."""

import json
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config import load_experiment
from kerasexp.console import QuietConsole
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.run import run_upstream
from kerasexp.storage import write_json

# Each of these makes whole runs.
pytestmark = pytest.mark.slow


@pytest.fixture
def chain(tmp_path, tiny_yaml) -> Path:
    path = tmp_path / "second.yaml"
    path.write_text("base: tiny.yaml\ninit: {experiment: tiny.yaml, layers: all_but_head}\ntraining: {epochs: 1}\n")
    return path


def test_the_upstream_runs_first_and_is_reused(cli, chain):
    first = cli("run", chain)
    assert (
        first.code == 0 and "tiny, which second starts from" in first.out and "run directory: runs/tiny/1" in first.out
    )
    assert sorted(p.as_posix() for p in Path("runs").glob("*/*")) == ["runs/second/1", "runs/tiny/1"]
    second = cli("run", chain)
    assert "starting from runs/tiny/1" in second.out and "run directory: runs/tiny" not in second.out
    manifest = json.loads(Path("runs/second/2/manifest.json").read_text())
    assert manifest["init"]["run"] == "runs/tiny/1"
    assert manifest["init"]["layers"] == ["block_1_conv_1", "block_1_conv_1_norm", "block_2_conv_1"]
    page = Path("runs/second/2/report.html").read_text()
    assert "Initial weights: run runs/tiny/1 (block_1_conv_1, block_1_conv_1_norm, block_2_conv_1)." in page


def test_the_page_names_the_first_and_the_last_of_many_layers(cli, chain, tiny_yaml):
    two = "{filters: 8, pool: 2}"
    tiny_yaml.write_text(tiny_yaml.read_text().replace(two, "{filters: 4, convolutions: 4, batch_norm: true}"))
    run = Path(cli("run", chain).last_line)
    assert "(10 layers, from block_1_conv_1 to block_2_conv_4_norm)." in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_changed_upstream_runs_again(cli, chain, tiny_yaml):
    cli("run", chain)
    tiny_yaml.write_text(tiny_yaml.read_text().replace("epochs: 3", "epochs: 2"))
    assert "run directory: runs/tiny/2" in cli("run", chain).out
    assert Path("runs/tiny/2").is_dir()


@pytest.mark.slow
def test_an_unfinished_upstream_is_not_used(cli, chain):
    cli("run", chain)
    manifest = Path("runs/tiny/1/manifest.json")
    manifest.write_text(manifest.read_text().replace('"finished"', '"running"'))
    assert "run directory: runs/tiny/2" in cli("run", chain).out


def test_an_upstream_that_another_process_runs_is_waited_for(chain, monkeypatch):
    place, held, said = RunDirectory.create("tiny", None), ExitStack(), []
    held.enter_context(place.locked())

    class Listening(QuietConsole):
        """The other process ends when this one says that it waits."""

        def line(self, text):
            said.append(text)
            held.close()

    def run(request, console):
        with place.locked():
            write_json(place.manifest, {"key": "of the run"})
            return place

    monkeypatch.setattr("kerasexp.runs.run._run", run)
    upstream = run_upstream(load_experiment(chain), Listening(), resume=True)
    assert upstream.run is place and upstream.key == "of the run"
    assert said == ["waiting for runs/tiny/1, which another process is running"]


def test_frozen_layers_keep_the_upstream_weights(cli, chain):
    run = Path(cli("run", chain, "--set", "init.freeze=[block_*]").last_line)
    ours, theirs = (keras.models.load_model(r / "checkpoint" / "model.keras") for r in (run, Path("runs/tiny/1")))
    for name in ("block_1_conv_1", "block_2_conv_1"):
        for one, other in zip(ours.get_layer(name).get_weights(), theirs.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(ours.get_layer("logits").get_weights()[0], theirs.get_layer("logits").get_weights()[0])


@pytest.mark.slow
def test_the_saved_chain_repeats_the_run_with_no_other_file(cli, chain, tiny_yaml):
    first = Path(cli("run", chain).last_line)
    chain.unlink()
    tiny_yaml.unlink()
    second = Path(cli("run", first / "experiment.yaml").last_line)
    assert (first / "predictions.csv").read_text() == (second / "predictions.csv").read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("init.layers=[block_9_conv_1]", "block_9_conv_1"),
        ("init.freeze=[conv*]", "conv*"),
        ("model.blocks.0.filters=16", "(3, 3, 1, 16)"),
        ("init.layers=most", "most"),
    ],
)
def test_what_does_not_fit_the_upstream_is_told(cli, chain, change, told):
    answer = cli("run", chain, "--set", change)
    assert answer.code == 2 and told in answer.err and "init." in answer.err
    assert not Path("runs/second").exists()


def test_an_experiment_that_starts_from_itself_is_refused(cli, chain):
    chain.write_text("init: {experiment: second.yaml}\n")
    answer = cli("run", chain)
    assert answer.code == 2 and "second.yaml -> second.yaml" in answer.err
