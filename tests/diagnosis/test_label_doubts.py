import numpy as np

from kerasexp.diagnosis.label_doubts import label_doubts
from kerasexp.evaluation.multi_label_predictions import MultiLabelPredictions


def test_swapped_labels_are_found_the_likeliest_first():
    generator = np.random.default_rng(0)
    true = (generator.random((200, 3)) < 0.4).astype(np.uint8)
    score = np.clip(true * 0.8 + 0.1 + generator.normal(0, 0.05, true.shape), 0.01, 0.99).astype(np.float32)
    given = true.copy()
    wrong = [(3, 0), (50, 1), (120, 2)]
    score[3, 0] = 0.99 if true[3, 0] else 0.01
    for image, label in wrong:
        given[image, label] = 1 - true[image, label]
    found = label_doubts(MultiLabelPredictions([str(i) for i in range(200)], given, score, ["a", "b", "c"]))
    assert {(doubt.position, doubt.label) for doubt in found[:3]} == set(wrong) and found[0][:2] == (3, 0)
    assert all(doubt.is_given == bool(given[doubt.position, doubt.label]) for doubt in found)
    assert all((doubt.probability < 0.5) == doubt.is_given for doubt in found)


def test_a_label_that_no_image_or_every_image_has_is_in_no_doubt():
    given = np.array([[0, 1], [0, 1]], np.uint8)
    score = np.array([[0.9, 0.1], [0.9, 0.1]], np.float32)
    assert label_doubts(MultiLabelPredictions(["a", "b"], given, score, ["x", "y"])) == []
