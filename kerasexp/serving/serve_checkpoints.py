"""`serve`: from checkpoints to a server that runs until it is stopped."""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import uvicorn

from kerasexp.serving.prediction_server import PredictionServer
from kerasexp.serving.request_limits import RequestLimits
from kerasexp.serving.served_model import NamedCheckpoint, ServedModel
from kerasexp.serving.server_metrics import ServerMetrics
from kerasexp.web.access import Access
from kerasexp.web.listener import browser_address, listen

# What is in flight when the server is stopped has so long to be answered.
STOP_SECONDS = 30


def serve_checkpoints(
    checkpoints: Sequence[NamedCheckpoint],
    access: Access,
    port: int,
    limits: RequestLimits,
    threshold: float | None = None,
    open_browser: bool = False,
) -> None:
    """Serve checkpoints until Ctrl-C or SIGTERM; requests in flight are answered first.

    Args:
        checkpoints: with the names under which they are served.
        access: the address to listen at, and who may ask.
        port: to listen at.
        limits: the most that is accepted.
        threshold: probability below which an image is unknown; None: that of each checkpoint.
        open_browser: whether to open the page in the browser.

    Raises:
        UserError: the address cannot be used, or a checkpoint cannot be loaded.
    """
    # Uvicorn raises the signal again when it has stopped; the first process of a container has no handler of its own.
    signal.signal(signal.SIGTERM, _end)
    metrics = ServerMetrics()
    with listen(access.host, port) as listener:
        models = [ServedModel.load(checkpoint, threshold, limits, metrics) for checkpoint in checkpoints]
        server = PredictionServer(models, access, limits, metrics)
        address = browser_address(access, port)
        print(f"serving {', '.join(model.name for model in models)}\n{address}\nCtrl-C ends it", flush=True)
        if open_browser:
            webbrowser.open(address)
        config = uvicorn.Config(
            server.app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        with suppress(KeyboardInterrupt):
            try:
                uvicorn.Server(config).run(sockets=[listener])
            finally:
                server.close()


def _end(signal: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
