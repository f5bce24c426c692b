"""A console for programs: one JSON object a line."""

from __future__ import annotations

import json

from kerasexp.console.events import Event, Heading
from kerasexp.console.plain_console import Console


class JsonConsole(Console):
    """Prints each event as a JSON object on a line of its own; the answer is in the last one."""

    def show(self, event: Event) -> None:
        if isinstance(event, Heading):  # what follows begins with an event of its own
            return
        print(json.dumps(event.to_json(), allow_nan=False), file=self._file, flush=True)

    def answer(self, text: object) -> None:
        pass
