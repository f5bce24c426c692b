"""The process of a job: it holds the job's lock, runs the command, and writes its exit code, with or without a server.

python -m kerasexp.browser.job_process LOCK CODE COMMAND...
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasexp.storage import exclusive_lock, write_json


def run_job(lock: Path, code: Path, command: Sequence[str]) -> None:
    """Run a command while a file is locked; write its exit code to another file. Ctrl-C and SIGTERM are passed on to it."""
    started: list[subprocess.Popen] = []
    asked: list[int] = []

    def pass_on(number: int, _: object) -> None:
        if not started:  # a moment later there is a process
            asked.append(number)
        for process in started:
            process.send_signal(number)

    with exclusive_lock(lock):
        # Before the command begins: it would inherit that Ctrl-C is ignored, as it is in a server in the background.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, pass_on)
        started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        for number in asked[:1]:
            started[0].send_signal(number)
        write_json(code, {"code": started[0].wait()})


if __name__ == "__main__":
    run_job(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
