import csv
import io

import numpy as np
import pytest
from sklearn import metrics as sk

from kerasexp.evaluation.metrics import compute_metrics, wilson_interval
from kerasexp.evaluation.predictions import Predictions


def predictions(count=200, classes=6, absent=None, never=None, seed=0):
    generator = np.random.default_rng(seed)
    y_true = generator.integers(0, classes, count)
    if absent is not None:
        y_true[y_true == absent] = (absent + 1) % classes
    score = generator.dirichlet(np.ones(classes) * 0.5, count)
    score[np.arange(count), y_true] += 0.6
    if never is not None:
        score[:, never] = 1e-9
    score = (score / score.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions([f"p/{i}" for i in range(count)], y_true, score, [f"c{k}" for k in range(classes)], 0.1)


def test_figures_equal_scikit_learns_on_the_csv():
    made = predictions()
    rows = list(csv.DictReader(io.StringIO(made.to_csv())))
    true, predicted = [r["true"] for r in rows], [r["predicted"] for r in rows]
    scores = np.array([[float(r[f"p_{name}"]) for name in made.class_names] for r in rows])
    ours = compute_metrics(made)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted), abs=1e-9)
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(true, predicted, average="macro"), abs=1e-9)
    assert ours["macro_recall"] == pytest.approx(sk.recall_score(true, predicted, average="macro"), abs=1e-9)
    assert ours["weighted_precision"] == pytest.approx(
        sk.precision_score(true, predicted, average="weighted"), abs=1e-9
    )
    log_likelihood = [np.log(scores[i, made.class_names.index(label)]) for i, label in enumerate(true)]
    assert ours["loss"] == pytest.approx(-np.mean(log_likelihood), abs=1e-9)
    labels = [made.class_names.index(label) for label in true]
    assert ours["top_3_accuracy"] == pytest.approx(sk.top_k_accuracy_score(labels, scores, k=3), abs=1e-9)


def test_a_class_missing_from_the_split_and_one_never_predicted():
    missing = compute_metrics(predictions(absent=2))
    assert missing["per_class"]["c2"]["support"] == 0 and missing["per_class"]["c2"]["recall"] == 0
    never = compute_metrics(predictions(never=3))
    assert never["per_class"]["c3"]["precision"] == 0 and never["per_class"]["c3"]["support"] > 0


def test_a_split_of_one_picture():
    one = compute_metrics(predictions(count=1))
    assert one["pictures"] == 1 and one["accuracy"] in (0.0, 1.0) and one["majority_accuracy"] == 1.0


def test_wilson_interval_as_published():
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)
    assert wilson_interval(1.0, 10)[1] == pytest.approx(1.0)


def test_names_with_commas_and_quotes_survive_the_csv():
    made = Predictions(['a,"b".png'], np.array([0]), np.array([[0.7, 0.3]], np.float32), ['x,"y"', "<b>"], 0.0)
    (row,) = csv.DictReader(io.StringIO(made.to_csv()))
    assert (row["file"], row["true"], row["p_<b>"]) == ('a,"b".png', 'x,"y"', "0.300000012")
