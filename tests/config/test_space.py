"""Spaces: what a domain is, where it counts, and what is said of one that cannot be."""

from pathlib import Path

import pytest

from kerasexp.config import Experiment, Search, load, resolved_yaml
from kerasexp.errors import UserError

SPACE = """
data: {source: digits, preprocessing: {size: [14, 14]}}
model:
  name: cnn
  blocks:
    - {filters: {choice: [4, 8]}, batch_norm: {bool: }, pool: 2}
    - {filters: {int: [4, 12], step: 4}, pool: 2, when: {depth: 2}}
  head: {units: {choice: [[], [16], [32, 16]]}, dropout: {float: [0.1, 0.5], when: {model.head.units: [[16], [32, 16]]}}}
training: {epochs: 2, optimizer: {learning_rate: {float: [0.0001, 0.03], sampling: log}}}
search: {max_trials: 5, variables: {depth: {int: [1, 2]}}}
"""
NAMES = [
    "depth",
    "model.blocks.0.filters",
    "model.blocks.0.batch_norm",
    "model.head.units",
    "training.optimizer.learning_rate",
    "model.blocks.1.filters",
    "model.head.dropout",
]
VALUES = dict(zip(NAMES, [2, 8, True, [16], 0.01, 12, 0.3], strict=True))


@pytest.fixture
def search_yaml(tmp_path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def with_line(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def problems(path: Path, *overrides: str) -> str:
    with pytest.raises(UserError) as message:
        load(path, overrides)
    return str(message.value)


def test_domains_are_found_each_after_those_that_it_depends_on(search_yaml):
    search = load(search_yaml)
    assert isinstance(search, Search) and list(search.space.domains) == NAMES
    assert str(search.space.domains["training.optimizer.learning_rate"]) == "float from 0.0001 to 0.03 (log)"
    assert str(search.space.domains["model.blocks.1.filters"]) == "int from 4 to 12 by 4, when depth is 2"


def test_values_take_the_place_of_domains(search_yaml):
    found = load(search_yaml).experiment(VALUES)
    assert isinstance(found, Experiment)
    assert [(b.filters, b.batch_norm) for b in found.model.blocks] == [(8, True), (12, False)]
    assert found.model.head.units == [16] and found.model.head.dropout == 0.3
    assert found.training.optimizer.learning_rate == 0.01


def test_what_does_not_count_is_left_out(search_yaml):
    search = load(search_yaml)
    values = {**VALUES, "depth": 1, "model.head.units": []}
    assert search.space.active(values).keys() == set(NAMES) - {"model.blocks.1.filters", "model.head.dropout"}
    found = search.experiment(values)
    assert len(found.model.blocks) == 1 and found.model.head.units == []
    assert found.model.head.dropout == Experiment(name="x").model.head.dropout


def test_corners_are_the_extremes_each_once(search_yaml):
    search = load(search_yaml)
    every = list(search.space.corners(1000))
    # depth 1 or 2 with 2 ends of filters; units [] or two others with 2 ends of dropout; and 2 x 2 x 2.
    assert len(every) == (1 + 2) * (1 + 2 * 2) * 8
    some = list(search.space.corners(20))
    assert 0 < len(some) <= 20
    for name, domain in search.space.domains.items():
        if not domain.when:
            assert {repr(corner[name]) for corner in some} == {repr(value) for value in domain.extremes()}


def test_a_search_is_written_out_and_read_again(search_yaml, tmp_path):
    search = load(search_yaml, ["executor=ray", "ray.gpus=1"])
    again = tmp_path / "again.yaml"
    again.write_text(resolved_yaml(search))
    found = load(again)
    assert found.space == search.space and found.settings == search.settings and found.name == search.name
    assert found.execution == search.execution and search.execution.ray.gpus == 1


def test_set_replaces_a_domain_and_changes_how_is_searched(search_yaml):
    search = load(search_yaml, ["training.optimizer.learning_rate=0.5", "search.algorithm=random"])
    assert "training.optimizer.learning_rate" not in search.space.domains
    assert search.settings.algorithm == "random"
    assert search.experiment(VALUES).training.optimizer.learning_rate == 0.5


def test_a_domain_replaces_another_as_a_whole(search_yaml, tmp_path):
    rate = "training.optimizer.learning_rate"
    assert str(load(search_yaml, [f"{rate}={{choice: [0.1, 0.2]}}"]).space.domains[rate]) == "one of 0.1, 0.2"
    path = tmp_path / "child.yaml"
    path.write_text("base: space.yaml\ntraining: {optimizer: {learning_rate: {float: [0.5, 1]}}}\n")
    assert str(load(path).space.domains[rate]) == "float from 0.5 to 1"


def test_a_space_may_be_inherited(search_yaml, tmp_path):
    path = tmp_path / "child.yaml"
    path.write_text("base: space.yaml\nsearch: {max_trials: 7}\ntraining: {epochs: 1}\n")
    search = load(path)
    assert search.name == "child" and search.settings.max_trials == 7 and list(search.space.domains) == NAMES


def test_a_domain_may_choose_an_optimizer_whose_own_keys_depend_on_it(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "data: digits\nmodel: mlp\ntraining:\n  schedule: {choice: [constant, {name: cosine, warmup: 0.1}]}\n"
        "  optimizer: {name: {choice: [adam, sgd]}, momentum: {float: [0, 0.9], when: {training.optimizer.name: sgd}}}\n"
    )
    search = load(path)
    found = [search.experiment(values).training for values in search.space.corners(100)]
    assert {(t.optimizer.name, getattr(t.optimizer, "momentum", None)) for t in found} == {
        ("adam", None),
        ("sgd", 0.0),
        ("sgd", 0.9),
    }
    assert {t.schedule.name for t in found} == {"constant", "cosine"}
    with_line(path, "{float: [0, 0.9], when: {training.optimizer.name: sgd}}", "{float: [0, 0.9]}")
    assert "training.optimizer.momentum: adam has no key 'momentum'; those that have it: muon, sgd" in problems(path)


def test_an_experiment_with_a_search_but_no_domain_runs_as_it_is(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("data: {source: digits}\nsearch: {max_trials: 3}\n")
    assert isinstance(load(path), Experiment)
    assert "search.max_trials: got 0" in problems(path, "search.max_trials=0")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{choice: [4, 8]}",
            "{choice: [4, 8], int: [1, 2]}",
            "model.blocks.0.filters: got choice, int; a domain is of one",
        ),
        ("{choice: [4, 8]}", "{choice: []}", "model.blocks.0.filters"),
        ("{choice: [4, 8]}", "{choice: [4, 8], step: 1}", "step and sampling are for numbers"),
        ("{int: [4, 12], step: 4}", "{int: [12, 4]}", "the first of the two numbers must be smaller"),
        ("{int: [4, 12], step: 4}", "{int: [4, 12], step: 1.5}", "the step of whole numbers must be a whole number"),
        ("{int: [4, 12], step: 4}", "{int: [4.5, 12]}", "model.blocks.1.filters"),
        ("[0.0001, 0.03]", "[0, 0.03]", "got 0 with sampling: log"),
        ("sampling: log", "sampling: lgo", "did you mean 'log'?"),
        ("when: {depth: 2}", "when: {dept: 2}", "there is no domain 'dept'; did you mean 'depth'?"),
        ("when: {depth: 2}", "when: {depth: 3}", "depth is never 3: it is int from 1 to 2"),
        ("{depth: {int: [1, 2]}}", "{depth: 2}", "search.variables.depth: got 2; a variable is a domain"),
        ("{depth: {int: [1, 2]}}", "{depth: {int: [1, 2], when: {model.blocks.0.batch_norm: 2}}}", "is never 2"),
        ("max_trials: 5", "max_trials: 5, algorithm: bayes", "did you mean 'bayesian'?"),
        ("max_trials: 5", "max_trial: 5", "did you mean 'max_trials'?"),
        ("max_trials: 5", "max_trials: 5, against: part.yaml", "search.against: no such file"),
        ("epochs: 2", "epochs: {int: [1, 2]}", None),
    ],
)
def test_what_is_wrong_is_said(search_yaml, old, new, said):
    path = with_line(search_yaml, old, new)
    if said is None:
        assert isinstance(load(path), Search)
        assert "is varied by hyperband itself" in problems(path, "search.algorithm=hyperband")
    else:
        message = problems(path)
        assert said in message and str(path) in message


