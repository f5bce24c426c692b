"""`serve` by LiteRT: it starts without TensorFlow, answers as `predict` does, and still explains."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import keras
import pytest
from hostile_bodies import image_file
from keras import layers
from prediction_client import NAME, loaded, open_client, send

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.environment import missing_of
from kerasexp.evaluation.ensemble import load_ensemble
from kerasexp.evaluation.file_predictions import ImageFile, predict_files
from kerasexp.saving import litert_graph
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars
from kerasexp.saving.litert_graph import LiteRtModel

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)
ROOT = Path(__file__).resolve().parents[2]
# Starts `serve` up to where it would listen, and prints what it has imported.
START = """
import sys
import uvicorn
heavy = {'tensorflow', 'keras', 'sklearn', 'scipy.stats', 'matplotlib'}
uvicorn.Server.run = lambda server, sockets: print('imported:', *sorted(heavy & sys.modules.keys()))
from kerasexp.cli import main
main()
"""
EXPLAIN = "/predict?explain=true"


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch):
    """Let this process load checkpoints as one does that has not imported TensorFlow."""
    pytest.importorskip(litert_graph.RUNTIME, reason="LiteRT's runtime, ai-edge-litert, is not installed")
    monkeypatch.setattr(litert_graph, "LARGEST", 2**28)
    monkeypatch.setattr(litert_graph, "is_quicker", lambda: True)
    loaded.cache_clear()
    yield
    loaded.cache_clear()


@pytest.fixture
def quick() -> Path:
    """A checkpoint with a convolution and random weights, whose graph has been made."""
    images = keras.Input((12, 12, 1), dtype="uint8")
    maps = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(images))
    folder, names = Path("quick"), ["a", "b", "c"]
    folder.mkdir()
    keras.Model(images, layers.Dense(3, activation="softmax")(layers.Flatten()(maps))).save(folder / "model.keras")
    write_sidecars(folder, names, {}, Preprocessing(size=[12, 12]))
    load_checkpoint(folder, by_litert=True)
    assert isinstance(load_checkpoint(folder, by_litert=True).model, LiteRtModel)
    return folder


def test_it_answers_as_predict_does(quick):
    client, _ = open_client({"quick": quick})
    assert isinstance(loaded(quick).members[0].model, LiteRtModel)
    assert client.get("/models").json()[0]["explains"] is True
    ensemble = load_ensemble([quick], by_litert=True)
    for side in (20, 64, 100):
        files = [ImageFile.in_memory("image 0", image_file(side=side))]
        assert send(client, image_file(side=side), "image/png").json() == predict_files(ensemble, files, 3)


def test_more_images_than_the_runtime_takes_at_a_time(quick):
    client, _ = open_client({"quick": quick})
    count = 2 * litert_graph.BATCH + 3
    answer = client.post("/predict", files=[("files", (f"{k}.png", image_file(side=20 + k))) for k in range(count)])
    files = [ImageFile.in_memory(f"{k}.png", image_file(side=20 + k)) for k in range(count)]
    found, expected = answer.json(), predict_files(load_ensemble([quick], by_litert=True), files, 3)
    assert [one["file"] for one in found] == [one["file"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["class"] == other["class"] and one["probability"] == pytest.approx(other["probability"], abs=2e-6)


def test_it_explains_as_keras_does(quick, monkeypatch):
    client, _ = open_client({"quick": quick})
    (by_litert,) = send(client, image_file(), "image/png", EXPLAIN).json()
    loaded.cache_clear()
    monkeypatch.setattr(litert_graph, "is_quicker", lambda: False)
    (by_keras,) = send(open_client({"quick": quick})[0], image_file(), "image/png", EXPLAIN).json()
    assert by_litert["input"] == by_keras["input"] and by_litert["heat_map"] == by_keras["heat_map"]


def test_predictions_do_not_wait_for_the_layers_of_an_explanation(quick):
    with ThreadPoolExecutor(1) as explaining, ThreadPoolExecutor(1) as other:
        client, _ = open_client({"quick": quick}, explaining=explaining)
        go_on = Event()
        explaining.submit(go_on.wait, 60)
        explained = other.submit(send, client, image_file(), "image/png", EXPLAIN)
        try:
            assert send(client, image_file(), "image/png").status_code == 200 and not explained.done()
        finally:
            go_on.set()
        assert "heat_map" in explained.result(60).json()[0]


def test_the_page_begins_to_load_the_layers(quick, monkeypatch):
    read = []
    monkeypatch.setattr(
        "kerasexp.serving.explainer.load_checkpoint", lambda path: read.append(path) or load_checkpoint(path)
    )
    with ThreadPoolExecutor(1) as explaining:
        client, _ = open_client({"quick": quick}, explaining=explaining)
        send(client, image_file(), "image/png")
        assert not read
        for _ in range(2):
            assert client.get("/").status_code == 200
        assert "heat_map" in send(client, image_file(), "image/png", EXPLAIN).json()[0]
    assert len(read) == 1


def test_another_network_in_the_place_of_the_served_one_is_not_explained(quick, capsys):
    client, _ = open_client({"quick": quick})
    model = keras.models.load_model(quick / "model.keras")
    model.set_weights([2 * weight for weight in model.get_weights()])
    model.save(quick / "model.keras")
    assert send(client, image_file(), "image/png", EXPLAIN).status_code == 500
    assert "model.keras: has changed since it was served" in capsys.readouterr().err
    assert send(client, image_file(), "image/png").status_code == 200


def imported_at_start(*checkpoints: Path) -> set[str]:
    """Return which heavy packages `serve` has imported when it listens."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-W", "ignore", "-c", START, "serve", *map(str, checkpoints)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("imported:").split())


def test_it_starts_without_tensorflow(quick):
    another = shutil.copytree(quick, "another")
    assert imported_at_start(quick, another) == set()


@pytest.mark.slow
def test_the_first_start_makes_the_graph():
    shipped = shipped_checkpoints()[NAME]
    first, second = imported_at_start(shipped), imported_at_start(shipped)
    assert "tensorflow" in first and second == set()
