"""Accuracy on thinned and thickened strokes, of a model that looks at nothing but the amount of ink."""

import shutil

import cv2
import keras
import numpy as np
import pytest

from kerasexp.config.data_section import Data
from kerasexp.data.prepared_data import prepare
from kerasexp.evaluation.predictions import predict_split
from kerasexp.evaluation.stroke_width_metrics import stored_images, stroke_width_metrics
from kerasexp.report.report_missing_parts import Unavailable

WIDTHS = {"a": 6, "A": 12}


@pytest.fixture
def data(tmp_path) -> Data:
    """Lines of two pens, dark on white, in two classes whose names differ in case only."""
    for pen in WIDTHS.values():
        folder = tmp_path / "lines" / f"pen{pen:02d}"
        folder.mkdir(parents=True)
        for number in range(10):
            page = np.full((100, 120), 255, np.uint8)
            cv2.line(page, (30, 20 + 5 * number), (90, 30 + 5 * number), 0, pen, cv2.LINE_AA)
            cv2.imwrite(str(folder / f"{number}.png"), page)
    names = {f"pen{pen:02d}": name for name, pen in WIDTHS.items()}
    return Data(
        source="image_folder",
        path=str(tmp_path / "lines"),
        class_names=names,
        preprocessing={"size": [24, 24], "invert": "auto"},
        validation=0.4,
    )


@pytest.fixture
def model(data) -> keras.Model:
    """Answers `A` for more ink than that of a pen of 9 pixels."""
    train = prepare(data).splits["train"]
    ink = np.asarray(train.images).mean(axis=(1, 2, 3))
    bounds = [ink[train.labels == label].mean() for label in (0, 1)]
    image = keras.Input((24, 24, 1))
    more = keras.layers.Flatten()(image)
    weights = np.stack([np.full(576, sign / 576, np.float32) for sign in (-1, 1)], axis=1)
    biases = np.array([1, -1], np.float32) * np.mean(bounds)
    layer = keras.layers.Dense(2, activation="softmax")
    built = keras.Model(image, layer(more))
    layer.set_weights([weights, biases])
    return built


def measured(model, data, factors):
    prepared = prepare(data)
    val = predict_split(model, prepared.splits["val"], prepared.class_names)
    return stroke_width_metrics(model, data, prepared.splits["val"], val, factors)


def test_pens_of_other_widths_are_taken_for_each_other(model, data):
    found, notes = measured(model, data, [0.5, 2.0])
    assert notes == [] and found["images"] == 8
    assert min(WIDTHS.values()) < found["pen_width"] < max(WIDTHS.values()) + 1
    rows = found["factors"]
    assert [row["factor"] for row in rows] == [0.5, 1, 2]
    assert [row["accuracy"] for row in rows] == [0.5, 1, 0.5]
    assert [row["case_insensitive_accuracy"] for row in rows] == [1, 1, 1]
    assert all(row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] for row in rows)


def test_without_names_that_differ_in_case_there_is_one_accuracy(model, data):
    data = data.model_copy(update={"class_names": None})
    rows = measured(model, data, [1.0])[0]["factors"]
    assert len(rows) == 1 and rows[0].keys() == {"factor", "accuracy", "accuracy_low", "accuracy_high"}


def test_blank_images_are_counted_and_left_as_they_are(model, data, tmp_path):
    for path in sorted((tmp_path / "lines" / "pen06").iterdir())[1:]:
        cv2.imwrite(str(path), np.full((100, 120), 255, np.uint8))
    found, notes = measured(model, data, [0.5])
    assert len(notes) == 1 and "of 8 images have no ink" in notes[0]
    assert found["pen_width"] == pytest.approx(12, abs=1.5)


def test_of_many_images_a_sample_is_measured_at_every_width(model, data, monkeypatch):
    monkeypatch.setattr("kerasexp.evaluation.stroke_width_metrics.MOST_IMAGES", 5)
    found, notes = measured(model, data, [0.5])
    assert found["images"] == 5 and notes == ["val: stroke widths: computed on 5 of 8 predictions, drawn at random."]
    assert all(row["accuracy"] * 5 == pytest.approx(round(row["accuracy"] * 5)) for row in found["factors"])


def test_stored_images_are_those_of_val_at_full_size(data):
    val = prepare(data).splits["val"]
    stored = stored_images(data, val)
    assert stored.names == val.names and stored.read(0).shape[:2] == (100, 120)


def test_images_that_are_gone_and_pages_without_ink_are_unavailable(model, data, tmp_path):
    val = prepare(data).splits["val"]
    for path in (tmp_path / "lines").rglob("*.png"):
        cv2.imwrite(str(path), np.full((100, 120), 255, np.uint8))
    with pytest.raises(Unavailable, match="no image of val has ink"):
        measured(model, data, [0.5])
    path = tmp_path / "lines" / val.names[0]
    path.rename(path.with_name("other.png"))
    with pytest.raises(Unavailable, match="no longer there, such as"):
        stored_images(data, val)
    shutil.rmtree(tmp_path / "lines")
    with pytest.raises(Unavailable):
        stored_images(data, val)
