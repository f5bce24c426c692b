"""The keys of runs in lists, filters and sorting: `test.accuracy`, `model.name`, or `learning_rate` for the only key so named."""

from __future__ import annotations

from collections.abc import Iterable

from kerasexp.errors import Problem, UserError, closest, listing

COLUMNS = ("path", "kind", "status", "val.accuracy", "test.accuracy", "epochs", "seconds", "tags", "changes")
# What lists are sorted by.
NEWEST_FIRST = "-started"
# Keys that every folder has, also one without a run, so that a question about them is always allowed.
ALWAYS = (
    "path", "kind", "of", "name", "status", "started", "ended", "epochs", "seconds", "minutes", "runs", "finished", "best",
    "tags", "note", "archived", "changes", "cause", "val.accuracy", "test.accuracy", "val.loss", "test.loss",
)  # fmt: skip
# Ends of the names of metrics and costs of which less is better.
LESS_IS_BETTER = ("loss", "nll", "brier", "ece", "_calibrated", "seconds", "minutes", "flops", "parameters", "epochs")


class RunKeys:
    """The keys that a folder of runs has.

    Args:
        held: those of its runs.
    """

    def __init__(self, held: Iterable[str]):
        self.names = list(dict.fromkeys([*ALWAYS, *held]))

    def full(self, given: str) -> str:
        """Return a key that is given in full, or by an end that no other key has, such as `learning_rate`.

        Raises:
            KeyError: there is no such key, or several end so; its text says so, with the nearest.
        """
        if given in self.names:
            return given
        ends = [name for name in self.names if given and name.endswith(f".{given}")]
        # A paper's metrics have the names of ours.
        ending = [name for name in ends if not name.startswith("reported.")] or ends
        if len(ending) == 1:
            return ending[0]
        if ending:
            raise KeyError(f"got '{given}', and several keys end so: {listing(ending)}")
        lasts = {name.rpartition(".")[2] for name in self.names}
        advice = closest(given, self.names) or closest(given, lasts) or "; --columns all shows all keys"
        raise KeyError(f"no run has '{given}'{advice}")

    def of_option(self, given: str, option: str) -> str:
        """Return a key as `full`; raise UserError in place of KeyError."""
        try:
            return self.full(given)
        except KeyError as error:
            raise UserError(Problem(error.args[0], key=option)) from None


def less_is_better(key: str) -> bool:
    """Return whether less is better of a metric or a cost."""
    return key.endswith(LESS_IS_BETTER)
