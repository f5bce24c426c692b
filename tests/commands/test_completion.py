"""Shell completion, and the command line without arguments."""

import os
import subprocess
import sys

import pytest

from kerasexp import __version__
from kerasexp.commands.options import complete_checkpoint, complete_example, complete_experiment


def completed(*words: str) -> list[str]:
    """What bash is offered after these words, the last of them unfinished."""
    script = (
        "import sys; sys.argv = ['kerasexp']; from kerasexp.cli import main\n"
        "try: main()\n"
        "finally: assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    environment = {
        **os.environ,
        "_KERASEXP_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(["kerasexp", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def test_the_shell_completes_commands_names_and_paths(write_files):
    assert {"predict", "pack"} == set(completed("p"))
    assert completed("run", "mlp/") == ["mlp/best", "mlp/mlp", "mlp/mlp_search"]
    assert completed("predict", "part") == ["part1_scans", "part2_pretrained", "partial/"]
    assert completed("new", "--example", "rare") == [
        "rare_classes_1_percent",
        "rare_classes_none",
        "rare_classes_tenth_percent",
    ]


@pytest.fixture
def write_files(tmp_path):
    for name in (
        "partial/own.yaml",
        "partial/model.keras",
        "partial/image.png",
        "experiments/mine.yaml",
        ".hidden.yaml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()


def test_experiments_are_names_files_and_folders(write_files):
    assert complete_experiment("partial/") == ["partial/own.yaml"]
    assert complete_experiment("mi") == ["mine"]
    assert {"mine", "part1_digits", "mlp/mlp", "partial/", "experiments/"} <= set(complete_experiment(""))
    assert not any(name.startswith((".", "_")) for name in complete_experiment(""))
    assert complete_experiment("nothing") == complete_experiment("gone/x") == []


def test_checkpoints_are_names_models_and_folders(write_files):
    assert complete_checkpoint("part") == ["part1_scans", "part2_pretrained", "partial/"]
    assert complete_checkpoint("partial/") == ["partial/model.keras"]
    assert complete_example("part1_d") == ["part1_digits", "part1_digits_best"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_for_the_command_kerasexp(shell):
    """Also where `python -m kerasexp` shows it. Without the variable, typer takes the shell that it runs in."""
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "kerasexp", "--show-completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "_KERASEXP_COMPLETE" in done.stdout, done.stderr


def test_without_arguments_the_first_steps_are_shown(cli):
    answer = cli()
    assert (answer.code, answer.err) == (0, "")
    for command in ("run part1_digits", "new my_images", "predict part1_scans my_scan.png", "--help"):
        assert f"python -m kerasexp {command}" in answer.out
    assert len(answer.out.splitlines()) < 16
    assert cli("--version").out == f"kerasexp {__version__}\n"
