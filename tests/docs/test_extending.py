"""The worked examples of docs/extending.md, applied to a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(python|diff|yaml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def apply_change(path: Path, change: str) -> None:
    """Replace the lines of a diff without `+` by those without `-`; they stand in the file once."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    after = "".join(line[1:] for line in lines if not line.startswith("-"))
    # A line may be shown up to the word that is changed.
    before, after = before.rstrip("\n"), after.rstrip("\n")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} has {text.count(before)} times: {before}"
    path.write_text(text.replace(before, after))


def test_the_examples_of_the_page_work_together(tmp_path):
    shutil.copytree(ROOT / "kerasexp", tmp_path / "kerasexp", ignore=shutil.ignore_patterns("__pycache__"))
    blocks = BLOCK.findall((ROOT / "docs" / "extending.md").read_text())
    assert len(blocks) > 15
    for kind, name, content in blocks:
        if kind == "diff":
            apply_change(tmp_path / name, content)
        else:
            assert not (tmp_path / name).exists()
            (tmp_path / name).write_text(content)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "kerasexp", "run", "extended.yaml", "--run-dir", "run"]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.8 and 0 < metrics["test"]["kappa"] <= 1
    assert (tmp_path / "run" / "plots" / "confidences.png").exists()
    resolved = (tmp_path / "run" / "experiment.yaml").read_text()
    assert "epsilon: 0.5" in resolved and "source: stripes" in resolved and "name: linear" in resolved
