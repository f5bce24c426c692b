"""MNIST: from the data folder, from Keras's cache, or downloaded."""

import contextlib
import hashlib
import io
import socket
import threading
import time

import numpy as np
import pytest

from kerasexp.config.data_section import DataSource
from kerasexp.data.source import MissingData
from kerasexp.data.sources.mnist import load_mnist
from kerasexp.errors import UserError

pytestmark = pytest.mark.usefixtures("nothing_is_downloaded")

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
LABELS = np.arange(12) % 3


@pytest.fixture
def mnist_bytes() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:4], y_test=LABELS[:4])
    return file.getvalue()


@pytest.fixture
def serve(monkeypatch):
    """Serves bytes as MNIST's address: a whole answer, or the body of one."""
    sockets = []

    def start(answer: bytes) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def reply():
            with contextlib.suppress(OSError):  # nobody came
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=reply, daemon=True).start()
        monkeypatch.setattr(
            "kerasexp.data.sources.mnist.URL", f"http://127.0.0.1:{listener.getsockname()[1]}/mnist.npz"
        )

    yield start
    for listener in sockets:
        listener.close()


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_mnist_is_read_from_the_data_folder_first(mnist_bytes, monkeypatch, tmp_path):
    for name in ("data", "keras/datasets"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "mnist.npz").write_bytes(mnist_bytes)
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    source = load_mnist(DataSource())
    assert source.origin == "MNIST from $KERASEXP_DATA"
    assert {split: len(images) for split, images in source.splits.items()} == {"train": 12, "test": 4}


def test_mnist_is_read_from_the_cache_of_keras(mnist_bytes, tmp_path):
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    (tmp_path / "keras" / "datasets" / "mnist.npz").write_bytes(mnist_bytes)
    train = load_mnist(DataSource()).splits["train"]
    assert np.array_equal([train.read(i)[..., 0] for i in range(len(train))], IMAGES)


def test_unavailable_mnist_is_missing_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    began = time.monotonic()
    with pytest.raises(MissingData) as missing:
        load_mnist(DataSource())
    assert time.monotonic() - began < 5
    for place in (
        tmp_path / "data" / "mnist.npz",
        tmp_path / "keras" / "datasets" / "mnist.npz",
        "127.0.0.1",
        "refused",
    ):
        assert str(place) in str(missing.value)


def test_mnist_is_downloaded_into_the_cache_of_keras(mnist_bytes, serve, monkeypatch, tmp_path):
    monkeypatch.setattr("kerasexp.data.sources.mnist.SHA256", hashlib.sha256(mnist_bytes).hexdigest())
    serve(answer(mnist_bytes))
    for _ in range(2):  # the second time, nobody answers
        assert len(load_mnist(DataSource()).splits["train"]) == 12
    assert [path.name for path in (tmp_path / "keras" / "datasets").iterdir()] == ["mnist.npz"]


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"another file"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\ncut off",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n?",
        b"this is no HTTP\r\n\r\n",
        b"",
    ],
    ids=["another file", "cut off", "cut off in a chunk", "404", "no length", "no HTTP", "nothing"],
)
def test_a_download_that_fails_leaves_nothing_behind(serve, tmp_path, reply):
    serve(reply)
    with pytest.raises(MissingData, match=r"127\.0\.0\.1"):
        load_mnist(DataSource())
    assert list((tmp_path / "keras" / "datasets").iterdir()) == []


def test_a_download_that_cannot_be_written_is_missing_data(serve, tmp_path, mnist_bytes):
    serve(answer(mnist_bytes))
    (tmp_path / "keras").write_text("a file where a folder should be")
    with pytest.raises(MissingData):
        load_mnist(DataSource())


def test_a_damaged_mnist_is_refused_and_not_replaced(mnist_bytes, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist.npz").write_bytes(mnist_bytes[:300])
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    with pytest.raises(UserError, match=r"data/mnist\.npz: cannot be read"):
        load_mnist(DataSource())
