"""Each command of the README is executed, in its order, in a copy of the project, with no data but the stand-ins."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def readme_commands() -> list[list[str]]:
    """Return the arguments of every `python -m kerasexp` in the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    commands = []
    for line in "\n".join(blocks).splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if words[:3] == ["python", "-m", "kerasexp"]:
                commands.append(words[3:])
    return commands


@pytest.mark.slow
def test_every_readme_command_does_what_it_says(cli, images, tmp_path, monkeypatch):
    for folder in ("experiments", "checkpoints"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(images, tmp_path / "my_images")
    shutil.copytree(images / "disc", tmp_path / "new_images")
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", "http://127.0.0.1:9/mnist.npz")
    commands = readme_commands()
    assert {words[0] for words in commands} == {
        "run", "search", "new", "predict", "list", "show", "check", "evaluate", "compare", "diagnose",
        "export", "pack", "schema", "doctor",
    }  # fmt: skip
    for words in commands:
        # The reports' trainings are shortened; what else the commands do is done.
        short = ["--set", "training.epochs=1"] if words[0] == "run" and "--set" not in words else []
        answer = cli(*words, *short)
        assert answer.code == 0, (words, answer.err)
        if words[0] == "search":
            assert (Path(answer.last_line) / "search.html").is_file()
        if words[0] == "run":
            page = "study.html" if "seeds" in words[1] else "report.html"
            assert (Path(answer.last_line) / page).is_file()
