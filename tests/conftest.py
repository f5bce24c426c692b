"""What all tests share: a clean working folder and cache for each, one TensorFlow process for all."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tiny import TINY, draw_images

from kerasexp.backend import import_tensorflow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import_tensorflow()
# A shell lets what it starts in the background ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ["KERASEXP_DATA"]).resolve() if os.environ.get("KERASEXP_DATA") else None


def pytest_collection_modifyitems(items):
    """Test files with slow tests first, so that several processes end at about the same time."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.rstrip("\n").rpartition("\n")[2]


@pytest.fixture(autouse=True)
def own_world(request, tmp_path, monkeypatch):
    """Give each test its own working folder, cache and home, and no data but what it asks for by the marker `real`."""
    real = request.node.get_closest_marker("real") is not None
    if real and REAL_DATA is None:
        pytest.skip("KERASEXP_DATA is not set: the real data are not here")
    if not real:
        monkeypatch.delenv("KERASEXP_DATA", raising=False)
        # Decoded real scans are worth keeping from test to test; generated ones are not.
        monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "cache"))
    else:
        monkeypatch.setenv("KERASEXP_DATA", str(REAL_DATA))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    # A run makes a graph for `predict`, in a second; `with_graphs` is for the tests of these.
    monkeypatch.setattr("kerasexp.saving.litert_graph.LARGEST", 0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("kerasexp.custom.trust._granted", set())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys, monkeypatch):
    """Return a function that runs a command line in this process."""
    from kerasexp.cli import main

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["kerasexp", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def images(tmp_path) -> Path:
    """A folder of drawn images in three folders."""
    return draw_images(tmp_path / "images")


@pytest.fixture
def tiny_yaml(request, tmp_path, images) -> Path:
    """An experiment on `images` that trains in about a second; it draws plots in tests with the marker `plots`."""
    path, is_drawn = tmp_path / "tiny.yaml", request.node.get_closest_marker("plots") is not None
    path.write_text(TINY.replace("plots: false", "plots: true") if is_drawn else TINY)
    return path


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory) -> Path:
    """A folder with `images` and finished runs of the tiny experiment below `runs`; tests work on a copy.

    `tiny/1` and `tiny/2` (another seed), `worse` (hardly trained), `larger` (images of another size), `elsewhere`
    (another split).
    """
    from kerasexp.config import load_experiment
    from kerasexp.console import QuietConsole
    from kerasexp.runs.run import run_experiment
    from kerasexp.runs.run_request import RunRequest

    folder = tmp_path_factory.mktemp("finished")
    draw_images(folder / "images")
    (folder / "tiny.yaml").write_text(TINY)
    watched = ["training.validate_at=[0, 2]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KERASEXP_CACHE", str(folder / "cache"))
        patch.setattr("kerasexp.saving.litert_graph.LARGEST", 0)
        for overrides in (
            [],
            ["seed=1"],
            ["name=worse", "training.epochs=1", "training.optimizer.learning_rate=0.00001"],
            ["name=larger", "data.preprocessing.size=[24, 24]"],
            ["name=elsewhere", "data.split_seed=7"],
        ):
            experiment = load_experiment(Path("tiny.yaml"), watched + overrides)
            run_experiment(RunRequest(experiment), QuietConsole())
    return folder
