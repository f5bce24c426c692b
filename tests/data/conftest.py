import socket

import pytest
from folder_trees import write_folder
from tables import FILES, write_csv_table


@pytest.fixture
def nothing_is_downloaded(monkeypatch, tmp_path):
    """Keras's cache is empty, and MNIST's address leads to a port where nobody listens."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr("kerasexp.data.sources.mnist.URL", f"http://127.0.0.1:{port}/mnist.npz")


@pytest.fixture
def made_table(tmp_path):
    """Writes a table and its images side by side, and returns the path of the table."""

    def make(rows, content=None, **dialect):
        write_folder(tmp_path / "data", FILES if content is None else content)
        return write_csv_table(tmp_path / "data" / "labels.csv", rows, **dialect)

    return make
