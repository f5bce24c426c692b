"""A client that the tests of a file share."""

from pathlib import Path

import pytest
from prediction_client import NAME, open_client


@pytest.fixture(scope="module")
def client():
    return open_client({NAME: Path(NAME)})[0]
