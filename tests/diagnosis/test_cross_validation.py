"""Predictions for images by models that were not trained on them."""

from dataclasses import replace

import numpy as np
import pytest

from kerasexp.data.prepared_data import Split
from kerasexp.diagnosis import label_cross_validation as cross_validation
from kerasexp.diagnosis.diagnose import _one_polarity
from kerasexp.diagnosis.label_cross_validation import cross_validate
from kerasexp.diagnosis.target import Target


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(cross_validation, "MAX_EPOCHS", 12)


def drawn(labels: np.ndarray) -> Split:
    """Draw images of two classes: one bright half each, and noise."""
    images = np.random.default_rng(0).integers(0, 100, (len(labels), 8, 8, 1)).astype(np.uint8)
    images[labels == 1, :4] += 150
    images[labels == 0, 4:] += 150
    return Split(images, labels, [""] * len(labels))


@pytest.mark.slow
def test_separable_classes_are_predicted_the_same_each_time_and_every_step_is_counted():
    labels = np.random.default_rng(1).integers(0, 2, 301)
    steps = []
    found = cross_validate(drawn(labels), {"test": drawn(labels[:5]).images}, 2, 0, lambda *step: steps.append(step))
    assert found.positions.tolist() == list(range(301)) and found.y_score.shape == (301, 2)
    assert found.y_score.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.y_score.argmax(axis=1) == labels).mean() > 0.95 and found.model_error < 0.1
    assert found.others["test"].argmax(axis=1).tolist() == labels[:5].tolist()
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1)) and steps[-1][0] == steps[-1][1]
    again = cross_validate(drawn(labels), {}, 2, 0, lambda *step: None)
    assert np.array_equal(found.y_score, again.y_score)


def test_no_model_predicts_its_own_training_images():
    """Labels independent of the images can only be memorised, which would show as high accuracy."""
    labels = np.random.default_rng(2).integers(0, 2, 300)
    images = drawn(np.zeros(300, int)).images
    found = cross_validate(Split(images, labels, [""] * 300), {}, 2, 0, lambda *step: None)
    assert 0.35 < (found.y_score.argmax(axis=1) == labels).mean() < 0.65 and found.model_error > 0.5


def test_large_images_are_read_some_at_a_time(read_later, monkeypatch):
    class Read(Exception):
        """All images were read."""

    def stop(*_):
        raise Read

    monkeypatch.setattr(cross_validation, "SIDE", 4)
    monkeypatch.setattr(cross_validation, "_compiled_cnn", stop)
    labels = np.arange(30) % 2
    train, test = (read_later(drawn(labels).images) for _ in range(2))
    with pytest.raises(Read):
        cross_validate(Split(train, labels, [""] * 30), {"test": test.take(labels)}, 2, 0, lambda *step: None)
    assert train.read == test.read == [7, 7, 7, 7, 2]


def test_groups_are_kept_in_one_third(monkeypatch):
    class Parted(Exception):
        """The images were divided."""

    def stop(labels, parts, seed, groups):
        raise Parted(groups)

    monkeypatch.setattr(cross_validation, "stratified_parts", stop)
    labels = np.arange(30) % 2
    split = replace(drawn(labels), groups=[f"w{number // 5}" for number in range(30)])
    with pytest.raises(Parted) as parted:
        cross_validate(split, {}, 2, 0, lambda *step: None)
    assert parted.value.args[0] == split.groups


@pytest.mark.slow
def test_thirds_of_groups_are_trained_for_as_many_steps():
    labels, steps = np.arange(600) % 2, []
    split = replace(drawn(labels), groups=["a"] * 400 + ["b"] * 100 + ["c"] * 100)
    found = cross_validate(split, {}, 2, 0, lambda *step: steps.append(step))
    assert (found.y_score.argmax(axis=1) == labels).mean() > 0.9
    done = [step for step, _ in steps]
    assert done == sorted(done) and done[-1] == steps[-1][1]


def test_the_ink_of_a_bare_source_gets_one_polarity_when_it_is_read(read_later):
    pages = np.full((20, 8, 8, 1), 255, np.uint8)
    pages[:, 3:5, 3:5] = 40
    pages[::3] = 255 - pages[::3]
    later, bare = read_later(pages), Target("pages", None, from_file=False)
    ink = _one_polarity(later, bare)
    assert later.read == [] and np.array_equal(ink[3:9], _one_polarity(pages, bare)[3:9]) and later.read == [6]
    assert not np.asarray(ink)[:, 0].any()
