"""A disk that fills up, in the middle of any write of a run: one message, no half-written file, and a run to go on with.

An ordinary test run tries a sample of the places at which a run writes; all of them by

    KERASEXP_FULL=1 python -m pytest tests/test_full_disk.py
"""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from faulty_disk import FaultyDisk

from kerasexp.training.fit import fit

FULL = bool(os.environ.get("KERASEXP_FULL"))
SETTINGS = ["--set", "model.name=mlp", "--set", "training.epochs=2", "--set", "training.validate_at=[0, 3]"]


def weights(run: Path) -> list[np.ndarray]:
    return keras.models.load_model(run / "checkpoint" / "model.keras").get_weights()


def wrong_with(answer, run: Path, reason: str, name: str = "") -> list[str]:
    """Return what is not as it should be after a run on a faulty disk."""
    found = []
    begun = (run / "manifest.json").exists()
    if answer.code != 1 and (answer.code, run.exists()) != (2, False):
        found.append(f"exit code {answer.code}")
    if not answer.err.startswith("error: ") or answer.err.count("\n") != 1:
        found.append("more or less than one message")
    if reason not in answer.err or name not in answer.err:
        found.append("file or reason not named")
    if left := [path.name for path in run.rglob(".*") if path.name != ".lock"]:
        found.append(f"left behind: {left}")
    if (run / "checkpoint" / "model.keras").exists():
        weights(run)
    if begun and json.loads((run / "manifest.json").read_text())["status"] not in ("failed", "running"):
        found.append("the manifest tells of no failure")
    return [f"{answer.err.strip()} -> {fault}" for fault in found]


def resumes_to(expected: list[np.ndarray], cli, tiny_yaml, run: Path) -> bool:
    answer = cli("run", tiny_yaml, *SETTINGS, "--run-dir", run, "--resume")
    if answer.code != 0:
        return False
    assert json.loads((run / "manifest.json").read_text())["status"] == "finished"
    return all(np.array_equal(a, b) for a, b in zip(weights(run), expected, strict=True))


def told_name(place: str) -> str:
    """Return the name by which a message speaks of a file: not that of the temporary one."""
    name = place.split()[1].rpartition("/")[2]
    return name if not name.startswith(".") else name.strip(".").rpartition(".")[0].removesuffix(".tmp")


@pytest.fixture
def disk(tmp_path, monkeypatch) -> FaultyDisk:
    """The disk of the run directory `here`, without `progress.json`, which is written by the clock and fails in silence."""
    monkeypatch.setattr("kerasexp.training.live_progress.LiveProgress._write", lambda *arguments: None)
    return FaultyDisk(tmp_path / "here", monkeypatch)


@pytest.fixture
def unbroken(cli, tiny_yaml, disk) -> tuple[list[str], list[np.ndarray]]:
    """All writes of a run on a sound disk, and the weights at its end."""
    disk.fail(None)
    answer = cli("run", tiny_yaml, *SETTINGS, "--run-dir", "here")
    assert answer.code == 0, answer.err
    found = disk.done, weights(Path("here"))
    shutil.rmtree("here")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lasting", "number", "sampled"),
    [(False, errno.ENOSPC, 9), (True, errno.ENOSPC, 5), (False, errno.EACCES, 5)],
    ids=["full once", "full for good", "refused"],
)
def test_any_write_of_a_run_may_fail(cli, tiny_yaml, disk, unbroken, lasting, number, sampled):
    places, expected = unbroken
    faults = []
    # The last place is always tried; it is the manifest, which says that the run has finished.
    for place in range(len(places) - 1, -1, -1 if FULL else -(len(places) // sampled)):
        disk.fail(place, number, lasting)
        answer = cli("run", tiny_yaml, *SETTINGS, "--run-dir", "here")
        disk.fail(None)
        found = wrong_with(answer, Path("here"), os.strerror(number), told_name(places[place]))
        if not resumes_to(expected, cli, tiny_yaml, Path("here")):
            found.append("did not resume to the same weights")
        faults += [f"{place} {places[place]}: {fault}" for fault in found]
        shutil.rmtree("here")
    print(f"\n{len(places)} writes")
    assert faults == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_its_speed_alone(cli, tiny_yaml, tmp_path, monkeypatch):
    disk = FaultyDisk(tmp_path / "cache", monkeypatch)
    cli("check", tiny_yaml)
    places = disk.done
    assert len(places) > 3
    for place in range(len(places)):
        shutil.rmtree("cache", ignore_errors=True)
        disk.fail(place)
        answer = cli("check", tiny_yaml)
        assert answer.code == 0, f"{places[place]}: {answer.err}"
        disk.fail(None)
        assert not list(Path("cache").rglob("*.npy")) or cli("check", tiny_yaml).code == 0


def test_a_run_directory_that_is_taken_away(cli, tiny_yaml, monkeypatch):
    def fit_and_remove(model, data, experiment, run, console):
        fitted = fit(model, data, experiment, run, console)
        shutil.rmtree(run.path)
        return fitted

    monkeypatch.setattr("kerasexp.training.fit.fit", fit_and_remove)
    answer = cli("run", tiny_yaml, *SETTINGS, "--run-dir", "here")
    assert answer.code == 1
    assert answer.err.startswith("error: here/checkpoint")
    assert answer.err.count("\n") == 1
    assert not Path("here").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of 16 MB, on which the writes of HDF5 and TensorFlow fail as well."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
    mounted = subprocess.run(mounting, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_a_real_disk_that_fills_up(cli, tiny_yaml, small_disk):
    run, filler = small_disk / "here", small_disk / "filler"
    room = shutil.disk_usage(small_disk).free
    assert cli("run", tiny_yaml, *SETTINGS, "--run-dir", run).code == 0
    needed, expected = room - shutil.disk_usage(small_disk).free, weights(run)
    shutil.rmtree(run)
    faults = []
    for left in np.linspace(0, needed - 4096, 40 if FULL else 4, dtype=int).tolist():
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room - left)
        answer = cli("run", tiny_yaml, *SETTINGS, "--run-dir", run)
        filler.unlink()
        found = wrong_with(answer, run, "No space left on device")
        if not resumes_to(expected, cli, tiny_yaml, run):
            found.append("did not resume to the same weights")
        faults += [f"{left} of {needed} bytes: {fault}" for fault in found]
        shutil.rmtree(run)
    assert faults == []
