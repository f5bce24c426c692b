"""Runs with unusual data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

ODD_NAMES = ["\"double\" & 'single'", "<script>document.title = 'taken over'</script>", "日本語", "עברית", "naïve café"]


@pytest.fixture
def npz_run(cli, tmp_path) -> Callable[..., Path]:
    """Return a function that trains a little on generated images and returns the run directory.

    Args of the function: number of classes; classes of the test split; number of test images of each; names.
    """

    def run(classes: int, tested: list[int], each: int, names: list[str] | None = None, epochs: int = 1) -> Path:
        generator = np.random.default_rng(0)
        patterns = generator.integers(0, 256, (classes, 8, 8))

        def drawn(labels):
            noise = generator.integers(-20, 21, (len(labels), 8, 8))
            return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8)

        train, test = np.repeat(np.arange(classes), 8), np.repeat(tested, each)
        np.savez(tmp_path / "made.npz", x_train=drawn(train), y_train=train, x_test=drawn(test), y_test=test)
        data = {"source": "npz", "path": "made.npz", "validation": 0.25, "preprocessing": {"size": [8, 8]}}
        if names is not None:
            data["class_names"] = {str(k): name for k, name in enumerate(names)}
        experiment = {
            "data": data,
            "model": {"name": "cnn", "blocks": [{"filters": 4}], "head": {"units": [16]}},
            "training": {"epochs": epochs, "batch_size": 16, "optimizer": {"name": "adam", "learning_rate": 0.003}},
        }
        path = tmp_path / "odd.yaml"
        path.write_text(yaml.safe_dump(experiment, allow_unicode=True), encoding="utf-8")
        answer = cli("run", path)
        assert (answer.code, answer.err) == (0, ""), answer.err
        return Path(answer.last_line)

    return run


@pytest.fixture
def odd_names() -> list[str]:
    """Names that need escaping or other fonts."""
    return ODD_NAMES
