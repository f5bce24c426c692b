from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file into the working folder and returns its path."""

    def write_file(text: str | bytes, name: str = "exp.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file
