"""What a card, which is made to be shared, leaves out."""

from __future__ import annotations

from kerasexp.config import Experiment
from kerasexp.runs.checkpoint_card import shared_keys


def test_the_experiment_on_a_card_has_no_tracker_and_no_folder_of_this_machine():
    data = {"source": "image_folder", "path": "/home/someone/my_images/"}
    track = {"mlflow": {"uri": "http://inside:5000"}}
    shared = shared_keys(Experiment.model_validate({"name": "a", "data": data, "track": track}))
    assert "track" not in shared and shared["data"]["path"] == "my_images"


def test_relative_paths_stay():
    data = {"source": "image_folder", "path": "data/my_images"}
    assert shared_keys(Experiment.model_validate({"name": "a", "data": data}))["data"]["path"] == "data/my_images"
