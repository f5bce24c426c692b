"""How long and how much memory a refusal may take."""

import gc
import time
from contextlib import contextmanager
from pathlib import Path

SECONDS, MEBIBYTES = 1, 200
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def at_once_and_in_little_memory():
    """Fail where the block takes too long, or where the process's memory peaks too high above what it was before.

    The time is the processor's, so that what else the machine does is not counted; nor is looking for garbage among what
    thousands of tests have left. Memory is measured where the kernel can be asked to begin a new peak, which is Linux.
    """
    if RESET.exists():
        RESET.write_text("5")
    gc.disable()
    before, start = _peak(), time.process_time()
    try:
        yield
    finally:
        gc.enable()
    seconds, taken = time.process_time() - start, _peak() - before
    print(f"took {seconds:.2f} s and {taken:.0f} MiB")
    assert seconds < SECONDS and taken < MEBIBYTES


def _peak() -> float:
    """The largest memory of this process, in MiB, since the last reset."""
    if not RESET.exists():
        return 0.0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
