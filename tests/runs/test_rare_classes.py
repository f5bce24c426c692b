"""Classes that train hardly holds, or not at all: what each remedy gains on scikit-learn's digits, and what is said."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from keras_networks import MobileNetV2

from kerasexp.config.data_section import Data
from kerasexp.data.prepared_data import prepare
from kerasexp.diagnosis.diagnosis_sentences import split_sentences
from kerasexp.runs.results import overview_of
from kerasexp.runs.run_relabelling import relabelled

EXPERIMENT = """
data: {source: digits, labels: {keep: {0: 8, 4: 8, 7: 8}}, augmentation: {shift: 0.08, rotation: 10, zoom: 0.1}}
model:
  name: cnn
  blocks: [{filters: 16, batch_norm: true, pool: 2}, {filters: 32, batch_norm: true, pool: 2}]
  head: {units: [64]}
training: {epochs: 6, batch_size: 32, optimizer: {name: adam, learning_rate: 0.003}, checkpoint: last}
report: {plots: false}
"""


def macro_recall(cli, *changes: str) -> float:
    Path("rare.yaml").write_text(EXPERIMENT)
    answer = cli("run", "rare.yaml", *(part for change in changes for part in ("--set", change)))
    assert answer.code == 0, answer.err
    return json.loads((Path(answer.last_line) / "metrics.json").read_text())["test"]["macro_recall"]


@pytest.mark.slow
def test_each_remedy_gains(cli):
    plain = macro_recall(cli)
    gains = {
        change: macro_recall(cli, change) - plain
        for change in ("data.oversample=1", "training.loss=logit_adjusted", "training.decode=logit_adjusted")
    }
    print(plain, gains)
    assert min(gains.values()) > 0.03


def test_before_training_it_is_said_that_nothing_helps_a_class_without_images(cli):
    changes = ("data.labels.keep={0: 0, 4: 0, 7: 0}", "data.oversample=1", "training.epochs=1")
    Path("rare.yaml").write_text(EXPERIMENT)
    answer = cli("run", "rare.yaml", *(part for change in changes for part in ("--set", change)))
    assert answer.code == 0, answer.err
    said = "train has no image of 0, 4, 7: no loss can make up for that, and test accuracy cannot exceed 0.7"
    assert answer.out.index(said) < answer.out.index("epoch 1/1")
    assert said in json.loads((Path(answer.last_line) / "manifest.json").read_text())["data"]["absence"]


def test_the_answer_other_of_a_zero_shot_head_is_no_class_without_images(images):
    data = prepare(Data(source="image_folder", path=str(images)))
    head = {"zero_shot": {"outputs": {"across": [0], "disc": [1], "upright": [2]}}}
    answering = relabelled(SimpleNamespace(model=MobileNetV2(head=head), init=None), data, None)
    assert answering.class_names == [*data.class_names, "other"]
    sentences = list(split_sentences(overview_of(answering, 0)))
    assert "in 3 of 3 classes" in sentences[0]
    assert not any("has no image of" in sentence for sentence in sentences)
