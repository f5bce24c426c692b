"""What makes a checkpoint hostile: functions that change a model file, entered in `ATTACKS` with what is to be told."""

from pathlib import Path


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


HUGE = 10**9
ATTACKS = {}


def attack(told: str):
    """Enter a function that makes a model file hostile, with what is to be told about it."""

    def enter(change):
        ATTACKS[change.__name__] = change, told
        return change

    return enter
