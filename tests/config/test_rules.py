"""Rules that tie several keys together."""

import pytest
from problems_found import broken

from kerasexp.config import load_experiment
from kerasexp.config.training_section import direction
from kerasexp.errors import UserError


def test_the_default_experiment_breaks_no_rule():
    assert broken("") == {}


@pytest.mark.parametrize(("monitor", "better"), [("val_accuracy", "max"), ("val_loss", "min"), ("loss", "min")])
def test_the_better_direction_of_a_monitor_is_known(monitor, better):
    assert direction(monitor) == better


@pytest.mark.parametrize("watcher", ["reduce_lr_on_plateau", "early_stopping", "checkpoint"])
def test_the_direction_follows_from_the_monitor_and_is_no_key(watcher):
    found = broken(f"training: {{{watcher}: {{mode: max}}}}")
    assert list(found) == [f"training.{watcher}.mode"] and "unknown key 'mode'" in found[f"training.{watcher}.mode"]


def test_a_schedule_and_a_plateau_rule_exclude_each_other():
    assert broken("training: {schedule: cosine, reduce_lr_on_plateau: {}}").keys() == {"training.reduce_lr_on_plateau"}
    assert broken("training: {schedule: constant, reduce_lr_on_plateau: {}}") == {}


@pytest.mark.parametrize(
    ("epochs", "fine_tune", "message"),
    [
        (5, "{head_epochs: 4}", None),
        (5, "{head_epochs: 5}", "got 5 of 5 epochs, which leaves none for the layers below the head"),
        (5, "{head_epochs: 1, unfreeze: head}", "is not for unfreeze: head"),
        (5, "{head_epochs: 1, unfreeze: 2, batch_norm: frozen}", None),
    ],
)
def test_the_head_comes_first_for_fewer_epochs_than_there_are(epochs, fine_tune, message):
    found = broken(f"training: {{epochs: {epochs}, fine_tune: {fine_tune}}}")
    assert list(found) == ([] if message is None else ["training.fine_tune.head_epochs"])
    assert message is None or found["training.fine_tune.head_epochs"].startswith(message)


@pytest.mark.parametrize(
    ("name", "key", "owned"),
    [
        ("adam", "momentum: 0.9", False),
        ("sgd", "momentum: 0.9", True),
        ("rmsprop", "momentum: 0.9", True),
        ("rmsprop", "nesterov: true", False),
        ("sgd", "beta_1: 0.8", False),
        ("adamw", "beta_1: 0.8", True),
        ("sgd", "weight_decay: 0.1", True),
    ],
)
def test_an_optimizer_takes_its_own_keys_only(name, key, owned):
    found = broken(f"training: {{optimizer: {{name: {name}, {key}}}}}")
    assert found.keys() == (set() if owned else {f"training.optimizer.{key.split(':')[0]}"})


@pytest.mark.parametrize(
    ("name", "key", "owned"),
    [
        ("cosine", "warmup: 0.1", True),
        ("step", "warmup: 0.1", True),
        ("one_cycle", "warmup: 0.1", False),
        ("one_cycle", "peak: 0.5", True),
        ("cosine", "peak: 0.5", False),
        ("step", "every: 3", True),
        ("constant", "factor: 0.5", False),
    ],
)
def test_a_schedule_takes_its_own_keys_only(name, key, owned):
    found = broken(f"training: {{schedule: {{name: {name}, {key}}}}}")
    assert found.keys() == (set() if owned else {f"training.schedule.{key.split(':')[0]}"})


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [
        (
            "optimizer: {momentum: 0.9}",
            "momentum",
            "adam has no key 'momentum'; those that have it: muon, sgd, rmsprop",
        ),
        (
            "optimizer: {name: sgd, beta_1: 0.9}",
            "beta_1",
            "sgd has no key 'beta_1'; those that have it: adam, adamw, nadam, lamb, lion",
        ),
        ("loss: {name: focal, tau: 1.0}", "tau", "focal has no key 'tau'; those that have it: logit_adjusted"),
        ("schedule: {every: 3}", "every", "constant has no key 'every'; those that have it: step"),
        ("decode: {tau: 3}", "tau", "argmax has no key 'tau'; those that have it: logit_adjusted"),
    ],
)
def test_a_key_of_another_kind_is_refused_with_the_kinds_that_have_it(section, key, message):
    assert broken(f"training: {{{section}}}") == {f"training.{section.partition(':')[0]}.{key}": message}


def test_a_key_of_another_network_is_refused_with_the_networks_that_have_it():
    assert broken("model: {name: cnn, units: [3]}") == {
        "model.units": "cnn has no key 'units'; those that have it: mlp"
    }


def test_a_null_of_another_kind_is_refused_too():
    assert broken("training: {optimizer: {momentum: null}}").keys() == {"training.optimizer.momentum"}


