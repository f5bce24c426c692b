"""The arithmetic of training and preprocessing, and the number that stands for it in a run's identity."""

import hashlib
import json
import platform
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasexp.config import experiment_from
from kerasexp.console import QuietConsole
from kerasexp.data.prepared_data import prepare
from kerasexp.environment import hardware, installed_version
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.identity import NUMERICS_VERSION
from kerasexp.training.fit import fit
from kerasexp.training.initial_model import build_model

GOLDEN = Path(__file__).with_name("golden_weights.json")
EXPERIMENT = {
    "name": "golden",
    "data": {
        "source": "digits",
        "labels": {"at_most": 200},
        "preprocessing": {"size": [14, 14]},
        "augmentation": {"rotation": 10, "shift": 0.1, "zoom": 0.1},
    },
    "model": {
        "name": "cnn",
        "blocks": [{"filters": 4, "batch_norm": True, "pool": 2}, {"kind": "mobile", "filters": 8}],
        "head": {"units": [8], "dropout": 0.2},
    },
    "training": {"epochs": 2, "batch_size": 32, "schedule": {"name": "cosine", "warmup": 0.2}},
}


def machine() -> str:
    """What decides the rounding of sums: processor, its instructions, cores and the versions of what computes."""
    found = hardware()
    packages = (
        f"{name} {installed_version(name)}" for name in ("tensorflow", "keras", "numpy", "opencv-python-headless")
    )
    return ", ".join(
        [platform.machine(), found["processor"], str(found["instructions"]), f"{found['cores']} cores", *packages]
    )


def test_the_same_numerics_version_gives_the_same_weights(tmp_path):
    """After a deliberate change of arithmetic raise NUMERICS_VERSION, and write the new digest into the golden file."""
    experiment = experiment_from(EXPERIMENT)
    data = prepare(experiment.data)
    model = build_model(experiment, data, None, QuietConsole())
    run = RunDirectory.create("golden", tmp_path / "run")
    fit(model, data, experiment, run, QuietConsole())
    weights = keras.models.load_model(run.model).get_weights()
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(weight).tobytes() for weight in weights)).hexdigest()
    golden = json.loads(GOLDEN.read_text())
    here = golden["digests"].get(machine())
    if here is None:
        pytest.skip(f"no golden digest for this machine ({machine()}: {digest})")
    assert golden["numerics_version"] == NUMERICS_VERSION
    assert digest == here, "other weights under the same numerics version: raise NUMERICS_VERSION, or undo the change"
