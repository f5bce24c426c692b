"""What a run records to be repeated: command, repository, packages, environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from kerasexp.runs.git_state import LARGEST_DIFF, git_state
from kerasexp.runs.provenance import find_provenance, installed_packages
from kerasexp.saving.saved_files import RunFiles


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository with one commit, in the working folder."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no_settings"))
    Path("exp").mkdir()
    Path("exp/mine.yaml").write_text("data: digits\n")
    git("init", "--quiet", "--initial-branch", "main")
    git("add", "exp")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_repository(repository):
    git("remote", "add", "origin", "https://me:secret@example.org/a/b.git")
    state = git_state(Path("exp"))
    assert Path(state.root).samefile(repository) and state.commit == git("rev-parse", "HEAD")
    assert (state.branch, state.diff, state.untracked) == ("main", "", [])
    assert state.remote == "https://example.org/a/b.git"


def test_changes_that_are_not_committed(repository):
    Path("exp/mine.yaml").write_text("data: mnist\n")
    Path("exp/grün.py").write_text("")
    state = git_state(Path("exp"))
    assert "-data: digits\n+data: mnist" in state.diff and state.untracked == ["exp/grün.py"]
    git("checkout", "--quiet", "--detach")
    assert git_state(Path("exp")).branch is None
    Path("exp/mine.yaml").write_text("# a long line of a file of data\n" * 50_000)
    assert len(git_state(Path("exp")).diff) == LARGEST_DIFF


def test_no_repository_no_commit_and_no_git(tmp_path, monkeypatch):
    assert git_state(tmp_path) is None
    git("init", "--quiet")
    state = git_state(tmp_path)
    assert state.commit is None and state.diff is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_a_repository_of_a_stranger_runs_nothing(repository):
    """Its configuration may name programs that git runs on files."""
    trap = f"touch {repository / 'ran'}; cat"
    git("config", "filter.trap.clean", trap)
    git("config", "core.fsmonitor", trap)
    git("config", "diff.external", trap)
    Path(".gitattributes").write_text("*.yaml filter=trap\n")
    Path("exp/mine.yaml").write_text("data: mnist\n")
    state = git_state(Path("exp"))
    assert state.commit and state.diff is None and not (repository / "ran").exists()


def test_packages_are_those_of_pip_freeze():
    freeze = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True
    )
    pinned = {line for line in freeze.stdout.splitlines() if "==" in line and not line.startswith(("#", "-e"))}
    ours = {line.lower().replace("_", "-") for line in installed_packages()}
    assert len(pinned) > 20 and {line.lower().replace("_", "-") for line in pinned} <= ours


def test_the_record(repository, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("KERASEXP_DATA_TOKEN", "secret")
    monkeypatch.setattr(sys, "argv", ["/bin/kerasexp", "run", "exp/mine.yaml"])
    Path("exp/mine.yaml").write_text("data: mnist\n")
    found = find_provenance("exp/mine.yaml")
    entry = found.manifest_entry()
    assert entry["command"] == ["kerasexp", "run", "exp/mine.yaml"] and entry["folder"] == str(repository)
    assert entry["file"] == str(repository / "exp/mine.yaml")
    assert entry["environment"]["CUDA_VISIBLE_DEVICES"] == "1" and "secret" not in str(entry)
    assert entry["git"]["changed"] is True and len(entry["git"]["diff_sha256"]) == 64 and "diff" not in entry["git"]
    found.write_diff(RunFiles(repository))
    assert "+data: mnist" in Path("uncommitted.diff").read_text()


def test_the_command_and_the_environment_are_without_passwords(repository, monkeypatch):
    monkeypatch.setenv("TF_CONFIG_SERVER", "http://me:secret@host/x")
    monkeypatch.setattr(sys, "argv", ["train.py", "--db", "postgresql://me:secret@host/x"])
    entry = find_provenance(None).manifest_entry()
    assert entry["command"] == ["train.py", "--db", "postgresql://host/x"] and "secret" not in str(entry)


def test_a_shipped_experiment_is_not_in_a_repository_of_the_user(repository):
    found = find_provenance("part1_digits")
    assert found.file.endswith("part1_digits.yaml") and Path(found.git.root).samefile(repository)
    assert find_provenance("no such thing").file is None and find_provenance(None).git is not None
