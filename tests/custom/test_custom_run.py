"""Runs with code of a user's own: one of each kind, in a folder outside the project."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from user_code import FILES, write_code

import kerasexp.custom.trust as trust
from kerasexp.config import load_experiment
from kerasexp.custom.trust import trust_file


@pytest.fixture
def run(cli, tmp_path):
    """A function that runs the experiment and returns the run directory."""
    experiment = write_code(tmp_path / "mine")

    def made(*more: object, name: str = "run") -> Path:
        answer = cli("run", experiment, "--run-dir", tmp_path / name, *more)
        assert answer.code == 0, answer.err
        return Path(answer.last_line)

    return made


def image(path: Path) -> Path:
    page = np.full((12, 12), 30, np.uint8)
    page[6] = 200
    cv2.imwrite(str(path), page)
    return path


def weights(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / "checkpoint" / "model.keras", compile=False).get_weights()


def history(run: Path) -> list[list[str]]:
    rows = csv.DictReader((run / "history.csv").open())
    return [[value for key, value in row.items() if key != "seconds"] for row in rows]


def test_every_kind_of_code_takes_part_and_is_copied(run, tmp_path, cli):
    done = run()
    metrics = json.loads((done / "metrics.json").read_text())
    assert -1 <= metrics["val"]["kappa"] <= 1 and -1 <= metrics["test"]["kappa"] <= 1
    assert (tmp_path / "epochs.txt").read_text() == "0 1 2"
    copies = sorted(str(path.relative_to(done)) for path in done.rglob("*.py"))
    names = ("blocks", "my_callback", "my_changes", "my_loss", "my_metric", "my_net", "my_source")
    assert copies == [f"code/{name}.py" for name in names]
    manifest = json.loads((done / "manifest.json").read_text())
    assert {part["key"] for part in manifest["code"]} >= {"model", "training.loss", "data.source", "metrics.0"}
    assert all(len(part["sha256"]) == 64 for part in manifest["code"])
    resolved = (done / "experiment.yaml").read_text()
    assert "name: code/my_net.py:build" in resolved and "depth: 2" in resolved  # a default of the function
    # Without the originals, the copy is the code: the run is known again, and its page is drawn again.
    shutil.rmtree(tmp_path / "mine")
    answer = cli("run", done / "experiment.yaml", "--run-dir", done, "--resume")
    assert answer.code == 0 and "has finished already" in answer.out, answer.err
    assert cli("report", done).code == 0
    # Its layers are ordinary ones, so nobody needs its code to use it.
    assert not (done / "checkpoint" / "code.json").exists()
    trust_file().unlink()
    assert cli("predict", done, image(tmp_path / "line.png"), "--format", "json").code == 0


def test_evaluate_computes_the_metrics_of_the_run_if_their_code_is_trusted(run, tmp_path, cli):
    done = run()
    expected = json.loads((done / "metrics.json").read_text())["test"]["kappa"]
    source = f"{tmp_path / 'mine' / 'my_source.py'}:load"
    asked = ["evaluate", done, "--data", source, "--format", "json"]
    found = json.loads(cli(*asked, "--trust-code").out)
    assert -1 <= found["kappa"] <= 1 and isinstance(expected, float) and found["notes"] == []
    assert "\nkappa " in cli(*asked[:-1], "table").out
    # Somebody else, who trusts the source alone, is told what is missing, and how to get it.
    trust_file().unlink()
    trust._granted.clear()
    shutil.copytree(tmp_path / "mine", "theirs")
    asked[3] = "theirs/my_source.py:load"
    found = json.loads(cli(*asked).out)
    note = found["notes"][-1]
    assert "kappa" not in found and found["accuracy"] > 0
    assert "not trusted" in note and "code/my_metric.py:kappa" in note and "--trust-code" in note
    assert json.loads(cli(*asked, "--trust-code").out)["kappa"] == json.loads(cli(*asked).out)["kappa"]


def test_evaluate_names_what_it_cannot_read_of_the_run(run, tmp_path, cli):
    done = run("--set", "training.epochs=1")
    (done / "code" / "my_metric.py").unlink()
    answer = cli("evaluate", done, "--data", f"{tmp_path / 'mine' / 'my_source.py'}:load", "--trust-code")
    assert answer.code == 0 and "metrics of the run's own code are not computed" in answer.out, answer.err
    assert "my_metric.py" in answer.out and "accuracy" in answer.out


def test_a_stopped_run_ends_like_the_unbroken_one(run, tmp_path, monkeypatch):
    whole = run(name="whole")
    counted = (tmp_path / "epochs.txt").read_text()
    stopped = run("--set", "training.epochs=2", name="stopped")
    resumed = run("--resume", name="stopped")
    assert resumed == stopped and history(resumed) == history(whole)
    for ours, theirs in zip(weights(resumed), weights(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (tmp_path / "epochs.txt").read_text() == counted == "0 1 2"


def test_a_network_of_layers_without_names_starts_from_another_one(cli, tmp_path):
    text = """
from keras import layers


def build(images):
    return layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(images)))
