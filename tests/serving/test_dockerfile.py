"""The Dockerfile, as far as it can be checked without Docker."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docker"


@pytest.fixture
def lines() -> list[str]:
    joined = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_its_command_is_one_of_kerasexp_and_its_user_has_no_rights(lines, cli):
    words = [
        json.loads(next(line for line in lines if line.startswith(k)).partition(" ")[2]) for k in ("ENTRYPOINT", "CMD")
    ]
    assert words[0][:3] == ["python", "-m", "kerasexp"]
    answer = cli(*words[0][3:], *words[1], "--help")
    assert answer.code == 0 and "Serve checkpoints over HTTP" in answer.out
    assert next(line for line in lines if line.startswith("USER")) != "USER root"


def test_its_health_check_is_that_of_the_server(lines):
    from kerasexp.serving.prediction_server import HEALTH

    (check,) = (line for line in lines if line.startswith("HEALTHCHECK"))
    words = json.loads(re.search(r"CMD (\[.*\])", check)[1])
    compile(words[2], "health check", "exec")
    assert f"http://127.0.0.1:8000{HEALTH}" in words[2]


@pytest.mark.slow
def test_the_image_has_the_graph_of_its_default_checkpoint(lines, tmp_path):
    pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT's runtime, ai-edge-litert, is not installed")
    (program,) = (re.search('python -c "(.*)"', line)[1] for line in lines if "by_litert" in line)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300, env=environment)
    (graph,) = (tmp_path / "cache" / "graphs").iterdir()
    assert graph.stat().st_size


def test_what_the_installation_needs_is_sent_to_the_builder():
    kept = {line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((FOLDER.parent / name).exists() for name in kept)
    assert {"setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "kerasexp", "checkpoints"} <= kept
