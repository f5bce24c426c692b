"""A run's identity: what came later and is off leaves it as it was."""

import hashlib
import json

import pytest

from kerasexp.config import Experiment, load_experiment
from kerasexp.config.augmentation_section import Augmentation, Elastic, RandAugment
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.runs.identity import LATER_AUGMENTATIONS, identify

# The keys of `data.augmentation` when the numerics version was last raised; `crop` and `layers` are left out where they are empty.
FIRST = {"rotation", "shift", "zoom", "shear", "flip", "stroke", "color", "erase", "fill", "crop", "layers"}


@pytest.fixture
def tiny(tiny_yaml) -> tuple[Experiment, PreparedData]:
    experiment = load_experiment(tiny_yaml)
    return experiment, prepare(experiment.data)


def test_each_augmentation_is_in_the_identity_from_the_start_or_left_out_where_it_is_off(tiny, monkeypatch):
    assert FIRST | LATER_AUGMENTATIONS.keys() == Augmentation.model_fields.keys()
    for key, default in LATER_AUGMENTATIONS.items():
        assert Augmentation.model_fields[key].get_default() == default, key
    dumped = []

    def watched(content: bytes):
        dumped.append(json.loads(content))
        return hashlib.md5(content)

    monkeypatch.setattr("kerasexp.runs.identity.hashlib.sha256", watched)
    identify(*tiny, None)
    found = dumped[0][2]["augmentation"]
    assert found.keys() == FIRST - {"crop", "layers"} and found["shift"] == 0.1


CHANGES = [
    {"hue": 0.1},
    {"blur": 1},
    {"erase": 1, "erase_fill": "black"},
    {"elastic": Elastic()},
    {"rand_augment": RandAugment()},
    {"mixup": 0.2},
    {"cutmix": 1.0},
    {"mixup": 0.2, "mix_share": 0.5},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_that_is_on_makes_another_run(tiny, change):
    experiment, data = tiny
    augmentation = experiment.data.augmentation.model_copy(update=change)
    other = experiment.model_copy(update={"data": experiment.data.model_copy(update={"augmentation": augmentation})})
    assert identify(other, data, None) != identify(experiment, data, None)
