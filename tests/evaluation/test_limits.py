"""What is too large is sampled or shortened, and says so; up to the limits nothing changes."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from kerasexp.diagnosis.confident_learning import find_label_errors
from kerasexp.diagnosis.label_assessment import assess_with_run
from kerasexp.diagnosis.label_information import information
from kerasexp.diagnosis.label_verdict import permuted_classes
from kerasexp.errors import UserError
from kerasexp.evaluation import confusion_counts as contingency
from kerasexp.evaluation import metric_limits as limits
from kerasexp.evaluation import predictions_csv as predictions_table
from kerasexp.evaluation import roc
from kerasexp.evaluation.confusion_counts import contingency_table, filled_cells, in_blocks, matched_count
from kerasexp.evaluation.intervals import macro_intervals
from kerasexp.evaluation.metrics import compute_metrics
from kerasexp.evaluation.predictions_csv import read_predictions, write_predictions

EXACT = ("accuracy", "loss", "nll", "brier", "macro_f1", "top_3_accuracy", "majority_accuracy")


@pytest.fixture
def small_limits(monkeypatch):
    """600 probabilities at a time, in place of 2^24."""
    monkeypatch.setattr(limits, "SCORES", 600)
    monkeypatch.setattr(limits, "CHUNK", 120)
    monkeypatch.setattr(predictions_table, "SCORES", 600)


def test_60_000_images_of_200_classes_are_within_every_limit():
    assert limits.most_images(200) >= 60_000
    assert list(limits.row_slices(60_000, 200)) == [slice(0, 60_000)]
    assert limits.resamples_of(200 * 200 + 200) == 1000
    assert limits.NEIGHBOURS_SEARCHED >= 60_000 and roc.MANY >= 200 and roc.MOST_POINTS > 60_000


def test_metrics_of_all_images_stay_and_the_others_are_those_of_the_sample(predictions, small_limits):
    made = replace(predictions(300, 6), temperature=1.5)
    sampled = compute_metrics(made)
    limits.SCORES = 2**24
    full = compute_metrics(replace(made))
    assert {name: sampled[name] for name in EXACT} == pytest.approx({name: full[name] for name in EXACT}, rel=1e-12)
    bounded = made.bounded
    assert len(bounded) == 100 and len(set(bounded.names)) == 100
    assert sampled["macro_auc"] == compute_metrics(bounded)["macro_auc"] != full["macro_auc"]


def test_a_sample_is_said_with_both_numbers(predictions, small_limits):
    assert predictions(100, 6).notes("test") == []
    (note,) = predictions(300, 6).notes("test")
    assert note.startswith("test: AUC") and "100 of 300 predictions" in note


def test_intervals_do_not_depend_on_how_many_resamples_are_drawn_at_a_time(predictions, monkeypatch):
    made = predictions(500, 9)
    at_once = macro_intervals(made.y_true, made.y_pred, 9), find_label_errors(made.y_true, made.y_score)
    monkeypatch.setattr(limits, "CHUNK", 500)
    in_chunks = macro_intervals(made.y_true, made.y_pred, 9), find_label_errors(made.y_true, made.y_score)
    assert in_chunks[0] == at_once[0]
    assert (in_chunks[1].rate, in_chunks[1].low, in_chunks[1].high) == (
        at_once[1].rate, at_once[1].low, at_once[1].high,
    )  # fmt: skip


def test_very_many_cells_have_fewer_resamples_and_that_is_said(predictions, monkeypatch):
    made = predictions(500, 9)
    monkeypatch.setattr(limits, "DRAWN_CELLS", 20_000)
    assert any("resamples, not 1,000" in note for note in made.notes("test"))
    low, high = macro_intervals(made.y_true, made.y_pred, 9)["macro_recall"]
    assert low < compute_metrics(made)["macro_recall"] < high


def test_a_sparse_table_gives_what_a_dense_one_gives(predictions, monkeypatch):
    made = predictions(400, 8)
    dense = contingency_table(made.y_true, made.y_pred, 8)
    monkeypatch.setattr(contingency, "DENSE_CLASSES", 4)
    sparse = contingency_table(made.y_true, made.y_pred, 8)
    np.testing.assert_array_equal(sparse.toarray(), dense)
    for one, other in zip(filled_cells(dense), filled_cells(sparse), strict=True):
        np.testing.assert_array_equal(one, other)
    assert matched_count(sparse, np.arange(8)) == np.trace(dense)
    blocks, size = in_blocks(sparse)
    assert size == 2 and blocks.tolist() == dense.reshape(4, 2, 4, 2).sum(axis=(1, 3)).tolist()
    assert information(sparse).bits == pytest.approx(information(dense).bits)


def test_blocks_of_a_number_that_does_not_divide_the_classes_keep_every_image(monkeypatch):
    monkeypatch.setattr(contingency, "DENSE_CLASSES", 4)
    blocks, size = in_blocks(contingency_table(np.arange(11), np.arange(11), 11))
    assert size == 3 and blocks.tolist() == np.diag([3, 3, 3, 2]).tolist()


def test_permuted_classes_are_found_in_a_sparse_table_too(monkeypatch):
    labels = np.repeat(np.arange(8), 40)
    predicted = np.array([1, 0, 2, 3, 4, 6, 7, 5])[labels]
    dense = permuted_classes(contingency_table(labels, predicted, 8))
    monkeypatch.setattr(contingency, "DENSE_CLASSES", 4)
    assert permuted_classes(contingency_table(labels, predicted, 8)) == dense == {0: 1, 1: 0, 5: 6, 6: 7, 7: 5}


def test_permuted_labels_have_the_distribution_of_drawn_tables(predictions, monkeypatch):
    made = predictions(300, 6)
    table = contingency_table(made.y_true, made.y_pred, 6)
    drawn = information(table)
    monkeypatch.setattr("kerasexp.diagnosis.label_information.DRAWN_TABLE", 4)
    permuted = information(table)
    assert permuted.bits == pytest.approx(drawn.bits) and permuted.p_value == drawn.p_value
    assert permuted.null.mean() == pytest.approx(drawn.null.mean(), rel=0.05)
    assert permuted.null.std() == pytest.approx(drawn.null.std(), rel=0.2)


def test_labels_of_a_sample_are_assessed(predictions, small_limits):
    val, test = predictions(300, 6), predictions(300, 6, seed=1)
    for assessment in assess_with_run(val, test, trained_on_labels=True):
        assert len(assessment.positions) == len(assessment.predictions.labels) == 100
        split = val if assessment.split == "val" else test
        np.testing.assert_array_equal(assessment.predictions.labels, split.y_true[assessment.positions])


def test_of_many_classes_the_lowest_curves_are_kept_and_all_areas(monkeypatch, predictions):
    made = predictions(400, 12)
    every = made.one_vs_rest
    monkeypatch.setattr(roc, "MANY", 5)
    monkeypatch.setattr(roc, "FEW_POINTS", 10)
    few = roc.one_vs_rest_curves(made.y_true, made.y_score)
    np.testing.assert_array_equal(few.auc, every.auc)
    kept = [k for k, curve in enumerate(few.roc) if curve is not None]
    assert set(np.argsort(few.auc)[:3]) <= set(kept) and len(kept) < 9
    assert all(len(few.roc[k][0]) <= 10 and few.roc[k][1][-1] == 1 for k in kept)


def test_a_table_that_is_too_large_has_the_likeliest_classes(predictions, small_limits, monkeypatch, tmp_path):
    monkeypatch.setattr(predictions_table, "TOP", 3)
    made, path = predictions(300, 6), tmp_path / "predictions.csv"
    write_predictions(path, made)
    row = next(csv.DictReader(path.open()))
    assert list(row)[5:] == ["p_true", "class_1", "p_1", "class_2", "p_2", "class_3", "p_3"]
    read = read_predictions(path, made.class_names)
    np.testing.assert_array_equal(read.y_pred, made.y_pred)
    np.testing.assert_array_equal(read.confidence, made.confidence)
    every = np.arange(300)
    np.testing.assert_array_equal(read.y_score[every, made.y_true], made.y_score[every, made.y_true])
    np.testing.assert_allclose(read.y_score.sum(axis=1), 1, atol=1e-5)
    with pytest.raises(UserError, match="is not a table of predictions"):
        read_predictions(path)


def test_many_probabilities_lie_in_a_file(monkeypatch):
    from kerasexp import storage

    monkeypatch.setattr(storage, "IN_MEMORY", 100)
    array = storage.scratch_array((20, 10))
    assert isinstance(array, np.memmap) and not array.any()
    array[3] = 1
    assert array.sum() == 10
    assert not isinstance(storage.scratch_array((5, 5)), np.memmap)


@pytest.mark.parametrize("limit", [600, 2**24])
def test_outcomes_are_read_without_the_probabilities(predictions, monkeypatch, tmp_path, limit):
    monkeypatch.setattr(predictions_table, "SCORES", limit)
    made, path = predictions(300, 6), tmp_path / "predictions.csv"
    write_predictions(path, made)
    read = predictions_table.read_outcomes(path, made.class_names)
    assert (read.names, read.class_names) == (made.names, made.class_names)
    for name in ("y_true", "y_pred", "confidence", "correct"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
