"""The commands besides `run`."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest
import yaml

from kerasexp.cli import COMMANDS as CALLED
from kerasexp.commands.options import checkpoint_option, experiment_option, with_homes
from kerasexp.evaluation.predictions import tempered

COMMANDS = [
    "run",
    "find-learning-rate",
    "check",
    "show",
    "list",
    "evaluate",
    "report",
    "reproduce",
    "compare",
    "predict",
    "export",
    "new",
    "pack",
    "ui",
    "schema",
    "doctor",
]


@pytest.fixture
def finished(cli, tiny_yaml) -> Path:
    return Path(cli("run", tiny_yaml).last_line)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(cli, command):
    answer = cli(command, "--help")
    assert answer.code == 0 and f"Example: python -m kerasexp {command}" in answer.out


def test_light_commands_do_not_import_tensorflow(tiny_yaml):
    script = (
        "import sys; from kerasexp.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'cv2', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(1 if heavy else 0)"
    )
    for arguments in (["--help"], ["show", str(tiny_yaml)], ["list", str(tiny_yaml.parent)], ["schema"]):
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)


def test_show_prints_an_experiment_that_loads_to_itself(cli, tiny_yaml):
    answer = cli("show", tiny_yaml, "--set", "training.epochs=7")
    shown = yaml.safe_load(answer.out)
    assert shown["training"]["epochs"] == 7 and shown["name"] == "tiny"
    Path("shown.yaml").write_text(answer.out)
    assert cli("show", "shown.yaml").out == answer.out


@pytest.mark.parametrize("command", CALLED)
def test_every_path_that_a_command_takes_may_begin_with_the_home_folder(command):
    """`--run-dir=~/x` reaches the command as it is: a shell expands only a `~` that begins a word."""
    for name, hint in get_type_hints(CALLED[command], include_extras=True).items():
        kind, *options = get_args(hint)
        if Path in (kind, *get_args(kind)) or name in ("data_path", "source"):
            (callback,) = (option.callback for option in options)
            if callback not in (experiment_option, checkpoint_option):
                assert callback is with_homes, name
                continue
            assert callback(SimpleNamespace(resilient_parsing=False), Path("~/a")) == Path.home() / "a", name


def test_only_a_leading_home_folder_is_written_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert with_homes(Path("~/a")) == tmp_path / "a" and with_homes("~/a") == str(tmp_path / "a")
    assert with_homes([Path("~"), Path("a/~")]) == [tmp_path, Path("a/~")]
    assert [with_homes(value) for value in (None, "mnist", "~nobody-of-this-name/x")] == [
        None,
        "mnist",
        "~nobody-of-this-name/x",
    ]


def test_a_run_directory_in_the_home_folder(cli, tiny_yaml, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    answer = cli("run", tiny_yaml, "--run-dir=~/x", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    assert answer.last_line == str(tmp_path / "home" / "x") and not Path("~").exists()
    assert cli("predict", "~/x", "~/../images/disc/00.png").code == 0


def test_the_name_that_is_made_from_a_files_name_is_shown(cli, tiny_yaml):
    tiny_yaml.rename("my experiment.yaml")
    answer = cli("run", "my experiment.yaml", "--set", "training.epochs=1")
    assert answer.last_line == "runs/my_experiment/1"
    assert "name: my_experiment, made from the name of the file; the key `name` changes it" in answer.out
    Path("my experiment.yaml").rename("plain.yaml")
    assert "from the name of the file" not in cli("run", "plain.yaml", "--set", "training.epochs=1").out


def test_evaluate_takes_classes_of_other_names(cli, finished, images):
    given = ("evaluate", finished, "--data", "image_folder", "--data-path", images, "--format", "json")
    before = json.loads(cli(*given).out)
    (images / "disc").rename(images / "discs")
    (images / "upright").rename(images / "a=b")
    answer = cli(*given)
    assert answer.code == 2
    assert "--class-names a=b=CLASS --class-names discs=disc" in answer.err
    pairs = ("--class-names", "discs=disc", "--class-names", "a=b=upright")
    after = json.loads(cli(*given, *pairs).out)
    assert after["same_classes"] == {"discs": "disc", "a=b": "upright"}
    assert (after["accuracy"], after["loss"]) == (pytest.approx(before["accuracy"]), pytest.approx(before["loss"]))
    assert "discs is evaluated as disc" in cli(*given[:-2], *pairs).out


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("discs", "--class-names: got 'discs'; write DATA=CHECKPOINT, such as cats=cat"),
        (
            "disk=disc",
            "--class-names: the data have no class 'disk'; did you mean 'disc'?; allowed: across, disc, upright",
        ),
        ("disc=disk", "--class-names: the checkpoint has no class 'disk'; did you mean 'disc'?; allowed: across, disc"),
    ],
)
def test_a_wrong_pair_of_class_names_is_refused(cli, finished, images, pair, message):
    answer = cli("evaluate", finished, "--data", "image_folder", "--data-path", images, "--class-names", pair)
    assert answer.code == 2 and message in answer.err, answer.err


def test_check_lists_every_problem_and_trains_nothing(cli, tiny_yaml, images):
    assert cli("check", tiny_yaml).out.endswith("no problem was found\n")
    (images / "disc" / "empty.png").touch()
    answer = cli("check", tiny_yaml, "--set", "training.batch_size=5000", "--set", "data.on_corrupt=error")
    assert answer.code == 2
    assert "training.batch_size" in answer.err and "disc/empty.png" in answer.err + answer.out
    assert not Path("runs").exists()


def test_predict_reads_any_size_and_names_what_it_cannot_read(cli, finished, images, tmp_path):
    large = cv2.resize(cv2.imread(str(images / "disc" / "00.png")), (640, 480))
    cv2.imwrite(str(tmp_path / "large.png"), large)
    (tmp_path / "broken.png").write_bytes(b"no image")
    answer = cli("predict", finished, "large.png", "images/across", "broken.png", "--format", "json", "--top", "2")
    rows = json.loads(answer.out)
    assert answer.code == 0 and "broken.png" in answer.err
    assert len(rows) == 21 and rows[0]["file"] == "large.png"
    assert rows[0]["class"] == rows[0]["top"][0]["class"] and len(rows[0]["top"]) == 2
    assert rows[0]["probability"] == rows[0]["top"][0]["probability"]


def test_predict_formats_agree(cli, finished):
    table, text, rows = (cli("predict", finished, "images/disc", "--format", f).out for f in ("table", "csv", "json"))
    from_json = [(r["file"], r["class"]) for r in json.loads(rows)]
    assert [(r["file"], r["class"]) for r in csv.DictReader(io.StringIO(text))] == from_json
    assert [tuple(line.split()[:2]) for line in table.splitlines()] == from_json


def test_predict_gives_the_probabilities_of_the_run_at_its_temperature(cli, finished):
    rows = {r["file"]: r for r in csv.DictReader((finished / "predictions.csv").open())}
    warm = json.loads((finished / "metrics.json").read_text())["temperature"]
    answers = json.loads(cli("predict", finished, "images", "--format", "json").out)
    compared = [
        (a, rows[a["file"].removeprefix("images/")]) for a in answers if a["file"].removeprefix("images/") in rows
    ]
    assert len(compared) == len(rows)
    for answer, row in compared:
        assert answer["class"] == row["predicted"]
        scores = np.array([[float(value) for name, value in row.items() if name.startswith("p_")]])
        assert answer["probability"] == pytest.approx(tempered(scores, warm).max(), abs=2e-6)


def test_evaluate_gives_the_figures_of_the_run(cli, finished, images, tmp_path):
    test = [row["file"] for row in csv.DictReader((finished / "predictions.csv").open())]
    for name in test:
        target = tmp_path / "held_out" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((images / name).read_bytes())
    answer = cli("evaluate", finished, "--data", "image_folder", "--data-path", "held_out", "--format", "json")
    figures, run = json.loads(answer.out), json.loads((finished / "metrics.json").read_text())["test"]
    for key, value in run.items():
        if key != "per_class":
            assert figures[key] == pytest.approx(value, abs=1e-6), key
    assert "accuracy" in cli("evaluate", finished, "--data", "image_folder", "--data-path", "held_out").out


def test_evaluate_takes_folder_names_from_the_checkpoint(cli, tiny_yaml, images):
    names = "{across: -, upright: '|', disc: o}"
    run = cli("run", tiny_yaml, "--set", f"data.class_names={names}", "--set", "data.labels.select=[o, '|']").last_line
    answer = json.loads(cli("evaluate", run, "--data", "image_folder", "--data-path", "images", "--format", "json").out)
    assert list(answer["per_class"]) == ["o", "|"] and answer["images"] == 40
    (images / "disc").rename(images / "ring")
    refused = cli("evaluate", run, "--data", "image_folder", "--data-path", "images")
    assert refused.code == 2 and "ring" in refused.err


def test_pack_writes_csv_that_trains_to_the_same_split(cli, tiny_yaml, tmp_path):
    assert cli("pack", tiny_yaml, "--output", "packed").last_line == "packed"
    assert sorted(p.name for p in Path("packed").iterdir()) == ["test.csv", "train.csv", "val.csv"]
    again = tmp_path / "from_csv.yaml"
    data = "data: {source: csv, path: packed, preprocessing: {size: [16, 16]}}"
    again.write_text(f"{data}\nmodel: {{name: mlp}}\ntraining: {{epochs: 1, batch_size: 8}}\n")
    run = Path(cli("run", again).last_line)
    assert json.loads((run / "manifest.json").read_text())["data"]["images"] == {"train": 38, "val": 10, "test": 12}


def test_new_writes_an_experiment_that_runs(cli, images):
    answer = cli("new", "images")
    assert answer.code == 0 and answer.last_line == "images.yaml"
    assert cli("run", "images.yaml", "--set", "training.epochs=1").code == 0


def test_list_and_schema_and_doctor_answer(cli, tiny_yaml):
    tiny_yaml.write_text("# Bars or discs?\n" + tiny_yaml.read_text())
    assert "Bars or discs?" in cli("list", tiny_yaml.parent).out
    assert "data" in json.loads(cli("schema").out)["$defs"]["Experiment"]["properties"]
    assert "tensorflow" in cli("doctor").out


BAD = {
    "no such experiment": (["run", "none.yaml"], "none.yaml"),
    "a folder as experiment": (["run", "images"], "folder"),
    "unknown key": (["run", "tiny.yaml", "--set", "training.epoch=3"], "did you mean 'epochs'"),
    "batch of nothing": (["run", "tiny.yaml", "--set", "training.batch_size=0"], "training.batch_size"),
    "negative epochs": (["run", "tiny.yaml", "--set", "training.epochs=-1"], "training.epochs"),
    "batch beyond the split": (["run", "tiny.yaml", "--set", "training.batch_size=39"], "38 training images"),
    "no data": (["run", "tiny.yaml", "--set", "data.path=gone"], "gone"),
    "empty folder": (["run", "tiny.yaml", "--set", "data.path=empty"], "has no image"),
    "one class": (["run", "tiny.yaml", "--set", "data.path=one"], "one class"),
    "unknown class": (["run", "tiny.yaml", "--set", "data.labels.select=[disk, across]"], "did you mean 'disc'"),
    "two folders, one class": (
        ["run", "tiny.yaml", "--set", "data.class_names={disc: a, across: a}"],
        "data.class_names",
    ),
    "no checkpoint": (["predict", "images", "images"], "is not a checkpoint"),
    "missing checkpoint": (["predict", "gone", "images"], "no such file"),
    "hollow checkpoint": (["predict", "hollow", "images"], "is not a Keras model"),
    "missing image": (["predict", "hollow", "gone.png"], "gone.png"),
    "unknown source": (["evaluate", "hollow", "--data", "minst"], "did you mean 'mnist'"),
    "source without path": (["evaluate", "hollow", "--data", "csv"], "needs path"),
    "new on nothing": (["new", "gone"], "gone"),
    "list on nothing": (["list", "gone"], "gone"),
    "unknown command": (["runn"], "runn"),
    "unknown option": (["run", "tiny.yaml", "--sett", "a=1"], "--sett"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_in_one_message_and_leaves_nothing(cli, tiny_yaml, images, arguments, told, tmp_path):
    (tmp_path / "empty").mkdir()
    one = tmp_path / "one" / "disc"
    one.mkdir(parents=True)
    (one / "0.png").write_bytes((images / "disc" / "00.png").read_bytes())
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    (hollow / "model.keras").write_bytes(b"PK nothing")
    (hollow / "classes.json").write_text(json.dumps({"class_names": ["a", "b"], "folders": {}}))
    (hollow / "preprocessing.json").write_text("{}")
    answer = cli(*arguments)
    assert answer.code == 2, answer
    assert told in answer.err and "Traceback" not in answer.err
    assert not Path("runs").exists()


def test_images_are_read_as_uint8_from_16_bit_and_alpha(cli, finished, images, tmp_path):
    page = cv2.imread(str(images / "disc" / "01.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "deep.png"), page.astype(np.uint16) * 257)
    transparent = np.dstack([np.zeros((*page.shape, 3), np.uint8), 255 - page])
    cv2.imwrite(str(tmp_path / "alpha.png"), transparent)
    plain, deep, alpha = json.loads(
        cli("predict", finished, "images/disc/01.png", "deep.png", "alpha.png", "--format", "json").out
    )
    assert plain["probability"] == deep["probability"] == pytest.approx(alpha["probability"], abs=0.02)


def test_a_reader_that_stops_early_is_no_error():
    """As in `kerasexp list | head -3`: the last lines are written when the command has ended."""
    script = "from kerasexp import cli; cli.app = lambda **_: print('a line'); cli.main()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen([sys.executable, "-c", script], **pipes, env=buffered) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
