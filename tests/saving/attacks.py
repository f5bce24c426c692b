"""The attacks: functions that make a model file hostile, registered in `ATTACKS` with the expected message."""

from pathlib import Path


class Payload:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


HUGE = 10**9
ATTACKS = {}


def attack(message: str):
    """Register a function that makes a model file hostile, with the message that refuses it."""

    def register(change):
        ATTACKS[change.__name__] = change, message
        return change

    return register
