"""Each command of the documentation is executed, in its order, in a copy of the project, with no data but stand-ins."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT, blocks, commands, name_of, shell_lines

# What trains or needs a finished run.
LONG = ("run", "runs", "track", "reproduce", "search", "compare", "diagnose")
INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install "
README_LINES = [
    f"{INSTALL}. && python -m kerasexp run experiments/part2_pretrained.yaml",
    f"{INSTALL}'.[test]' && python -m pytest -n 2 --dist loadfile",
]
WITH_COMMANDS = [page for page in PAGES if commands(page)]


def is_long(words: list[str]) -> bool:
    return words[0] in LONG or any(word.startswith("runs/") or word == "my_images.yaml" for word in words)


@pytest.fixture
def project(images, tmp_path, monkeypatch):
    """A copy of the project with images of a user's own; MNIST cannot be downloaded."""
    for folder in ("experiments", "checkpoints"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copytree(images, tmp_path / "my_images")
    shutil.copytree(images / "disc", tmp_path / "new_images")
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", "http://127.0.0.1:9/mnist.npz")
    return tmp_path


def test_the_readme_has_the_two_commands():
    assert shell_lines(ROOT / "README.md")[:2] == README_LINES
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def test_every_command_of_the_program_is_documented(cli):
    # These run until they are stopped, so their examples are for reading only.
    servers = {"ui", "serve"}
    documented = {words[0] for page in WITH_COMMANDS for words in commands(page)} | servers
    shown = "".join(block for page in PAGES for block in blocks(page, "console"))
    assert all(f"python -m kerasexp {server} " in shown for server in servers)
    listed = [line.split()[0] for line in cli("--help").out.partition("Commands:")[2].splitlines() if line.strip()]
    assert set(listed) == documented


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_shell_line_is_one_that_a_test_executes(page):
    known = ("python -m kerasexp ", "python -m pytest", "ruff ")
    unknown = [line for line in shell_lines(page) if line not in README_LINES and not line.startswith(known)]
    assert unknown == []


def test_quick_commands_do_what_the_documentation_says(cli, project):
    quick = {tuple(words): None for page in WITH_COMMANDS for words in commands(page) if not is_long(words)}
    for words in quick:
        answer = cli(*words)
        assert answer.code == 0 and answer.out, (words, answer.err)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in WITH_COMMANDS if any(map(is_long, commands(p)))], ids=name_of)
def test_long_commands_do_what_the_page_says(page, cli, project):
    for words in commands(page):
        # The papers' trainings are shortened; what else the commands do is done.
        short = ["--set", "training.epochs=1"] if words[0] == "run" and "--set" not in words else []
        answer = cli(*words, *short)
        assert answer.code == 0, (words, answer.err)
        if words[0] == "search":
            assert (Path(answer.last_line) / "search.html").is_file()
        if words[0] == "run":
            report = "study.html" if "seeds" in words[1] else "report.html"
            assert (Path(answer.last_line) / report).is_file()


@pytest.mark.slow
def test_the_test_commands_find_tests_and_the_linters_are_content():
    lines = {line for page in PAGES for line in shell_lines(page) if line.startswith(("python -m pytest", "ruff "))}
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        tried = [sys.executable, *words[1:], "--collect-only", "-q"] if words[0] == "python" else [*words, "--quiet"]
        done = subprocess.run(tried, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
