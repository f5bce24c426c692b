"""Data that another process has prepared are taken as they are."""

import pytest

from kerasexp.config import experiment_from
from kerasexp.data import prepared_data as preparation
from kerasexp.data.prepared_data import hold, key_of, prepare


@pytest.fixture(autouse=True)
def nothing_held_after():
    yield
    hold({})


def test_held_data_are_not_prepared_again(monkeypatch):
    data = experiment_from({"name": "x", "data": {"source": "digits"}}).data
    prepared = prepare(data)
    hold({key_of(data): prepared})
    monkeypatch.setattr(preparation, "load_source", lambda data: pytest.fail("read again"))
    assert prepare(data) is prepared
    turned = experiment_from({"name": "x", "data": {"source": "digits", "augmentation": {"rotation": 5}}}).data
    assert prepare(turned) is prepared and preparation.is_held(turned)


def test_other_data_are():
    data = experiment_from({"name": "x", "data": {"source": "digits"}}).data
    hold({key_of(data): prepare(data)})
    other = experiment_from({"name": "x", "data": {"source": "digits", "validation": 0.3}}).data
    assert len(prepare(other).splits["val"]) > len(prepare(data).splits["val"])
    hold({})
    assert prepare(data) is not prepare(data)
