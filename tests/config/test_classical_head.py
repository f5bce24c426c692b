"""Classical heads: their keys, and the keys that they refuse."""

import numpy as np
import pytest

from kerasexp.config import Experiment
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.config.model_section import classical_head
from kerasexp.config.section_validation import validated
from kerasexp.config.yaml_text import parse_yaml
from kerasexp.data.data_requirements import misfits
from kerasexp.data.prepared_data import PreparedData, Split
from kerasexp.errors import UserError

SIZE = "data: {preprocessing: {size: [32, 32], channels: 3}}\n"


def experiment(text: str) -> Experiment:
    return validated(Experiment, {"name": "exp", **(parse_yaml(text) or {})}, None, {})


def broken(text: str) -> dict[str, str]:
    return dict(broken_rules(experiment(text)))


def test_one_number_and_several_are_both_taken():
    heads = [
        classical_head(experiment(f"model: {{name: cnn, head: {{{text}}}}}").model)
        for text in ("svm: {C: 1}", "svm: {C: [0.1, 1]}", "logistic_regression: {}", "knn: {k: 3}")
    ]
    assert [name for name, _ in heads] == ["svm", "svm", "logistic_regression", "knn"]
    assert [heads[0][1].C, heads[1][1].C, heads[3][1].k] == [[1.0], [0.1, 1.0], [3]]
    assert len(heads[2][1].C) > 3


@pytest.mark.parametrize("text", ["model: {name: cnn}", "model: {name: mlp}", "model: {name: cnn, head: {units: [3]}}"])
def test_a_head_trained_by_gradient_descent_is_not_classical(text):
    assert classical_head(experiment(text).model) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("model: {name: cnn, head: {svm: {C: 0}}}", "model.head.svm.C"),
        ("model: {name: cnn, head: {svm: {C: []}}}", "model.head.svm.C"),
        ("model: {name: cnn, head: {knn: {k: 1.5}}}", "model.head.knn.k"),
        ("model: {name: cnn, head: {svm: {kernel: poly}}}", "model.head.svm.kernel"),
        ("model: {name: mlp, head: {svm: {}}}", "model.head"),
        ("model: {name: resnet50, head: {zero_shot: {}}}", "model.head.zero_shot.outputs"),
        ("model: {name: resnet50, head: {zero_shot: {outputs: {cat: [1000]}}}}", "model.head.zero_shot.outputs.cat.0"),
        ("model: {name: resnet50, head: {zero_shot: {outputs: {cat: [x-y]}}}}", "model.head.zero_shot.outputs.cat.0"),
        ("model: {name: resnet50, head: {zero_shot: {outputs: {cat: [24-7]}}}}", "model.head.zero_shot.outputs.cat.0"),
    ],
)
def test_what_a_head_cannot_be_is_reported_with_its_key(text, key):
    with pytest.raises(UserError) as error:
        experiment(text)
    assert key in [problem.key for problem in error.value.problems]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("model: {name: cnn, head: {svm: {}}}", set()),
        ("model: {name: cnn, head: {svm: {}, knn: {}}}", {"model.head.knn"}),
        ("model: {name: cnn, head: {svm: {gamma: 1}}}", {"model.head.svm.gamma"}),
        ("model: {name: cnn, head: {svm: {kernel: rbf, gamma: 1}}}", set()),
        ("model: {name: cnn, head: {svm: {kernel: rbf, multi_class: crammer_singer}}}", {"model.head.svm.multi_class"}),
        ("model: {name: cnn, head: {knn: {}}}\ntraining: {epochs: 3}", {"training.epochs"}),
        ("model: {name: cnn, head: {knn: {}}}\ntraining: {precision: float32}", set()),
        ("model: {name: cnn, head: {knn: {}}}\ndata: {augmentation: {shift: 0.1}}", {"data.augmentation"}),
        (SIZE + "model: {name: resnet50, head: {zero_shot: {outputs: {cat: [281-285], dog: [151-268]}}}}", set()),
        (
            SIZE + "model: {name: resnet50, head: {zero_shot: {outputs: {cat: [281-285], dog: [285]}}}}",
            {"model.head.zero_shot.outputs.dog"},
        ),
        (
            SIZE + "model: {name: resnet50, head: {units: [3], zero_shot: {outputs: {cat: [281]}}}}",
            {"model.head.units"},
        ),
        ("model: {name: cnn, head: {zero_shot: {outputs: {cat: [281]}}}}", {"model.head.zero_shot"}),
    ],
)
def test_keys_of_training_by_gradient_descent_are_refused(text, keys):
    assert broken(text).keys() == keys


def test_ranges_are_all_their_numbers():
    head = experiment("model: {name: resnet50, head: {zero_shot: {outputs: {cat: [3, 281-283], deer: []}}}}").model.head
    assert head.zero_shot.outputs == {"cat": [3, 281, 282, 283], "deer": []}
    groups = head.zero_shot.groups(["cat", "deer"])
    assert groups[:2] == [[3, 281, 282, 283], []] and len(groups[2]) == 996
    assert head.zero_shot.answers(["cat", "deer"]) == ["cat", "deer", "other"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["w"] * 20, "needs two groups of images; train has one"),
        # Whichever fold holds all of one class, the rest has only the other.
        (["a"] * 10 + ["b"] * 5 + ["c"] * 5, "leave a single class to train on"),
        ([f"w{number % 10}" for number in range(20)], None),
        (None, None),
    ],
)
def test_cross_validation_needs_groups_that_leave_two_classes(groups, message):
    labels = np.repeat([0, 1], 10)
    train = Split(np.zeros((20, 4, 4, 1), np.uint8), labels, [str(number) for number in range(20)], groups)
    data = PreparedData({"train": train}, ["cat", "dog"], {}, "here", None, [], [], "", {})
    for head, several, one in (("svm", "C: [0.1, 1]", "C: 1"), ("knn", "k: [1, 3]", "k: 1")):
        found = misfits(experiment(f"model: {{name: cnn, head: {{{head}: {{{several}}}}}}}"), data)
        assert [message in str(problem) for problem in found] == ([] if message is None else [True])
        assert misfits(experiment(f"model: {{name: cnn, head: {{{head}: {{{one}}}}}}}"), data) == []
