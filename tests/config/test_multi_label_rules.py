"""What goes with several labels an image, and what does not."""

from copy import deepcopy

import pytest

from kerasexp.config import experiment_from
from kerasexp.errors import UserError

SEVERAL = {"name": "x", "data": {"source": "table", "path": "t.csv", "multi_label": True}}
PLAIN = {"name": "x", "data": {"source": "table", "path": "t.csv"}}


def test_the_loss_needs_no_name():
    assert experiment_from(deepcopy(SEVERAL), ()).training.loss.name == "binary_cross_entropy"
    smoothed = experiment_from(deepcopy(SEVERAL) | {"training": {"loss": {"label_smoothing": 0.1}}}, ()).training.loss
    assert (smoothed.name, smoothed.label_smoothing) == ("binary_cross_entropy", 0.1)
    weighted = experiment_from(deepcopy(SEVERAL), ["training.loss.class_weights={cat: 2}"]).training.loss
    assert weighted.class_weights == {"cat": 2}
    assert experiment_from(deepcopy(PLAIN), ()).training.loss.name == "cross_entropy"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data=digits", "data.multi_label=true"], "data.source: source: digits gives each image one label; several come from"),
        (["data.source=image_folder", "data.path=x", "data.multi_label=true"], "data.source: a folder gives each image one label"),
        (["data.offline=digits"], "data.offline.source: source: digits gives each image one label"),
        (["data.test={source: table, path: u.csv}"], "data.test.multi_label: must be true, as data.multi_label is"),
        (["training.loss=cross_entropy"], "training.loss: got cross_entropy, which takes one label an image; data.multi"),
        (["training.loss=focal"], "training.loss: got focal"),
        (["training.loss=scl_nl"], "training.loss: got scl_nl"),
        (["training.decode=argmin"], "training.decode: argmin picks one class an image"),
        (["training.decode=logit_adjusted"], "training.decode: logit_adjusted picks one class"),
        (["training.class_batches={classes: 10, images: 10}"], "training.class_batches: draws images by their class"),
        (["training.loss.triplet={}"], "training.loss.triplet"),
        (["report.stroke_widths=[0.8]"], "report.stroke_widths: measures one label an image"),
        (["data.oversample=1"], "data.oversample: repeats images of rare classes, .*class_weights: balanced"),
        (["data.labels.select=[a, b]"], "data.labels.select: edits one label an image"),
        (["data.labels.keep={a: 2}"], "data.labels.keep: edits one label an image"),
        (["data.labels.few_shot=2"], "data.labels.few_shot: edits"),
        (["data.labels.at_most=2"], "data.labels.at_most: edits"),
        (["data.labels.noise=0.1"], "data.labels.noise: edits"),
        (["data.labels.complement=true"], "data.labels.complement: edits"),
        (["data.offline={source: npz, path: x, multi_label: true, labels: {noise: 0.1}}"], "data.offline.labels.noise: edits"),
        (["model={name: mobilenet_v2, head: {svm: {}}}"], "model.head.svm: gives one class an image"),
    ],
)  # fmt: skip
def test_what_needs_one_label_an_image_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        experiment_from(deepcopy(SEVERAL), changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["training.loss=binary_cross_entropy"], "training.loss: binary_cross_entropy takes several labels an image; it needs"),
        (["data.columns={label: [a, b]}"], "data.columns.label: is a list, for several labels an image"),
        (["data.columns={separator: ';'}"], "data.columns.separator: is for several labels an image"),
        (["data.test={source: table, path: u.csv, multi_label: true}"], "data.test.multi_label: is true, and data.multi"),
    ],
)  # fmt: skip
def test_what_needs_several_labels_is_refused_with_one(changes, message):
    with pytest.raises(UserError, match=message):
        experiment_from(deepcopy(PLAIN), changes)
