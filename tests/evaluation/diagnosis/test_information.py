"""Mutual information in bits, and its distribution by chance."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from kerasexp.diagnosis.information import information, label_table, mutual_information


def test_bits_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    labels, answers = generator.integers(0, 5, 400), generator.integers(0, 5, 400)
    answers[:150] = labels[:150]
    table = label_table(labels, answers, 5)
    assert mutual_information(table) == pytest.approx(mutual_info_score(labels, answers) / np.log(2))
    many = np.stack([table, table.T, np.eye(5, dtype=int)])
    assert mutual_information(many) == pytest.approx([mutual_information(table)] * 2 + [np.log2(5)])


def test_the_null_is_what_permuted_labels_give():
    generator = np.random.default_rng(1)
    labels, answers = generator.integers(0, 4, 300), generator.integers(0, 3, 300)
    drawn = [mutual_information(label_table(generator.permutation(labels), answers, 4)) for _ in range(1000)]
    null = information(label_table(labels, answers, 4)).null
    assert null.mean() == pytest.approx(np.mean(drawn), rel=0.1)
    assert np.quantile(null, 0.95) == pytest.approx(np.quantile(drawn, 0.95), rel=0.15)


def test_labels_that_are_the_answers_hold_all_there_is_and_empty_classes_nothing():
    found = information(np.diag([40, 40, 0, 40]))
    assert found.bits == pytest.approx(np.log2(3)) == found.label_bits and found.p_value < 0.002
    assert 0 < found.beyond_chance < found.bits


def test_one_answer_for_all_tells_nothing():
    found = information(np.array([[30, 0], [10, 0]]))
    assert (found.bits, found.p_value, found.beyond_chance) == (0, 1, 0)


def test_complementary_labels_share_the_bits_that_they_can():
    """Each of nine wrong classes alike: log2(10 / 9)."""
    found = information(100 * (1 - np.eye(10, dtype=int)))
    assert found.bits == pytest.approx(np.log2(10 / 9))
