"""Mutual information in bits, and its distribution by chance."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from kerasexp.diagnosis.label_information import complementary_limit, information, mutual_information
from kerasexp.evaluation.confusion_counts import contingency_table


def test_bits_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 5, 400), generator.integers(0, 5, 400)
    predicted[:150] = labels[:150]
    table = contingency_table(labels, predicted, 5)
    assert mutual_information(table) == pytest.approx(mutual_info_score(labels, predicted) / np.log(2))
    many = np.stack([table, table.T, np.eye(5, dtype=int)])
    assert mutual_information(many) == pytest.approx([mutual_information(table)] * 2 + [np.log2(5)])


def test_the_null_is_what_permuted_labels_give():
    generator = np.random.default_rng(1)
    labels, predicted = generator.integers(0, 4, 300), generator.integers(0, 3, 300)
    drawn = [mutual_information(contingency_table(generator.permutation(labels), predicted, 4)) for _ in range(1000)]
    null = information(contingency_table(labels, predicted, 4)).null
    assert null.mean() == pytest.approx(np.mean(drawn), rel=0.1)
    assert np.quantile(null, 0.95) == pytest.approx(np.quantile(drawn, 0.95), rel=0.15)


def test_labels_equal_to_the_predictions_share_all_their_bits():
    found = information(np.diag([40, 40, 0, 40]))
    assert found.bits == pytest.approx(np.log2(3)) == found.label_bits and found.p_value < 0.002
    assert 0 < found.beyond_chance < found.bits


def test_a_constant_prediction_shares_no_bits():
    found = information(np.array([[30, 0], [10, 0]]))
    assert (found.bits, found.p_value, found.beyond_chance) == (0, 1, 0)


def test_complementary_labels_share_the_bits_that_they_can():
    """Nine equally frequent wrong classes: log2(10 / 9)."""
    found = information(100 * (1 - np.eye(10, dtype=int)))
    assert found.bits == pytest.approx(np.log2(10 / 9)) == complementary_limit(10)
