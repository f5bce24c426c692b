"""From one file's text to an experiment, and back: numbers, unknown keys, files that are none."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems_found import problems

from kerasexp.config import Experiment, load, load_experiment, resolved_yaml
from kerasexp.config.yaml_loading import name_of_file
from kerasexp.errors import UserError

# Values


def test_an_experiment_without_keys_is_the_default_one_under_the_files_name(write):
    assert load_experiment(write("{}", "part0.yaml")) == Experiment(name="part0")


@pytest.mark.parametrize("text", ["", "\n \n", "# data: digits\n", "---\n", "---\n...\n", "null", "~"])
def test_an_empty_file_is_no_experiment(write, text):
    with pytest.raises(UserError, match=r"exp\.yaml: is empty; write a key"):
        load_experiment(write(text))
    with pytest.raises(UserError, match=r"base\.yaml: is empty"):
        write(text, "base.yaml")
        load_experiment(write("base: base.yaml"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("my experiment.yaml", "my_experiment"),
        ("Übung.yaml", "Ubung"),
        ("école №3.yaml", "ecole_No3"),
        ("-draft-.yaml", "draft"),
        (".hidden.yaml", "hidden"),
        ("实验.yaml", "experiment"),
        (f"{'long' * 30}.yaml", "long" * 25),
        ("a.b.yaml", "a.b"),
    ],
)
def test_a_files_name_gives_a_name_that_every_system_accepts(write, file, name):
    assert load_experiment(write("data: digits", file)).name == name
    assert load_experiment(write(f"init: {{experiment: '{file}'}}", "next.yaml")).init.experiment.name == name


FILES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(stem=FILES)
def test_any_file_has_a_name(stem):
    name = name_of_file(Path(f"{stem}.yaml"))
    assert Experiment(name=name).name == name


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001", "+1e-3"])
def test_a_number_in_any_notation_is_a_number(write, text):
    experiment = load_experiment(write(f"training: {{optimizer: {{learning_rate: {text}}}}}"))
    assert experiment.training.optimizer.learning_rate == 0.001


def test_a_whole_number_is_good_for_a_float(write):
    assert load_experiment(write("training: {optimizer: {learning_rate: 1}}")).training.optimizer.learning_rate == 1.0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("training: {batch_size: 0}", "training.batch_size"),
        ("training: {epochs: -1}", "training.epochs"),
        ("training: {epochs: 2.0}", "training.epochs"),
        ("training: {epochs: true}", "training.epochs"),
        ("training: {optimizer: {learning_rate: true}}", "training.optimizer.learning_rate"),
        ("training: {optimizer: {learning_rate: '0.1'}}", "training.optimizer.learning_rate"),
        ("training: {optimizer: {learning_rate: .nan}}", "training.optimizer.learning_rate"),
        ("training: {optimizer: {learning_rate: .inf}}", "training.optimizer.learning_rate"),
        ("training: {optimizer: {learning_rate: 1e999}}", "training.optimizer.learning_rate"),
        ("reported: {val_accuracy: .nan}", "reported.val_accuracy"),
        ("seed: 1.5", "seed"),
        ("seed: 2001-01-01", "seed"),
        ("seed:", "seed"),
        ("name: a b", "name"),
        ("training:", "training"),
        ("training: [1, 2]", "training"),
        ("data: {preprocessing: {size: [28]}}", "data.preprocessing.size"),
        ("data: {preprocessing: {size: [28, 3]}}", "data.preprocessing.size.1"),
        ("data: {validation: 1.0}", "data.validation"),
        ("data: {split_seed: 20240115120000}", "data.split_seed"),
        ("data: {source: npz}", "data"),
        ("data: {groups: '('}", "data.groups"),
        ("data: {groups: 'no group'}", "data.groups"),
        ("model: {name: cnn, blocks: []}", "model.blocks"),
        ("model: {name: cnn, blocks: [{filters: 0}]}", "model.blocks.0.filters"),
        ("init: {layers: all}", "init.experiment"),
    ],
)
def test_a_wrong_value_is_refused_under_its_key(write, text, key):
    assert list(problems(write(text))) == [key]


def test_a_wrong_value_is_shown_beside_what_is_wrong_with_it(write):
    assert problems(write("training: {epochs: true}"))["training.epochs"] == "got True; input should be a valid integer"


def test_a_problem_deep_in_one_form_of_a_value_is_reported_and_the_other_form_is_not(write):
    """`validation` is a fraction or a mapping: what is wrong in the mapping is no missing fraction."""
    found = problems(write("data: {validation: {folds: 3, fold: 7}}"))
    assert list(found) == ["data.validation"]
    assert "fold 7 does not exist" in found["data.validation"]


def test_a_mapping_where_a_value_belongs_is_reported_under_the_key_of_the_file(write):
    assert list(problems(write("reported: {val_accuracy: {best: 0.9}}"))) == ["reported.val_accuracy"]


def test_several_problems_are_reported_at_once(write):
    found = problems(write("sead: 3\ntraining: {epochs: 0, batch_size: 0}\nmodel: {name: cnm}"))
    assert set(found) == {"sead", "training.epochs", "training.batch_size", "model.name"}


# Unknown keys and words


@pytest.mark.parametrize(
    ("text", "key", "meant", "another"),
    [
        ("sede: 1", "sede", "seed", "training"),
        ("data: {sorce: mnist}", "data.sorce", "source", "labels"),
        ("data: {preprocessing: {sizes: [28, 28]}}", "data.preprocessing.sizes", "size", "framing"),
        ("data: {augmentation: {rotate: 3}}", "data.augmentation.rotate", "rotation", "shear"),
        ("data: {labels: {selct: [a, b]}}", "data.labels.selct", "select", "select"),
        ("data: {offline: {source: digits, pth: x}}", "data.offline.pth", "path", "class_names"),
        ("training: {epoch: 3}", "training.epoch", "epochs", "batch_size"),
        ("training: {optimizer: {lerning_rate: 3}}", "training.optimizer.lerning_rate", "learning_rate", "ema"),
        ("training: {early_stopping: {patence: 3}}", "training.early_stopping.patence", "patience", "monitor"),
        ("model: {name: mlp, unit: [3]}", "model.unit", "units", "dropout"),
        ("model: {name: cnn, head: {unit: [3]}}", "model.head.unit", "units", "activation"),
        (
            "model: {name: cnn, blocks: [{filters: 3, kernal: 3}]}",
            "model.blocks.0.kernal",
            "kernel",
            "stride",
        ),
        ("init: {experiment: up.yaml, freez: ['*']}", "init.freez", "freeze", "layers"),
    ],
)
def test_an_unknown_key_is_reported_with_the_closest_and_all_allowed_ones(write, text, key, meant, another):
    write("{}", "up.yaml")
    found = problems(write(text))
    assert list(found) == [key]
    assert f"did you mean '{meant}'?" in found[key]
    assert another in found[key].partition("allowed: ")[2].split(", ")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("epochs", "'training.epochs'"),
        ("epoch", "'training.epochs'"),
        ("batchsize", "'training.batch_size'"),
        ("optimizer", "'training.optimizer'"),
        ("learning_rate", "'training.optimizer.learning_rate'"),
        ("max_trials", "'search.max_trials'"),
        ("filters", "'model.blocks.0.filters'"),
        ("data.size", "'data.preprocessing.size'"),
        ("training.dropout", "'model.dropout'"),
        ("patience", "'training.reduce_lr_on_plateau.patience' or 'training.early_stopping.patience'"),
        ("variant", "'variants'"),
        ("trainings", "'training'"),
        ("training.epoch", "'epochs'"),
    ],
)
def test_a_key_that_is_in_another_section_is_suggested_with_its_full_path(write, key, meant):
    with pytest.raises(UserError, match=rf"--set: {re.escape(key)}: .*did you mean {re.escape(meant)}\?"):
        load_experiment(write("data: digits"), [f"{key}=2"])
    text = "".join(f"{{{part}: " for part in key.split(".")) + "2" + "}" * len(key.split("."))
    assert f"did you mean {meant}?" in problems(write(text))[key]
    study = write(f"variants: {{one: {{}}, two: {{{key}: 2}}}}")
    with pytest.raises(UserError, match=rf"in variant 'two': .*did you mean {re.escape(meant)}\?"):
        load(study)


def test_an_unknown_key_is_reported_with_its_file(write):
    path = write("sede: 1")
    with pytest.raises(UserError, match=r"exp\.yaml: sede: unknown key 'sede'"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ("data: {source: mnits}", "data.source", "mnist"),
        ("data: {offline: digts}", "data.offline", "digits"),
        ("data: {preprocessing: {framing: strech}}", "data.preprocessing.framing", "stretch"),
        ("model: {name: cn}", "model.name", "cnn"),
        ("training: {optimizer: adamm}", "training.optimizer", "adam"),
        ("training: {schedule: {name: cosin}}", "training.schedule.name", "cosine"),
        ("training: {checkpoint: bets}", "training.checkpoint", "best"),
    ],
)
def test_an_unknown_word_is_reported_with_the_closest_allowed_one(write, text, key, meant):
    found = problems(write(text))
    assert list(found) == [key] or list(found) == [f"{key}.keep"]
    (message,) = found.values()
    assert f"did you mean '{meant}'?; allowed: " in message


def test_a_model_section_without_a_name_is_reported_which_names_there_are(write):
    (message,) = problems(write("model: {units: [10]}")).values()
    assert "mlp" in message and "cnn" in message and "name" in message


# Files that are no experiment


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training:\n\tepochs: 3", r"line 2, column 1: .*\\t"),
        ("- seed: 1", "holds a list"),
        ("3", "holds a int"),
        ("seed: [1", "line 1"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not UTF-8 text"),
        (b"seed: \x00", "cannot be read as YAML"),
        ("seed: 1\nseed: 2", "line 2, column 1: the key 'seed' is given twice"),
        ("training: {epochs: 1, epochs: 2}", "'epochs' is given twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("? [1, 2]\n: 3", "a key must be a word"),
        ("seed: !!python/object/apply:os.getpid []", "python/object"),
        ("[" * 3000, "cannot be read as YAML"),
        ("seed: " + "9" * 5000, "cannot be read as YAML"),
        ("#" * 1_000_001, "is larger than"),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_what_is_no_experiment_is_refused_with_the_reason(write, content, message):
    with pytest.raises(UserError, match=message):
        load_experiment(write(content))


def test_a_missing_file_is_reported_with_the_closest_one_there(write):
    path = write("{}", "part1.yaml")
    with pytest.raises(UserError, match=r"no such file; did you mean 'part1\.yaml'\?"):
        load_experiment(path.with_name("prat1.yaml"))


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_experiment(tmp_path / ("x" * 300))


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(write):
    assert load_experiment(write(b"\xef\xbb\xbfseed: 3\r\nreported: {}\r\n")).seed == 3


def test_a_folder_is_no_experiment(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        load_experiment(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "base: {name}",
        "init: {{experiment: {name}}}",
        "data: {{source: npz, path: {name}}}",
    ],
)
@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/x.yaml"], ids=["too long", "unknown home"])
def test_an_impossible_file_name_is_a_missing_file(write, text, name):
    path = write(text.format(name=name))
    if text.startswith("data"):  # whether the data are there is asked when they are loaded
        assert load_experiment(path).data.path == name
    else:
        with pytest.raises(UserError, match="no such file"):
            load_experiment(path)


# And back


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "seed: 3\nreported: {val_accuracy: 0.9911, note: 'a: b # c'}",
        "data: {source: image_folder, path: nowhere.zip, class_names: {Sample001: '0', Sample002: 'no', s3: 'Ünï 手'},"
        " labels: {select: ['0', 'no']}, validation: {folds: 3, fold: 2}, test: 0.2, groups: '-(\\d+)\\.',"
        " offline: rendered_scans,"
        " preprocessing: {size: [64, 32], framing: window, window: [0.1, 0.2, 0.9, 1.0], invert: auto},"
        " augmentation: {rotation: 10, shear: 1e-7}}",
        "model: {name: cnn, blocks: [{filters: 4, pool: 2}, {filters: 8}], head: {units: [5], dropout: 0.5}}\n"
        "training: {optimizer: {name: sgd, momentum: 0.9}, reduce_lr_on_plateau: {}, early_stopping: {patience: 1}}",
        "name: '123'\nreported: {note: 'yes', more: '1.5', last: ''}",
        "name: 1e5x\nreported: {note: '1e-3'}",
        "name: '1e5'",
        "data: {class_names: {a: '1e1', b: '2E2'}, labels: {select: ['1e1', '2E2']}}",
    ],
)
def test_a_resolved_experiment_loads_to_an_equal_one(write, text):
    experiment = load_experiment(write(text))
    assert load_experiment(write(resolved_yaml(experiment), "resolved.yaml")) == experiment


def test_a_resolved_experiment_with_an_upstream_loads_to_an_equal_one(write):
    write("model: {name: mlp}", "up.yaml")
    experiment = load_experiment(write("init: {experiment: up.yaml, layers: [dense_1], freeze: ['*']}"))
    resolved = write(resolved_yaml(experiment), "far/away.yaml")
    assert load_experiment(resolved) == experiment
