import socket

import pytest


@pytest.fixture
def nothing_is_downloaded(monkeypatch, tmp_path):
    """Keras's cache is empty, and MNIST's address leads to a port where nobody listens."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", f"http://127.0.0.1:{port}/mnist.npz")
