"""`serve`: from checkpoints to a server that runs until it is stopped."""

from __future__ import annotations

import signal
import socket
import webbrowser
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType

import uvicorn

from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.saving.litert_graph import is_quicker
from kerasexp.serving.named_checkpoints import NamedCheckpoint
from kerasexp.serving.prediction_server import PredictionServer
from kerasexp.serving.request_limits import RequestLimits
from kerasexp.serving.served_model import ServedModel
from kerasexp.serving.server_metrics import ServerMetrics
from kerasexp.serving.silent_connections import ImpatientProtocol
from kerasexp.web.access import Access
from kerasexp.web.listener import browser_address

# What is in flight when the server is stopped has so long to be answered.
STOP_SECONDS = 30


def serve_checkpoints(
    checkpoints: Sequence[NamedCheckpoint],
    access: Access,
    listener: socket.socket,
    limits: RequestLimits,
    threshold: float | None = None,
    open_browser: bool = False,
) -> None:
    """Serve checkpoints until Ctrl-C or SIGTERM; requests in flight are answered first.

    Args:
        checkpoints: with the names under which they are served.
        access: who may ask.
        listener: a socket that listens; who connects before the checkpoints are loaded waits.
        limits: the most that is accepted.
        threshold: probability below which an image is unknown; None: that of each checkpoint.
        open_browser: whether to open the page in the browser.

    Raises:
        UserError: a checkpoint cannot be loaded, or a threshold is given and its images have several labels.
    """
    # Uvicorn raises the signal again when it has stopped; the first process of a container has no handler of its own.
    signal.signal(signal.SIGTERM, _end)
    metrics = ServerMetrics()
    # For all alike: one that has no graph yet imports TensorFlow.
    by_litert = is_quicker()
    loaded = [load_ensemble([checkpoint.path], by_litert=by_litert) for checkpoint in checkpoints]
    explaining = ThreadPoolExecutor(1, thread_name_prefix="explain")
    models = [
        ServedModel(checkpoint.name, ensemble, threshold, limits, metrics, explaining)
        for checkpoint, ensemble in zip(checkpoints, loaded, strict=True)
    ]
    server = PredictionServer(models, access, limits, metrics)
    config = uvicorn.Config(
        server.app,
        http=ImpatientProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    address = browser_address(access, listener.getsockname()[1])
    with suppress(KeyboardInterrupt):
        try:
            print(f"serving {', '.join(model.name for model in models)}\n{address}\nCtrl-C ends it", flush=True)
            if open_browser:
                webbrowser.open(address)
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            server.close()
            explaining.shutdown(cancel_futures=True)


def _end(signal: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
