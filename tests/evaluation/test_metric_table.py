"""The table that `evaluate` prints."""

from kerasexp.evaluation.evaluate_checkpoint import _table


def test_the_longest_name_of_a_metric_is_apart_from_its_value():
    row = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 8}
    metrics = {"images": 8, "macro_average_precision": 0.5, "per_class": {"a": row}}

    lines = list(_table("images in one", "test", metrics))

    assert lines[1] == "images                   8"
    assert lines[2] == "macro average precision  0.5000"