"""
    folder = write_code(tmp_path / "mine", my_net__py=text).parent
    first = "data: digits\nmodel: my_net.py:build\ntraining: {epochs: 1}\nreport: {plots: false}\n"
    (folder / "first.yaml").write_text(first)
    (folder / "second.yaml").write_text("base: first.yaml\ninit: {experiment: first.yaml}\n")
    checked = cli("check", folder / "second.yaml")
    assert checked.code == 0, checked.err
    answer = cli("run", folder / "second.yaml")
    assert answer.code == 0, answer.err
    manifest = json.loads((Path(answer.last_line) / "manifest.json").read_text())
    assert manifest["init"]["layers"] == ["conv2d"]


def test_code_that_has_changed_makes_another_run(run, tmp_path, cli):
    run("--set", "training.epochs=1")
    blocks = tmp_path / "mine" / "blocks.py"
    blocks.write_text(blocks.read_text().replace("relu", "tanh"))
    answer = cli("run", tmp_path / "mine" / "own.yaml", "--run-dir", tmp_path / "run", "--resume")
    assert answer.code == 2 and "my_net.py:build" in answer.err and "changed" in answer.err


def test_a_checkpoint_of_layers_of_ones_own_holds_their_code(run, tmp_path, cli):
    scaled = run("--set", f"model={tmp_path / 'mine' / 'scaled.py'}:build", "--set", "training.decode=logit_adjusted")
    assert json.loads((scaled / "checkpoint" / "code.json").read_text())["model"]["name"] == "code/scaled.py:build"
    file = image(tmp_path / "line.png")
    before = json.loads(cli("predict", scaled, file, "--format", "json").out)
    exported = cli("export", scaled, "--format", "tf_saved_model", "--output", tmp_path / "exported", "--images", file)
    assert exported.code == 0 and Path(exported.last_line).is_dir(), exported.err
    # Somebody else is asked, and is told which code it is; then it is remembered.
    other = tmp_path / "other"
    shutil.copytree(scaled / "checkpoint", other)
    shutil.rmtree(scaled)
    shutil.rmtree(tmp_path / "mine")
    trust_file().unlink()
    trust._granted.clear()
    refused = cli("predict", other, file)
    assert refused.code == 2 and "code/scaled.py" in refused.err and "--trust-code" in refused.err
    assert cli("evaluate", other, "--data", "digits").code == 2
    trusted = cli("predict", other, file, "--format", "json", "--trust-code")
    assert json.loads(trusted.out)[0]["top"] == before[0]["top"], trusted.err
    assert cli("predict", other, file).code == 0
    # A change of it is asked about again.
    (other / "code" / "scaled.py").write_text((other / "code" / "scaled.py").read_text() + "\nprint('new')\n")
    assert cli("predict", other, file).code == 2


def test_check_show_and_search_take_such_an_experiment(cli, tmp_path):
    path = write_code(tmp_path / "mine")
    resolved = cli("show", path)
    assert resolved.code == 0 and "epsilon: 0.5" in resolved.out
    (tmp_path / "shown.yaml").write_text(resolved.out)
    assert load_experiment(tmp_path / "shown.yaml") == load_experiment(path)
    checked = cli("check", path)
    assert checked.code == 0 and "no problem was found" in checked.out, checked.err
    wrong = cli("check", path, "--set", "model.depth=-1", "--set", "training.loss.epsilon=[1]")
    assert wrong.code == 2 and "training.loss.epsilon" in wrong.err


@pytest.mark.slow
def test_a_search_in_processes_is_resumed(cli, tmp_path):
    domain = FILES["own.yaml"].replace("width: 6", "width: {choice: [4, 8]}")
    path = write_code(tmp_path / "mine", own__yaml=domain)
    search = ["search", path, "--set", "training.epochs=1"]
    search += ["--set", "search.algorithm=grid", "--set", "search.confirm=[0]", "--jobs", 2, "--run-dir", "found"]
    first = cli(*search)
    assert first.code == 0, first.err
    best = load_experiment(Path("found") / "best.yaml")
    assert best.model.arguments["width"] in (4, 8)
    trials = (Path("found") / "trials.csv").read_text()
    again = cli(*search)
    assert again.code == 0 and (Path("found") / "trials.csv").read_text() == trials
    net = tmp_path / "mine" / "my_net.py"
    net.write_text(net.read_text() + "\nOTHER = 1\n")
    changed = cli(*search)
    assert changed.code == 2 and "my_net.py" in changed.err


@pytest.mark.slow
def test_losses_that_are_classes_metric_losses_and_half_precision(run, tmp_path, cli):
    """A network with layers of its own is built again in the number format in which it was trained."""
    folder = tmp_path / "mine"
    loss = f"training.loss={{name: {folder}/my_loss.py:Squared, scale: 2, triplet: {{weight: 0.1}}}}"
    half = ["--set", "training.precision=mixed_bfloat16", "--set", f"model={folder}/scaled.py:build"]
    done = run("--set", loss, *half, "--set", "training.class_batches={classes: 2, images: 10}")
    assert json.loads((done / "checkpoint" / "code.json").read_text())["precision"] == "mixed_bfloat16"
    rows = list(csv.DictReader((done / "predictions.csv").open()))
    file = image(tmp_path / "line.png")
    answer = cli("predict", done, file, "--format", "json")
    assert answer.code == 0 and rows, answer.err
    assert cli("export", done, "--format", "tf_saved_model", "--output", "exported", "--images", file).code == 0


@pytest.mark.slow
def test_python_takes_such_an_experiment(tmp_path, monkeypatch):
    import kerasexp
    from kerasexp.errors import UserError

    path = write_code(tmp_path / "mine")
    changes = {"training.epochs": 1}
    done = kerasexp.run(kerasexp.load(path, set=changes), run_dir="loaded", quiet=True)
    assert "kappa" in done.metrics["test"]
    content = {"data": "digits", "model": {"name": "mine/my_net.py:build"}}
    content["training"] = {"epochs": 1}
    assert kerasexp.run(content, run_dir="mapped", quiet=True).metrics["test"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "mine" / "blocks.py").write_text((tmp_path / "mine" / "blocks.py").read_text() + "\n# new\n")
    content["model"]["name"] = str(tmp_path / "mine" / "my_net.py") + ":build"
    with pytest.raises(UserError, match="--trust-code"):
        kerasexp.run(content, run_dir="refused", quiet=True)
