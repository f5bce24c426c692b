"""Training alone, a run without the evaluation and the report that follow; and Keras's networks in files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from kerasexp.config import load_experiment
from kerasexp.console import QuietConsole
from kerasexp.data.prepared_data import prepare
from kerasexp.models import build_model
from kerasexp.runs.directory import RunDirectory
from kerasexp.training.fit import fit_by_gradients
from kerasexp.training.precision import make_deterministic
from kerasexp.training.training_result import TrainingResult


class Trained(NamedTuple):
    """The trained model, the results of the training, and its directory."""

    model: keras.Model
    fitted: TrainingResult
    run: RunDirectory


@pytest.fixture
def train(tiny_yaml):
    """Return a function that trains the tiny experiment, with changes such as `training.epochs=1`, in a directory or a new one."""

    def trained(*changes: str, run: RunDirectory | None = None) -> Trained:
        experiment = load_experiment(tiny_yaml, changes)
        data = prepare(experiment.data)
        keras.utils.set_random_seed(experiment.seed)
        make_deterministic()
        model = build_model(experiment.model, experiment.data.preprocessing, len(data.class_names), experiment.name)
        run = run or RunDirectory.create(experiment.name, None)
        return Trained(model, fit_by_gradients(model, data, experiment, run, QuietConsole()), run)

    return trained


@pytest.fixture
def table():
    """Return a function that gives the rows of a CSV file."""

    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return rows


@pytest.fixture(scope="session")
def theirs(tmp_path_factory) -> tuple[keras.Model, Path]:
    """Keras's MobileNet v2 with random weights, and a folder with it in every format."""
    keras.utils.set_random_seed(7)
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    folder = tmp_path_factory.mktemp("weights")
    model.save(folder / "whole.keras")
    model.save_weights(folder / "own.weights.h5")
    with h5py.File(folder / "mobilenet_notop.h5", "w") as file:
        save_weights_to_hdf5_group(file, model)
    return model, folder


@pytest.fixture(scope="session")
def quarter(tmp_path_factory) -> tuple[keras.Model, dict[str, Path]]:
    """A MobileNet of a quarter of the width with its top, and files of it by their endings."""
    keras.utils.set_random_seed(3)
    model = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(32, 32, 3))
    folder = tmp_path_factory.mktemp("quarter")
    files = {ending: folder / f"with_top{ending}" for ending in (".keras", ".weights.h5", ".h5")}
    model.save(files[".keras"])
    model.save_weights(files[".weights.h5"])
    with h5py.File(files[".h5"], "w") as file:
        save_weights_to_hdf5_group(file, model)
    return model, files
