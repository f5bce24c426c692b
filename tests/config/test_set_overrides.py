"""Keys changed on the command line, by `--set`."""

import pytest
from problems_found import problem_files, problems

from kerasexp.config import Experiment, Search, load, load_experiment, resolved_yaml
from kerasexp.config.optimizer_section import Adam
from kerasexp.config.yaml_text import parse_yaml, yaml_line
from kerasexp.errors import UserError


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("seed=5", lambda e: e.seed == 5),
        ("training.epochs=2", lambda e: e.training.epochs == 2),
        ("training.optimizer.learning_rate=1e-4", lambda e: e.training.optimizer.learning_rate == 1e-4),
        ("data.preprocessing.size=[32, 48]", lambda e: e.data.preprocessing.size == [32, 48]),
        ("data.preprocessing={channels: 3}", lambda e: e.data.preprocessing.channels == 3),
        ("data.preprocessing.invert=true", lambda e: e.data.preprocessing.invert is True),
        ("training.early_stopping.patience=9", lambda e: e.training.early_stopping.patience == 9),
        ("reported.note=a=b", lambda e: e.reported["note"] == "a=b"),
        ("name=other", lambda e: e.name == "other"),
    ],
)
def test_set_takes_a_yaml_value(write, override, read):
    path = write("training: {epochs: 9, batch_size: 7}")
    experiment = load_experiment(path, [override])
    assert read(experiment)
    assert experiment.training.batch_size == 7


def test_set_to_what_is_no_yaml_is_refused(write):
    assert problem_files(write("{}"), "seed=[") == ["--set seed"]


def test_set_reaches_into_a_list(write):
    path = write("model: {name: cnn, blocks: [{filters: 8}, {filters: 16, kernel: 5}]}")
    blocks = load_experiment(path, ["model.blocks.1.filters=4"]).model.blocks
    assert [(b.filters, b.kernel) for b in blocks] == [(8, 3), (4, 5)]


@pytest.mark.parametrize("position", ["2", "-1", "x", "²"])
def test_set_refuses_a_position_that_is_not_in_the_list(write, position):
    path = write("model: {name: cnn, blocks: [{filters: 8}, {filters: 16}]}")
    assert "counted from 0" in problems(path, f"model.blocks.{position}.filters=4")[f"model.blocks.{position}.filters"]


def test_set_does_not_reach_below_a_plain_value(write):
    path = write("data: {preprocessing: {size: [28, 28]}}")
    assert problem_files(path, "data.preprocessing.size.0.big=3")


def test_set_adds_a_key_to_a_short_form(write):
    path = write("training: {optimizer: sgd, checkpoint: last}\ndata: {offline: digits}")
    overrides = ["training.optimizer.momentum=0.9", "training.checkpoint.monitor=val_loss"]
    experiment = load_experiment(path, [*overrides, 'data.offline.class_names={"0": "a", "1": "b"}'])
    assert (experiment.training.optimizer.name, experiment.training.optimizer.momentum) == ("sgd", 0.9)
    assert (experiment.training.checkpoint.keep, experiment.training.checkpoint.monitor) == ("last", "val_loss")
    assert experiment.data.offline.source == "digits"


def test_set_to_another_kind_drops_the_keys_of_the_former(write):
    path = write("training: {optimizer: {name: sgd, momentum: 0.9}}\nmodel: {name: cnn, blocks: [{filters: 4}]}")
    experiment = load_experiment(path, ["training.optimizer.name=adam", "model.name=mlp"])
    assert experiment.training.optimizer == Adam()
    assert experiment.model.name == "mlp"


def test_keys_are_set_after_the_kind_of_their_section(write):
    found = load_experiment(write("{}"), ["training.optimizer.momentum=0.9", "training.optimizer=sgd"])
    assert (found.training.optimizer.name, found.training.optimizer.momentum) == ("sgd", 0.9)
    found = load_experiment(write("{}"), ["model.units=[3]", "model.name =mlp"])
    assert (found.model.name, found.model.units) == ("mlp", [3])


@pytest.mark.parametrize("text", ["training: {epochs: 010}", "training: {save_minutes: 1:30}", "seed: 0o10"])
def test_numbers_of_former_yaml_are_refused(write, text):
    with pytest.raises(UserError, match=r"epochs|save_minutes|seed"):
        load_experiment(write(text))


