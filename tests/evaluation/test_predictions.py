import csv

import keras
import numpy as np
import pytest

from kerasexp.data.prepared_data import Split
from kerasexp.errors import UserError
from kerasexp.evaluation.predictions import Predictions, predict_split
from kerasexp.evaluation.predictions_csv import read_predictions, write_predictions


def test_the_csv_holds_everything_exactly(predictions, tmp_path):
    made = predictions(names=["plain", 'with "quotes", commas', "<script>", "日本", "zwei\nZeilen", "p_x"])
    path = tmp_path / "predictions.csv"
    write_predictions(path, made)
    read = read_predictions(path)
    assert (read.names, read.class_names) == (made.names, made.class_names)
    np.testing.assert_array_equal(read.y_true, made.y_true)
    np.testing.assert_array_equal(read.y_score, made.y_score)


def test_names_with_commas_and_quotes_survive_the_csv(tmp_path):
    made = Predictions(['a,"b".png'], np.array([0]), np.array([[0.7, 0.3]], np.float32), ['x,"y"', "<b>"])
    write_predictions(tmp_path / "p.csv", made)
    (row,) = csv.DictReader((tmp_path / "p.csv").open(encoding="utf-8"))
    assert (row["file"], row["true"], row["p_<b>"]) == ('a,"b".png', 'x,"y"', "0.300000012")


@pytest.mark.parametrize("text", ["", "file,true\n", "file,true,predicted,correct,probability,p_a\nx,b,b,1,1,1\n"])
def test_a_damaged_table_is_named(tmp_path, text):
    path = tmp_path / "predictions.csv"
    if text == "file,true\n":
        text += "x\n"
    path.write_text(text)
    with pytest.raises(UserError, match="predictions.csv"):
        read_predictions(path)


def test_one_pass_gives_what_the_model_predicts_and_the_features_asked_for():
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    features = keras.layers.Dense(5, activation="relu")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="logits")(features))
    images = np.random.default_rng(0).integers(0, 256, (1203, 4, 4, 1)).astype(np.uint8)
    split = Split(images, np.zeros(1203, np.int64), [str(i) for i in range(1203)])
    sampled = np.array([0, 499, 500, 1202])
    made = predict_split(model, split, ["a", "b", "c"], sampled)
    # Batches of another size are summed in another order; softmax of logits of some 100 makes more of the difference.
    np.testing.assert_allclose(made.y_score, model.predict(images, verbose=0), rtol=1e-4, atol=1e-6)
    expected = keras.Model(inputs, features).predict(images[sampled], verbose=0)
    np.testing.assert_allclose(made.features, expected, rtol=1e-5)
    assert made.seconds > 0 and predict_split(model, split, ["a", "b", "c"]).features.shape == (0, 5)