@pytest.mark.parametrize(
    ("blocks", "last"),
    [
        ("[{filters: 1, pool: 2}, {filters: 1, pool: 2}]", None),
        ("[{filters: 1, pool: 2}, {filters: 1, pool: 2}, {filters: 1, pool: 2}]", "2"),
        ("[{filters: 1, kernel: 7, padding: valid, convolutions: 1}]", None),
        ("[{filters: 1, kernel: 7, padding: valid, convolutions: 2}]", "0"),
        ("[{filters: 1, kernel: 9, padding: valid}]", "0"),
        ("[{filters: 1, stride: 16}, {filters: 1, stride: 16}]", None),
        ("[{filters: 1, stride: 8}, {filters: 1, pool: 2}]", "1"),
    ],
)
def test_blocks_that_leave_nothing_of_the_image_are_refused(blocks, last):
    found = broken(f"data: {{preprocessing: {{size: [7, 40]}}}}\nmodel: {{name: cnn, blocks: {blocks}}}")
    assert found.keys() == (set() if last is None else {f"model.blocks.{last}"})


def test_two_folders_cannot_have_one_class_name():
    found = broken("data: {class_names: {Sample001: 'o', Sample025: 'o', Sample002: 'x'}}")
    assert "Sample001, Sample025" in found["data.class_names"]


def test_selected_classes_must_be_named():
    text = "data: {{class_names: {{a: 'x', b: 'y', c: 'z'}}, labels: {{select: {select}}}}}"
    assert broken(text.format(select="[x, y]")) == {}
    assert "'w'" in broken(text.format(select="[x, w]"))["data.labels.select"]


def test_a_class_cannot_be_selected_twice():
    assert broken("data: {labels: {select: ['1', '1']}}").keys() == {"data.labels.select"}


def test_any_part_for_test_and_any_part_of_the_rest_for_validation_leave_something():
    assert broken("data: {validation: 0.5, test: 0.5}") == {}


def test_a_fold_must_exist(tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text("data: {validation: {folds: 4, fold: 4}}")
    with pytest.raises(UserError, match="fold 4 does not exist; with folds: 4 it is 0 to 3"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        ("framing: window", "needs window"),
        ("window: [0.0, 0.0, 1.0, 1.0]", "framing: window only"),
        ("framing: window, window: [0.5, 0.0, 0.5, 1.0]", "is empty"),
    ],
)
def test_a_window_goes_with_its_framing(tmp_path, preprocessing, message):
    path = tmp_path / "exp.yaml"
    path.write_text(f"data: {{preprocessing: {{{preprocessing}}}}}")
    with pytest.raises(UserError, match=message):
        load_experiment(path)


def test_several_broken_rules_are_reported_at_once(tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text("training: {validate_at: [3, 1]}\ndata: {labels: {select: [a, a]}}")
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert {p.key for p in caught.value.problems} == {"training.validate_at", "data.labels.select"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("training: {decode: logit_adjusted}", None),
        ("training: {decode: logit_adjusted, loss: focal}", None),
        ("training: {decode: {name: logit_adjusted, tau: 0.5}}", None),
        ("data: {oversample: 1}\ntraining: {loss: focal}", None),
        ("training: {decode: {name: argmin, tau: 0.5}}", "training.decode.tau"),
        ("training: {decode: logit_adjusted, loss: logit_adjusted}", "training.decode"),
        ("training: {decode: logit_adjusted, loss: scl_nl}", "training.decode"),
        ("data: {oversample: 0.5}\ntraining: {loss: ldam}", "data.oversample"),
        ("data: {oversample: 0.5}\ntraining: {decode: logit_adjusted}", "data.oversample"),
    ],
)
def test_rare_classes_are_corrected_for_once(text, key):
    assert list(broken(text)) == ([] if key is None else [key])


@pytest.mark.parametrize("at", ["", "offline", "test"])
@pytest.mark.parametrize(
    ("source", "key", "owned"),
    [
        ("tiny_imagenet", "first_classes: 50", True),
        ("mnist", "first_classes: 50", False),
        ("stl10", "fold: 3", True),
        ("dogs_vs_cats", "fold: 3", False),
    ],
)
def test_a_source_takes_its_own_keys_only(at, source, key, owned):
    section = f"{{source: {source}, {key}}}"
    found = broken(f"data: {{{at}: {section}}}" if at else f"data: {section}")
    name = key.partition(":")[0]
    owner = "tiny_imagenet" if name == "first_classes" else "stl10"
    message = f"{source} has no key '{name}'; those that have it: {owner}"
    assert found == ({} if owned else {".".join(part for part in ("data", at, name) if part): message})


@pytest.mark.parametrize("key", ["images: x.zip", "columns: {label: kind, split: false, group: 3}"])
def test_a_table_has_columns_and_a_place_of_images(key):
    name = key.partition(":")[0]
    assert broken(f"data: {{source: table, path: t.csv, {key}}}") == {}
    message = f"image_folder has no key '{name}'; those that have it: table"
    assert broken(f"data: {{source: image_folder, path: t, {key}}}") == {f"data.{name}": message}