@pytest.mark.parametrize(
    ("text", "value"), [("0x1F", 31), ("-.5e3", -500.0), ("1_000", 1000), (".inf", float("inf")), ("0", 0)]
)
def test_numbers_are_numbers(text, value):
    assert parse_yaml(text, "x") == value


def test_later_overrides_win(write):
    assert load_experiment(write("{}"), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize("override", ["seed", "=3", " =3", ""])
def test_set_without_a_key_or_a_value_is_refused_with_an_example(write, override):
    with pytest.raises(UserError, match=r"--set: .*training\.epochs=3"):
        load_experiment(write("{}"), [override])


def test_set_with_an_unknown_key_names_set_and_the_closest_key(write):
    with pytest.raises(UserError, match=r"--set: training\.epoch: .*did you mean 'epochs'"):
        load_experiment(write("{}"), ["training.epoch=3"])


@pytest.mark.parametrize("text", ["data: digits", "data: digits\nmodel: cnn", "data: digits\nmodel: {name: cnn}"])
def test_set_within_a_section_that_is_not_written_changes_its_default(write, text):
    default = Experiment(name="exp", data={"source": "digits"}).model
    changed = load_experiment(write(text), ["model.blocks.1.filters=17"]).model
    assert changed.blocks[1].filters == 17
    assert changed.blocks[1].model_copy(update={"filters": default.blocks[1].filters}) == default.blocks[1]
    assert changed.model_copy(update={"blocks": default.blocks}) == default
    assert load_experiment(write(text), ["model.head.units=[4]"]).model.head.units == [4]
    with pytest.raises(UserError, match=r"'9' is not a position in a list of 2, counted from 0"):
        load_experiment(write(text), ["model.blocks.9.filters=17"])


def test_set_of_another_kind_has_the_keys_of_that_kind(write):
    path = write("data: digits")
    assert load_experiment(path, ["model.units=[3]", "model.name=mlp"]).model.units == [3]
    with pytest.raises(UserError, match="cnn has no key 'units'; those that have it: mlp"):
        load_experiment(path, ["model.units=[3]"])


def test_set_with_a_wrong_value_names_set(write):
    path = write("training: {epochs: 3, batch_size: 0}")
    assert problem_files(path, "training.epochs=0") == ["--set", str(path)]


DOMAIN = "training.optimizer.learning_rate={float: [0.0001, 0.01], sampling: log}"


def test_a_domain_by_set_makes_a_search(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("{data: digits, model: mlp}")
    search = load(path, [DOMAIN, "search.max_trials=3"])
    assert isinstance(search, Search) and search.settings.max_trials == 3
    assert list(search.space.domains) == ["training.optimizer.learning_rate"]
    saved = tmp_path / "saved.yaml"
    saved.write_text(resolved_yaml(search))
    assert load(saved).space == search.space


def test_a_domain_by_set_is_refused_where_one_experiment_or_a_study_is_needed(tmp_path, cli):
    path = tmp_path / "plain.yaml"
    path.write_text("{data: digits, model: mlp}")
    with pytest.raises(UserError, match="has domains to search, and one experiment is needed here"):
        load_experiment(path, [DOMAIN])
    answer = cli("run", path, "--set", DOMAIN)
    assert (
        answer.code == 2 and f"which `search` searches: python -m kerasexp search {path} --set '{DOMAIN}'" in answer.err
    )
    with pytest.raises(UserError, match="a study has no domains"):
        load(path, [DOMAIN, "seeds=[0, 1]"])


def test_what_looks_like_a_domain_and_is_none_is_answered_with_the_way_to_write_one(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("{data: digits, model: mlp}")
    with pytest.raises(UserError, match=r"a domain of a search is \{float: \[0.0001, 0.01\], sampling: log\}"):
        load(path, ["training.optimizer.learning_rate={min: 0.0001, max: 0.01}"])


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.0, 1e-06, 0.001, "1", "1e-3", "true", "null", "", "a: b", "two\nlines", "ü", [1, [2, "3"]], {},
     {"a": {"b": [1]}, "c": "x, y"}, {"float": [0.0001, 0.01], "sampling": "log"}, ["x" * 300]],
)  # fmt: skip
def test_a_value_on_one_line_is_read_again_as_it_was(value):
    line = yaml_line(value)
    found = parse_yaml(line)
    assert "\n" not in line and found == value and type(found) is type(value)
