"""Several checkpoints, and several views, that predict together: the formulas, and what cannot be put together."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.evaluation_batch import EVALUATION_IMAGES
from kerasexp.data.prepared_data import Split
from kerasexp.errors import UserError
from kerasexp.evaluation import metric_limits
from kerasexp.evaluation.data_for_checkpoint import with_checkpoint_labels
from kerasexp.evaluation.ensemble import Ensemble, load_ensemble, mean_of_views, view_scores
from kerasexp.evaluation.ensemble_predictions import predict_together
from kerasexp.evaluation.image_views import View
from kerasexp.saving import image_memory
from kerasexp.saving.checkpoint import Checkpoint, write_sidecars
from kerasexp.saving.fitted_values import write_calibration, write_thresholds
from kerasexp.serving.predictions_page import true_classes

NAMES = ["a", "b", "c"]


def member(names: list[str], temperature: float | None = None, **more) -> Checkpoint:
    return Checkpoint(None, names, {}, Preprocessing(size=[8, 8]), temperature, **more)


def probabilities(count: int, seed: int, classes: int = 3) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(0, 2, (count, classes)), axis=1).astype(np.float32)


def save(folder: Path, names: list[str], seed: int, multi_label: bool = False) -> Path:
    """Save a checkpoint of one dense layer with random weights."""
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    kernel = keras.initializers.RandomNormal(0, 0.5, seed)
    x = keras.layers.Dense(len(names), "sigmoid" if multi_label else "softmax", kernel_initializer=kernel)(x)
    folder.mkdir()
    keras.Model(images, x).save(folder / "model.keras")
    write_sidecars(folder, names, {name: name for name in names}, Preprocessing(size=[8, 8]), multi_label=multi_label)
    return folder


def test_the_mean_is_of_calibrated_probabilities_by_the_name_of_the_class():
    first, second = probabilities(5, 0), probabilities(5, 1)
    together = Ensemble([member(NAMES, 2.0), member(["c", "a", "b"], None)], ["x", "y"])
    expected = (softmax(np.log(first) / 2, axis=1) + second[:, [1, 2, 0]]) / 2
    np.testing.assert_allclose(together.mean([first, second]), expected, rtol=1e-5)
    assert together.class_names == NAMES and together.temperature is None and together.thresholds is None


def test_one_member_gives_its_calibrated_probabilities():
    first = probabilities(5, 0)
    alone = Ensemble([member(NAMES, 2.0)], ["x"])
    np.testing.assert_allclose(alone.mean([first]), softmax(np.log(first) / 2, axis=1), rtol=1e-5)
    assert alone.temperature == 2.0


def test_members_that_are_all_certain_have_a_mean_of_at_most_1():
    """Ten times a tenth, rounded to float32, is more."""
    certain = np.array([[1, 0, 0]], np.float32)
    found = Ensemble([member(NAMES)] * 10, list("abcdefghij")).mean([certain] * 10)
    np.testing.assert_allclose(found, certain, rtol=1e-6)
    assert found.max() == 1


def test_thresholds_are_the_mean_of_the_members_in_the_order_of_the_first():
    members = [
        member(NAMES, thresholds=np.array([0.2, 0.4, 0.6])),
        member(["b", "a", "c"], thresholds=np.array([1, 0, 0.5])),
    ]
    np.testing.assert_allclose(Ensemble(members, ["x", "y"]).thresholds, [0.1, 0.7, 0.55])


def test_views_give_the_probabilities_of_their_mean_logits(monkeypatch):
    scores = [probabilities(50, seed) for seed in range(3)]
    expected = softmax(np.mean(np.log(scores), axis=0), axis=1)
    np.testing.assert_allclose(mean_of_views(scores, multi_label=False), expected, rtol=1e-5)
    monkeypatch.setattr(metric_limits, "SCORES", 10)
    monkeypatch.setattr(metric_limits, "CHUNK", 12)
    np.testing.assert_allclose(mean_of_views(iter(scores), multi_label=False), expected, rtol=1e-5)
    np.testing.assert_allclose(
        mean_of_views(scores, multi_label=True), expit(np.mean(logit(scores), axis=0)), rtol=1e-4
    )
    assert mean_of_views(scores[:1], multi_label=False) is scores[0]


def test_a_class_that_one_view_excludes_can_still_win():
    scores = [np.array([[1.0, 0.0]], np.float32)] * 4 + [np.array([[0.0, 1.0]], np.float32)]
    found = mean_of_views(scores, multi_label=False)
    assert found[0, 0] > 0.99 and np.isfinite(found).all()


def test_a_split_is_predicted_by_every_member_and_by_all_of_them(tmp_path):
    paths = [save(tmp_path / "x", NAMES, 0), save(tmp_path / "y", ["c", "a", "b"], 1)]
    write_calibration(paths[0], 1.5)
    ensemble = load_ensemble(paths, tta=True)
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(30) % 3, [str(k) for k in range(30)])
    found = predict_together(ensemble, [split, split])
    x, y = (m.model.predict(images, verbose=0) for m in ensemble.members)
    y = y[:, [1, 2, 0]]
    for part, expected in zip(found.members, (x, y), strict=True):
        np.testing.assert_allclose(part.y_score, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.one_view.y_score, (softmax(np.log(x) / 1.5, axis=1) + y) / 2, rtol=1e-4, atol=1e-6)
    assert found.members[0].temperature == 1.5 and found.one_view.temperature is None
    # The views of one member: 5 means of logits; then the temperature, then the mean of the members.
    views = [[m.model.predict(view.of(images), verbose=0) for view in ensemble.views(m)] for m in ensemble.members]
    x, y = (softmax(np.mean(np.log(of_one), axis=0), axis=1) for of_one in views)
    expected = (softmax(np.log(x) / 1.5, axis=1) + y[:, [1, 2, 0]]) / 2
    np.testing.assert_allclose(found.all_views.y_score, expected, rtol=1e-3, atol=1e-5)
    accuracies = {row["of"]: row["accuracy"] for row in found.to_json()["accuracies"]}
    together = [f"2 checkpoints, {views}" for views in ("1 view", "5 views")]
    assert list(accuracies) == [*(f"{path}, 1 view" for path in paths), *together]
    first, second = found.gains
    best = max(paths, key=lambda path: accuracies[f"{path}, 1 view"])
    assert (first.of, first.over, first.is_over_best) == (together[0], f"{best}, 1 view", True)
    assert (second.of, second.over, second.is_over_best) == (together[1], together[0], False)
    assert first.difference.difference == pytest.approx(accuracies[first.of] - accuracies[first.over])


def test_probabilities_are_copied_only_into_another_order_and_many_into_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasexp.storage.IN_MEMORY", 100)
    monkeypatch.setattr(metric_limits, "SCORES", 10)
    monkeypatch.setattr(metric_limits, "CHUNK", 12)
    paths = [save(tmp_path / "x", NAMES, 0), save(tmp_path / "y", ["c", "a", "b"], 1)]
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    split, seen = Split(images, np.arange(30) % 3, [str(k) for k in range(30)]), []
    monkeypatch.setattr(
        "kerasexp.evaluation.ensemble_predictions.view_scores",
        lambda *given: seen.append(view_scores(*given)) or seen[-1],
    )
    first, second = predict_together(load_ensemble(paths), [split, split]).members
    assert first.y_score is seen[0] and isinstance(second.y_score, np.memmap)
    assert np.array_equal(second.y_score, seen[1][:, [1, 2, 0]])


def test_a_network_of_large_outputs_takes_fewer_images_at_a_time(tmp_path, monkeypatch):
    """Its largest outputs have 64 numbers for an image."""
    images, names = np.zeros((20, 8, 8, 1), np.uint8), list(map(str, range(20)))
    (ordinary,), (large,) = (load_ensemble([save(tmp_path / name, NAMES, 0)]).members for name in ("x", "y"))
    assert ordinary.images_at_once > EVALUATION_IMAGES
    monkeypatch.setattr(image_memory, "MAX_BATCH", 7 * 64)
    predict, seen = large.model.predict_on_batch, []
    monkeypatch.setattr(large.model, "predict_on_batch", lambda batch: seen.append(len(batch)) or predict(batch))
    found = view_scores(large, View(), images, names)
    assert seen == [7, 7, 6] and large.images_at_once == 7
    np.testing.assert_allclose(found, view_scores(ordinary, View(), images, names), rtol=1e-5)


def test_one_checkpoint_on_one_view_has_no_parts_to_show(tmp_path):
    ensemble = load_ensemble([save(tmp_path / "x", NAMES, 0)])
    split = Split(np.zeros((3, 8, 8, 1), np.uint8), np.arange(3), list(NAMES))
    found = predict_together(ensemble, [split])
    assert found.to_json() == {} and list(found.lines()) == [] and found.all_views is found.one_view
    with_views = predict_together(replace(ensemble, tta=True), [split])
    assert [gain.is_over_best for gain in with_views.gains] == [False] and len(with_views.parts) == 2


def test_several_labels_are_a_mean_with_mean_thresholds(tmp_path):
    paths = [save(tmp_path / "x", NAMES, 0, True), save(tmp_path / "y", NAMES, 1, True)]
    write_thresholds(paths[0], {"a": 0.3, "b": 0.5, "c": 0.9})
    ensemble = load_ensemble(paths)
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), np.uint8)
    split = Split(images, np.eye(3, dtype=np.uint8)[np.arange(9) % 3], list(map(str, range(9))))
    found = predict_together(ensemble, [split, split]).all_views
    np.testing.assert_allclose(
        found.y_score, np.mean([m.model.predict(images, verbose=0) for m in ensemble.members], axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(found.thresholds, [0.4, 0.5, 0.7])


def test_checkpoints_that_cannot_predict_together_are_named(tmp_path):
    x, y, z = (save(tmp_path / name, names, 0) for name, names in (("x", NAMES), ("y", ["b", "c", "d"]), ("z", NAMES)))
    several = save(tmp_path / "several", NAMES, 0, True)
    with pytest.raises(UserError) as refusal:
        load_ensemble([x, y, z, several, z / "model.keras"])
    text = str(refusal.value)
    assert (
        f"{y}: has other classes than {x}, so that they cannot predict together: only this one has d; only {x} has a"
        in text
    )
    assert f"{several}: gives several labels an image, and {x} gives one label" in text
    assert f"{z / 'model.keras'}: is given twice, also as {z}" in text and text.count("\n") == 2


@pytest.mark.parametrize(
    ("stored", "labels"), [("0123456789", range(10)), (["1", "2", "10"], [0, 1, 9]), ("19", [0, 8])]
)
def test_classes_are_matched_by_name_unless_all_are_folders_of_the_training(stored, labels):
    folders = {str(folder): str(folder - 1) for folder in range(1, 11)}
    checkpoint = Checkpoint(None, list("0123456789"), folders, Preprocessing(size=[8, 8]), None)
    split = Split(np.zeros((len(stored), 8, 8, 1), np.uint8), np.arange(len(stored)), [str(name) for name in stored])
    found = with_checkpoint_labels(split, SimpleNamespace(class_names=list(stored)), checkpoint)
    assert found.labels.tolist() == list(labels)
    files = [f"images/{name}/a.png" for name in stored]
    assert true_classes(files, checkpoint) == dict(zip(files, map(str, labels), strict=True))