def test_domains_that_depend_on_each_other_are_reported(search_yaml):
    path = with_line(
        search_yaml, "filters: {choice: [4, 8]}", "filters: {choice: [4, 8], when: {model.blocks.0.batch_norm: true}}"
    )
    path = with_line(path, "{bool: }", "{bool: , when: {model.blocks.0.filters: 4}}")
    assert "depend on each other in a circle" in problems(path)


def test_every_corner_that_cannot_be_is_named_with_its_values(search_yaml):
    message = problems(with_line(search_yaml, "dropout: {float: [0.1, 0.5]", "dropout: {float: [0.1, 1.5]"))
    assert "model.head.dropout: got 1.5" in message and "(at depth 1" in message
    assert message.count("model.head.dropout: got 1.5") == 1


def test_seeds_and_variants_do_not_stand_beside_domains(search_yaml):
    assert "a study has no domains" in problems(search_yaml, "seeds=[1, 2]")


@pytest.mark.parametrize("command", ["run", "evaluate-less"])
def test_other_commands_say_that_this_is_a_space(cli, search_yaml, tmp_path, command):
    if command == "run":
        answer = cli("run", search_yaml)
        assert answer.code == 2 and "python -m kerasexp search" in answer.err
    upstream = tmp_path / "second.yaml"
    upstream.write_text("data: {source: digits}\ninit: {experiment: space.yaml}\n")
    answer = cli("show", upstream)
    assert answer.code == 2 and "has domains to search" in answer.err


def test_show_prints_the_space(cli, search_yaml):
    answer = cli("show", search_yaml)
    assert answer.code == 0 and "choice:" in answer.out and "algorithm: bayesian" in answer.out


def test_executor_is_for_studies_and_searches(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("data: {source: digits}\nexecutor: ray\n")
    assert "is for studies and searches" in problems(path)
    path.write_text("data: {source: digits}\nseeds: [0, 1]\nexecutor: rya\n")
    assert "did you mean 'ray'?" in problems(path)


def test_an_argument_of_ones_own_code_may_be_called_when_or_data(tmp_path):
    (tmp_path / "my.py").write_text(
        "import keras\n\n\nclass Watch(keras.callbacks.Callback):\n    def __init__(self, when):\n        super().__init__()\n"
        "\n\ndef build(images, *, data: str = 'x'):\n    return images\n"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(
        "data: digits\nmodel: {name: my.py:build}\ntraining: {callbacks: [{name: my.py:Watch, when: epoch}]}\n"
    )
    found = load(path, ["model.data=abc"])
    assert found.training.callbacks[0].arguments == {"when": "epoch"} and found.model.arguments == {"data": "abc"}