def test_groups_are_those_of_a_column_or_of_names():
    found = broken("data: {source: table, path: t.csv, columns: {group: writer}, groups: 'w(.)'}")
    assert found == {
        "data.groups": "says which images stay together, and so does data.columns.group; use one of the two"
    }
    assert broken("data: {source: table, path: t.csv, columns: {group: false}, groups: 'w(.)'}") == {}


@pytest.mark.parametrize("source", ["stl10", "tiny_imagenet", "dogs_vs_cats"])
def test_known_sources_take_a_path_and_need_none(source):
    assert broken(f"data: {{source: {source}}}") == {} == broken(f"data: {{source: {source}, path: x.zip}}")


@pytest.mark.parametrize("keys", ["fold: 10", "fold: -1", "first_classes: 1", "first_classes: 201"])
def test_folds_and_numbers_of_classes_that_cannot_be_are_refused(keys):
    assert list(broken(f"data: {{{keys}}}")) == [f"data.{keys.partition(':')[0]}"]


@pytest.mark.parametrize(
    ("training", "key"),
    [
        ("loss: {name: cross_entropy, label_smoothing: 0.1, triplet: {}, center: {}}", None),
        ("loss: {name: ldam, triplet: {margin: 0.5}}", None),
        ("loss: {name: scl_nl, triplet: {}}", "training.loss.triplet"),
        ("loss: {name: unbiased, center: {}}", "training.loss.center"),
        ("{loss: {name: cross_entropy, center: {}}, decode: argmin}", "training.loss.center"),
        ("{loss: {name: cross_entropy, triplet: {mining: semi_hard}}, batch_size: 256}", None),
        (
            "{loss: {name: cross_entropy, triplet: {mining: semi_hard}}, batch_size: 257}",
            "training.loss.triplet.mining",
        ),
        ("{loss: {name: cross_entropy, triplet: {}}, batch_size: 257}", None),
        ("{class_batches: {classes: 10, images: 4}, batch_size: 40}", None),
        ("{class_batches: {}, batch_size: 64}", None),
        ("{class_batches: {classes: 10, images: 4}}", "training.batch_size"),
        ("{class_batches: {}, batch_size: 64, loss: class_balanced}", "training.class_batches"),
        ("{class_batches: {}, batch_size: 64, decode: logit_adjusted}", "training.class_batches"),
    ],
)
def test_metric_losses_go_with_true_labels_and_class_batches_with_their_size(training, key):
    text = f"training: {training if training.startswith('{') else '{' + training + '}'}"
    assert list(broken(text)) == ([] if key is None else [key])


def test_what_belongs_to_a_metric_loss_is_reported():
    found = broken("training: {class_batches: {classes: 10, images: 4}}")
    assert "got 100; class_batches of 10 classes with 4 images each make it 40" in found["training.batch_size"]
    found = broken("training: {loss: {name: scl_nl, center: {}}}")
    assert "those that have it: cross_entropy, logit_adjusted" in found["training.loss.center"]
    both = broken("data: {oversample: 1}\ntraining: {class_batches: {}, batch_size: 64}")
    assert list(both) == ["training.class_batches"] and "data.oversample" in both["training.class_batches"]


def test_stroke_widths_are_for_grey_images_whose_labels_say_what_they_are():
    widths = "report: {stroke_widths: [0.5, 1.5]}"
    assert broken(widths) == {}
    found = broken(f"{widths}\ndata: {{preprocessing: {{channels: 3}}}}")
    assert found.keys() == {"report.stroke_widths"} and "this experiment has 3" in found["report.stroke_widths"]
    assert "report.stroke_widths" in broken(f"{widths}\ntraining: {{decode: argmin}}")
    assert broken("report: {stroke_widths: [0, 5]}").keys() == {"report.stroke_widths.0", "report.stroke_widths.1"}


WRONG = "data: {labels: {complement: true}}\n"
UPSTREAM = "{name: first, data: {labels: {complement: true}}, training: {loss: scl_nl}}"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (f"{WRONG}init: {{experiment: {UPSTREAM}, layers: none, pseudo_labels: true}}", set()),
        ("init: {experiment: {name: first, training: {epochs: 1}}, pseudo_labels: true}", {"init.pseudo_labels"}),
        ("init: {experiment: {name: first, training: {decode: argmin}}, pseudo_labels: true}", set()),
        (
            f"{WRONG}init: {{experiment: {UPSTREAM}, layers: none, pseudo_labels: true}}\ntraining: {{decode: logit_adjusted}}",
            {"training.decode"},
        ),
    ],
)
def test_pseudo_labels_are_for_labels_that_exclude_a_class(text, keys):
    assert broken(text).keys() == keys
