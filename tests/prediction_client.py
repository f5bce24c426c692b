"""A client of a prediction server without a socket, for the tests of `serve`."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

NAME = "part2_pretrained"


@cache
def loaded(path: Path):
    """Return a checkpoint as an ensemble of one, once for all tests; own folders have paths of their own."""
    from kerasexp.evaluation.ensemble import load_ensemble
    from kerasexp.saving.litert_graph import is_quicker

    return load_ensemble([path], by_litert=is_quicker())


def open_client(checkpoints: dict[str, Path], host: str = "127.0.0.1", threshold=None, explaining=None, **limits):
    """Return a client of a server of checkpoints by name, and its token; `explaining` is an executor of one thread."""
    from fastapi.testclient import TestClient

    from kerasexp.serving.prediction_server import PredictionServer
    from kerasexp.serving.request_limits import RequestLimits
    from kerasexp.serving.served_model import ServedModel
    from kerasexp.serving.server_metrics import ServerMetrics
    from kerasexp.web.access import Access

    access, limits, metrics = Access.of(host), RequestLimits(**limits), ServerMetrics()
    explaining = explaining or ThreadPoolExecutor(1)
    models = [
        ServedModel(name, loaded(path), threshold, limits, metrics, explaining) for name, path in checkpoints.items()
    ]
    app = PredictionServer(models, access, limits, metrics).app
    return TestClient(app, base_url=f"http://{host}:8000", follow_redirects=False), access.token


def send(client, body: bytes, kind: str, address: str = "/predict"):
    return client.post(address, content=body, headers={"content-type": kind.encode("latin-1")})
