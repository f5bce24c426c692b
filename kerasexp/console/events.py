"""What is reported while a command runs. People read an event as text, programs as the fields of a JSON object."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from kerasexp.errors import KerasexpError, UserError


@dataclass(frozen=True)
class Event:
    """Something that happened. `str` is its text; a subclass adds the fields, which become keys of the JSON object.

    Attributes:
        event: the name of the kind, under the key `event`.
        hidden: fields that only the text needs.
    """

    event: ClassVar[str]
    hidden: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the event as plain JSON values; a number that is not finite is None."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.hidden}
        return {"event": self.event, **{key: _plain(value) for key, value in shown.items()}}


@dataclass(frozen=True)
class Note(Event):
    """A sentence that fits no other event."""

    message: str
    event: ClassVar[str] = "note"

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Heading(Note):
    """A title above what follows."""

    def __str__(self) -> str:
        return f"\n{self.message}"


@dataclass(frozen=True)
class Warned(Note):
    """Something that a user should know even where progress is not shown."""

    event: ClassVar[str] = "warning"


@dataclass(frozen=True)
class Started(Event):
    """The directory of a run, a study or a search exists, and its work begins.

    Attributes:
        kind: `run`, `study` or `search`.
        name: of the experiment.
        run: its directory.
        resumed: whether it continues what was there.
        epochs: of a run that has epochs.
        jobs: of a study, its runs; of a search, its trials at most, where that is known.
    """

    kind: str
    name: str
    run: Path
    resumed: bool = False
    epochs: int | None = None
    jobs: int | None = None
    event: ClassVar[str] = "started"

    def __str__(self) -> str:
        return f"{'resuming' if self.resumed else self.kind + ' directory:'} {self.run}"


@dataclass(frozen=True)
class Finished(Event):
    """A run, a study or a search has ended well; the command's own is its last event.

    Attributes:
        kind: `run`, `study`, `search` or `reproduction`.
        name: of the experiment.
        run: its directory.
        report: its page, if there is one.
        metrics: what it has measured, in groups.
        seconds: how long it took; of a run, its training.
        text: what people read.
    """

    kind: str
    name: str
    run: Path
    report: Path | None
    metrics: dict[str, Any]
    seconds: float | None = None
    text: str = field(default="", kw_only=True)
    event: ClassVar[str] = "finished"
    hidden: ClassVar[tuple[str, ...]] = ("text",)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class JobEnded(Event):
    """A run of a study or a trial of a search has ended.

    Attributes:
        kind: `study` or `search`.
        job: the variant, or the id of the trial.
        seed: of its experiment.
        run: its directory.
        status: `finished`, `failed`, or another word for a trial.
        done, total: how many have ended, and how many there are if that is known.
        metrics: its own.
        so_far: of a search, the best trial; of a study, the means of the variant's metrics over the seeds that have finished.
        values: of a trial, what the search chose.
        cause: of its failure.
        text: what people read.
    """

    kind: str
    job: str
    seed: int
    run: Path
    status: str
    done: int
    total: int | None
    metrics: dict[str, Any]
    so_far: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    cause: str | None = None
    text: str = field(default="", kw_only=True)
    event: ClassVar[str] = "job"
    hidden: ClassVar[tuple[str, ...]] = ("text",)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Failed(Event):
    """The command ends with an error.

    Attributes:
        cause: the message.
        exit_code: of the command: 2 for a mistake of the user, 1 for a failure, 128 and the signal if it was stopped.
        problems: of a mistake of the user, each with `message`, and `file` and `key` where they are known.
    """

    cause: str
    exit_code: int
    problems: list[dict[str, Any]] = field(default_factory=list)
    event: ClassVar[str] = "failed"

    @staticmethod
    def of(error: BaseException) -> Failed:
        """Return the event of an error that ends the command."""
        if isinstance(error, UserError):
            return Failed(str(error), error.exit_code, [asdict(problem) for problem in error.problems])
        if isinstance(error, KerasexpError):
            return Failed(str(error), error.exit_code)
        return Failed(f"{type(error).__name__}: {error}", 1)

    def __str__(self) -> str:
        return f"error: {self.cause}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
