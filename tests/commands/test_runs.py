"""`runs`: list, best, clean."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from many_runs import write_run, write_runs

from kerasexp.commands.options import with_homes
from kerasexp.commands.runs import best_run, clean_runs, list_runs
from kerasexp.runs.directory import RunDirectory


@pytest.fixture
def folder() -> Path:
    return write_runs(Path("runs"), 5)


def with_state(place: Path) -> Path:
    (place / "state").mkdir()
    (place / "state/model.npz").write_bytes(bytes(2048))
    return place


@pytest.mark.parametrize("command", ["list", "best", "clean"])
def test_each_has_help_with_an_example(cli, command):
    answer = cli("runs", command, "--help")
    assert answer.code == 0 and f"Example: python -m kerasexp runs {command}" in " ".join(answer.out.split())


@pytest.mark.parametrize("command", [list_runs, best_run, clean_runs])
def test_the_folder_may_begin_with_the_home_folder(command):
    from typing import get_args, get_type_hints

    kind, option = get_args(get_type_hints(command, include_extras=True)["folder"])
    assert kind is Path and option.callback is with_homes


def test_list_imports_no_heavy_library(folder):
    script = (
        "import sys; from kerasexp.cli import app\n"
        "try: app(['runs', 'list'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'tensorflow', 'keras', 'numpy', 'cv2', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_list(cli, folder):
    assert cli("runs").out == cli("runs", "list").out
    assert len(cli("runs", "list", "runs").out.splitlines()) == 6
    answer = cli("runs", "list", "--filter", "val.accuracy > 0 and seed < 2", "--columns", "seed", "--format", "json")
    assert [row["seed"] for row in json.loads(answer.out)] == [1, 0]
    assert cli("runs", "list", "--limit", 2).last_line == "2 of 5; --limit 0 shows all"
    assert cli("runs", "list", "--filter", "model.name = cn").out == "no run has model.name = cn; did you mean 'cnn'?\n"
    assert cli("runs", "list", "--filter", "epochs > 99").out == "no run below runs passes\n"
    assert cli("runs", "list", "--filter", "epochs > 99", "--format", "json").out == "[]\n"


def test_mistakes_end_with_exit_code_2(cli, folder):
    for arguments in (
        ["list", "nowhere"],
        ["list", "--filter", "epochs >"],
        ["best", "--by", "no"],
        ["list", "--sort", "?"],
    ):
        answer = cli("runs", *arguments)
        assert answer.code == 2 and answer.err.startswith("error: ") and "Traceback" not in answer.err
    assert "--by: no run has 'test.acuracy'; did you mean" in cli("runs", "best", "--by", "test.acuracy").err


def test_best_ends_with_its_directory(cli, folder):
    found = json.loads(cli("runs", "list", "--sort=-val.accuracy", "--format", "json").out)
    assert cli("runs", "best").last_line == f"runs/{found[0]['path']}"
    assert "choose by val" in cli("runs", "best", "--by", "test.accuracy").err
    (best,) = json.loads(cli("runs", "best", "--by", "seconds", "--format", "json").out)
    assert best["seconds"] == 60.5
    given = ("best", "--by", "learning_rate", "--format", "csv", "--columns")
    assert cli("runs", *given, "path,training.optimizer.learning_rate").out.startswith(
        "training.optimizer.learning_rate,path\n"
    )
    assert "test.macro_f1" in json.loads(cli("runs", "best", "--columns", "all", "--format", "json").out)[0]


def test_clean_shows_first_and_deletes_states_of_finished_runs_only(cli, folder):
    finished, other = with_state(folder / "name_0/1"), with_state(folder / "name_1/1")
    unfinished = with_state(write_run(folder / "stopped", 9, "interrupted"))
    answer = cli("runs", "clean")
    assert answer.code == 0 and "would free 4.0 KiB; --yes deletes" in answer.last_line
    assert (finished / "state").is_dir() and "stopped" not in answer.out
    with RunDirectory(other).locked():  # for example resumed for more epochs, at this moment
        answer = cli("runs", "clean", "--yes")
    assert answer.last_line == "freed 2.0 KiB" and "kept, a process is writing to the run" in answer.out
    assert not (finished / "state").exists() and (other / "state").is_dir() and (unfinished / "state").is_dir()
    assert (finished / "metrics.json").is_file()
    assert cli("runs", "clean", "--yes", "--filter", "name = name_1").last_line == "freed 2.0 KiB"
    assert cli("runs", "clean").out.startswith("nothing to free")


@pytest.mark.parametrize(("status", "frees"), [("unfinished", False), ("finished", True)])
def test_clean_leaves_the_trials_of_a_search_that_may_continue_them(cli, status, frees):
    trial = with_state(write_run(Path("runs/space/1/trial_0000/run"), 1))
    (trial.parents[1] / "search.json").write_text(json.dumps({"name": "space", "status": status, "trials": []}))
    assert cli("runs", "clean", "--yes").code == 0
    assert (trial / "state").exists() != frees


def test_clean_frees_the_cache_unless_a_run_may_read_it(cli, folder, tmp_path):
    cached = tmp_path / "cache/images/some"
    cached.mkdir(parents=True)
    (cached / "images.npy").write_bytes(bytes(1024))
    place = write_run(folder / "live", 9, "running")
    with RunDirectory(place).locked():
        answer = cli("runs", "clean", "--caches", "--yes")
        assert answer.code == 2 and "live is running" in answer.err
    assert cli("runs", "clean", "--caches").last_line == "would free 1.0 KiB; --yes deletes."
    assert cli("runs", "clean", "--caches", "--yes").last_line == "freed 1.0 KiB"
    assert not cached.exists()
    assert "and there are no caches" in cli("runs", "clean", "--caches").out
