"""Where ImageNet weights would come from: Keras's cache, the user's folder, or a server, of which only the size is asked."""

import http.server
import socket
import threading
import time
from dataclasses import replace

import pytest

from kerasexp.config.application_files import weight_file
from kerasexp.config.model_section import MobileNet
from kerasexp.training import imagenet_files
from kerasexp.training.imagenet_files import imagenet_origin

MODEL = MobileNet(name="mobilenet_v2")
FILE = weight_file(MODEL, 224, False).name


@pytest.fixture(autouse=True)
def empty_places(monkeypatch, tmp_path):
    """Neither folder has a file, and nobody answers."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at_server(monkeypatch, port)
    return tmp_path


def at_server(monkeypatch, port: int) -> None:
    def at_port(model, side: int, with_top: bool):
        file = weight_file(model, side, with_top)
        return replace(file, url=f"http://127.0.0.1:{port}/{file.name}")

    monkeypatch.setattr(imagenet_files, "weight_file", at_port)


@pytest.mark.parametrize("folder", ["keras/models", "data/models"])
def test_a_file_is_found(folder, empty_places):
    place = empty_places / folder
    place.mkdir(parents=True)
    (place / FILE).write_bytes(b"")
    assert imagenet_origin(MODEL, 224) == f"found in {place}"


def test_without_an_answer_there_are_none():
    began = time.monotonic()
    assert imagenet_origin(MODEL, 224) is None
    assert time.monotonic() - began < imagenet_files.PROBE_SECONDS + 1


@pytest.mark.parametrize(
    ("status", "length", "expected"),
    [(200, "9400000", "which the first `run` downloads (9 MB)"), (404, "9", None), (200, None, None)],
)
def test_a_server_is_asked_for_the_size_and_for_nothing_else(monkeypatch, empty_places, status, length, expected):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(status)
            if length is not None:
                self.send_header("Content-Length", length)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at_server(monkeypatch, server.server_port)
    assert imagenet_origin(MODEL, 224) == expected
    server.shutdown()
    assert asked == [f"/{FILE}"] and not (empty_places / "keras").exists()
