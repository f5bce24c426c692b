"""`serve` in a process of its own, and drawings on its page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from drawn_digits import Stroke


@contextmanager
def served(*arguments: object, **variables: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """Yield a running `serve` and its address.

    Args:
        arguments: checkpoints and options.
        variables: of its environment.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kerasexp", "serve", *map(str, arguments), "--port", str(port)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout.readline().startswith("serving ")
        assert server.stdout.readline().startswith(site := f"http://127.0.0.1:{port}/")
        yield server, site.rstrip("/")
    finally:
        server.kill()
        server.wait()


def draw(browser: Any, strokes: Sequence[Stroke]) -> None:
    """Draw with the mouse on the page's paper, by events of the DevTools protocol."""
    box = "const box = document.getElementById('canvas').getBoundingClientRect(); return [box.left, box.top, box.width]"
    left, top, width = browser.execute_script(box)

    def mouse(kind: str, x: float, y: float) -> None:
        place = {"x": left + x * width, "y": top + y * width}
        event = {"type": f"mouse{kind}", "button": "left", "buttons": 1, "clickCount": 1, **place}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    for stroke in strokes:
        mouse("Pressed", *stroke[0])
        for point in stroke[1:]:
            mouse("Moved", *point)
        mouse("Released", *stroke[-1])


def answer(browser: Any) -> str:
    """Return the answer that the page shows for what is on the paper."""
    from browser_pages import wait_until

    settled = (
        "return !document.body.classList.contains('busy') && !isStale && document.getElementById('time').textContent"
    )
    wait_until(browser, lambda: browser.execute_script(settled), 90)  # the first one waits for the import of TensorFlow
    return browser.execute_script("return document.querySelector('#answer strong').textContent")
