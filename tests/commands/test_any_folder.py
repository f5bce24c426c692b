"""Any folder that people may have ends each command in success or in a user's error with exit code 2."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

sys.path.append(str(Path(__file__).resolve().parent.parent / "data"))
from folder_trees import images, trees, write_folder, write_zip  # noqa: E402

EXPERIMENT = """
data: {source: image_folder, path: %s, preprocessing: {size: [8, 8]}}
model: {name: mlp, units: [4]}
training: {epochs: 1, batch_size: 2}
report: {plots: false}
"""


def drawn(examples: int):
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=examples,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def written(content, number: int) -> str:
    """Write a folder, or an archive every second time, and return its name; the working folder is empty but for it."""
    os.chdir(tempfile.mkdtemp(dir=os.environ["KERASEXP_CACHE"]))
    return str((write_zip if number % 2 else write_folder)(Path("data.zip" if number % 2 else "data"), content))


@pytest.fixture
def ends_well(cli):
    """Runs a command, whose message must be a user's where it does not succeed."""
    Path(os.environ["KERASEXP_CACHE"]).mkdir(exist_ok=True)
    codes = []

    def run(*arguments):
        answer = cli(*arguments)
        codes.append(answer.code)
        assert answer.code in (0, 2), answer.err
        assert "Traceback" not in answer.err and (answer.code == 0 or answer.err.startswith("error: "))
        return answer

    yield run
    # Not all folders are refused, nor all taken.
    assert 0.1 < codes.count(0) / len(codes) < 0.95


@given(trees())
@drawn(300)
@example({"a\nb/1.png": b"x", "c/1.png": b"x"})
@example({"5²/1.png": b"", "①/1.png": b""})
def test_new_ends_in_success_or_a_users_error(ends_well, content):
    answer = ends_well("new", written(content, len(content)))
    assert (answer.code == 0) == Path("data.yaml").exists()


@given(trees())
@drawn(300)
def test_check_ends_in_success_or_a_users_error(ends_well, content):
    path = written(content, len(content))
    Path("e.yaml").write_text(EXPERIMENT % path)
    ends_well("check", "e.yaml")
    assert sorted(os.listdir()) == sorted([path, "e.yaml"])


@given(trees())
@drawn(60)
def test_predict_and_evaluate_end_in_success_or_a_users_error(cli, finished_runs, content):
    Path(os.environ["KERASEXP_CACHE"]).mkdir(exist_ok=True)
    path, run = written(content | images("disc", each=1), len(content)), finished_runs / "runs" / "tiny" / "1"
    for arguments in (["predict", run, path], ["evaluate", run, "--data", "image_folder", "--data-path", path]):
        answer = cli(*arguments)
        assert answer.code in (0, 2) and "Traceback" not in answer.err, answer.err
