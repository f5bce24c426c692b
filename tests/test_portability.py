"""macOS and Windows, as far as Linux can show: without the modules and functions of Linux alone, the commands still work.

What cannot be shown here: the names of the system's own calls, path separators, and how Windows locks open files.
"""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from kerasexp import console
from kerasexp.cli import main
from kerasexp.config import load
from kerasexp.console import shown_words
from kerasexp.storage import safe_name

ROOT = Path(__file__).resolve().parent.parent
# Modules of POSIX, and what `os` and `signal` have on Linux and not on Windows or macOS.
MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "crypt", "spwd")
FUNCTIONS = {
    "os": (
        "sched_getaffinity", "sched_setaffinity", "fork", "forkpty", "uname", "posix_fallocate",
        "posix_fadvise", "setpgid", "getpgid", "setsid", "killpg", "getuid", "geteuid", "getgid", "getloadavg", "nice", "sysconf",
        "mkfifo", "sync", "sendfile", "memfd_create", "copy_file_range", "fchown", "chown", "lchown",
    ),
    "signal": ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "alarm", "setitimer", "pthread_sigmask", "sigwait"),
}  # fmt: skip
# What Windows lacks too, and the standard library needs on Linux itself.
ONLY_OURS = ("statvfs", "fstatvfs", "fchmod")
# Blocked once what others need of them is loaded: their wheels for these systems need something else.
SCRIPT = f"""
import sys
import asyncio, multiprocessing.connection, subprocess, tempfile, filelock
from kerasexp.backend import import_tensorflow
if sys.argv[1] == "heavy":
    import_tensorflow()
    import sklearn.linear_model, cv2, matplotlib.pyplot, tensorboard, PIL.Image
for name in {MODULES}:
    sys.modules[name] = None
for module, names in {FUNCTIONS}.items():
    for name in names:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
from kerasexp.cli import main
sys.argv = ["kerasexp", *sys.argv[2:]]
main()
"""


def run_elsewhere(kind: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run a command line in a process in which what only Linux has is missing."""
    command = [sys.executable, "-c", SCRIPT, kind, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize(
    "arguments", [["list"], ["schema"], ["--version"], ["show", "mlp/mlp"], ["new", "--example", "part1_digits"]]
)
def test_light_commands_need_nothing_of_linux(arguments):
    answer = run_elsewhere("light", *arguments)
    assert answer.returncode == 0 and answer.stdout, answer.stderr


@pytest.mark.slow
def test_a_run_and_what_follows_need_nothing_of_linux(tiny_yaml):
    answer = run_elsewhere("heavy", "run", tiny_yaml, "--set", "training.epochs=1", "--set", "report.plots=true")
    assert answer.returncode == 0, answer.stderr[-3000:]
    run = answer.stdout.rstrip().rpartition("\n")[2]
    for arguments in (
        ["run", tiny_yaml, "--set", "training.epochs=2", "--resume"],
        ["predict", run, "images/disc"],
        ["evaluate", run, "--data", "image_folder", "--data-path", "images"],
        ["check", tiny_yaml],
        ["new", "images"],
        ["doctor"],
    ):
        answer = run_elsewhere("heavy", *arguments)
        assert answer.returncode == 0 and answer.stdout, (arguments, answer.stderr[-3000:])


@pytest.mark.parametrize("choice", [None, "PYTHONIOENCODING", "PYTHONUTF8"])
def test_a_file_or_a_program_gets_utf_8_unless_the_user_has_chosen(monkeypatch, choice):
    Path("mine.yaml").write_text(
        "name: mine\ndata: {source: npz, path: x, class_names: {a: café 😀, b: tea}}\n", "utf-8"
    )
    for name in ("PYTHONIOENCODING", "PYTHONUTF8"):
        monkeypatch.delenv(name, raising=False)
    if choice is not None:
        monkeypatch.setenv(choice, "cp1252")
    stream = io.TextIOWrapper(io.BytesIO(), "cp1252")  # what Windows gives a command whose output goes to a file
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", ["kerasexp", "show", "mine.yaml"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    shown = stream.buffer.getvalue()
    assert ("café 😀".encode() in shown) == (choice is None)
    Path("shown.yaml").write_bytes(shown)
    assert choice is not None or load("shown.yaml") == load("mine.yaml")


def test_no_module_imports_what_only_posix_has():
    """Not even in a branch: `filelock`, `shutil`, `platform` and `tempfile` do the same everywhere."""
    found = []
    for file in sorted((ROOT / "kerasexp").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found += [f"{file.name}: {name}" for name in names if name.partition(".")[0] in MODULES]
    assert found == []


def test_calls_that_only_linux_has_are_behind_a_check():
    """Each is called after `hasattr`, or where an AttributeError is expected."""
    names = "|".join(FUNCTIONS["os"] + FUNCTIONS["signal"] + ONLY_OURS)
    for file in sorted((ROOT / "kerasexp").rglob("*.py")):
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(rf"\b(?:os|signal)\.({names})\b", line):
                near = "\n".join(lines[max(0, number - 3) : number + 3])
                assert "hasattr(os" in near or "AttributeError" in near, f"{file.name}:{number + 1}: {line.strip()}"


def test_text_is_read_and_written_as_utf_8():
    """The default of Windows is another encoding."""
    command = [
        "ruff",
        "check",
        "--preview",
        "--isolated",
        "--select",
        "PLW1514",
        str(ROOT / "kerasexp"),
        str(ROOT / "setup.py"),
    ]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


def test_names_of_files_are_ones_that_windows_takes():
    forbidden = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$')
    for folder in ("kerasexp", "experiments", "checkpoints"):
        for path in (ROOT / folder).rglob("*"):
            assert not forbidden.search(path.name), path
    assert not forbidden.search(safe_name('a:b?"c<d>|e*. ', "x"))


def test_the_command_that_continues_is_in_the_words_of_the_systems_shell(monkeypatch):
    path = PureWindowsPath(r"C:\my images\a.yaml")
    assert console.command_line("run", path) == r"python -m kerasexp run 'C:\my images\a.yaml'"
    monkeypatch.setattr(shown_words.os, "name", "nt")
    assert console.command_line("run", path) == r'python -m kerasexp run "C:\my images\a.yaml"'
