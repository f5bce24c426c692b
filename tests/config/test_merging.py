"""Experiments put together: from bases, from short forms, with an upstream experiment and data files."""

import pytest
from problems_found import problem_files, problems

from kerasexp.config import load_experiment
from kerasexp.config.model_section import Mlp
from kerasexp.config.optimizer_section import Adam, Sgd
from kerasexp.errors import UserError

# Bases


def test_a_base_is_merged_key_by_key_and_the_name_is_not_inherited(write):
    write("name: base\nseed: 7\ntraining: {epochs: 3, batch_size: 50}", "_base/b.yaml")
    experiment = load_experiment(write("base: _base/b.yaml\ntraining: {epochs: 4}"))
    assert (experiment.name, experiment.seed) == ("exp", 7)
    assert (experiment.training.epochs, experiment.training.batch_size) == (4, 50)


def test_a_list_replaces_the_bases_list(write):
    write("model: {name: mlp, units: [10, 20, 30]}", "b.yaml")
    assert load_experiment(write("base: b.yaml\nmodel: {units: [5]}")).model.units == [5]


def test_a_mapping_of_another_kind_replaces_the_bases(write):
    write("model: {name: mlp, units: [10]}\ntraining: {optimizer: {name: sgd, momentum: 0.9}}", "b.yaml")
    experiment = load_experiment(write("base: b.yaml\nmodel: {name: cnn}\ntraining: {optimizer: {name: adam}}"))
    assert experiment.model.name == "cnn"
    assert experiment.training.optimizer == Adam()


def test_a_key_is_added_to_the_bases_short_form(write):
    """`optimizer: sgd` stands for `{name: sgd}`, so a base that says so is merged like one that writes it out."""
    write("training: {optimizer: sgd}", "b.yaml")
    optimizer = load_experiment(write("base: b.yaml\ntraining: {optimizer: {learning_rate: 0.1}}")).training.optimizer
    assert (optimizer.name, optimizer.learning_rate) == ("sgd", 0.1)


def test_null_removes_what_the_base_asks_for(write):
    write("training: {early_stopping: {patience: 3}}", "b.yaml")
    assert load_experiment(write("base: b.yaml\ntraining: {early_stopping: null}")).training.early_stopping is None


def test_a_base_has_a_base_beside_it(write):
    write("seed: 1\ntraining: {epochs: 1}", "_base/deep.yaml")
    write("base: deep.yaml\ntraining: {epochs: 2}", "_base/b.yaml")
    experiment = load_experiment(write("base: _base/b.yaml"))
    assert (experiment.seed, experiment.training.epochs) == (1, 2)


def test_bases_in_a_circle_are_refused(write):
    write("base: exp.yaml", "b.yaml")
    with pytest.raises(UserError, match=r"circle: exp\.yaml -> b\.yaml -> exp\.yaml"):
        load_experiment(write("base: b.yaml"))


@pytest.mark.parametrize("base", ["nowhere.yaml", "''", "."])
def test_a_missing_base_is_refused(write, base):
    assert problems(write(f"base: {base}")).keys() == {"base"}


@pytest.mark.parametrize("base", ["3", "[b.yaml, 3]", "{b.yaml: 1}"])
def test_bases_are_file_names(write, base):
    write("{}", "b.yaml")
    assert "YAML file" in problems(write(f"base: {base}"))["base"]


def test_of_several_bases_the_later_wins_and_the_file_itself_wins_over_all(write):
    first = "seed: 1\ntraining: {epochs: 1, batch_size: 1}\nmodel: {name: mlp, units: [1]}"
    write(first, "first.yaml")
    write("training: {epochs: 2, batch_size: 2}\nmodel: {units: [2]}", "second.yaml")
    experiment = load_experiment(write("base: [first.yaml, second.yaml]\ntraining: {epochs: 3}"))
    assert (experiment.seed, experiment.training.batch_size, experiment.training.epochs) == (1, 2, 3)
    assert (experiment.model.name, experiment.model.units) == ("mlp", [2])


def test_a_wrong_value_is_reported_with_the_one_of_several_bases_it_stands_in(write):
    first, second = write("seed: -1", "first.yaml"), write("training: {epochs: 0}", "second.yaml")
    assert sorted(problem_files(write("base: [first.yaml, second.yaml]"))) == [str(first), str(second)]


def test_a_wrong_value_is_reported_with_the_file_it_stands_in(write):
    base = write("training: {epochs: 0}", "b.yaml")
    path = write("base: b.yaml\ntraining: {batch_size: 0}")
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert {p.key: p.file for p in caught.value.problems} == {
        "training.epochs": str(base),
        "training.batch_size": str(path),
    }


def test_a_broken_rule_is_reported_with_the_file_it_stands_in(write):
    base = write("training: {validate_at: [3, 1]}", "b.yaml")
    assert problem_files(write("base: b.yaml")) == [str(base)]


# Short forms


def test_short_forms_stand_for_mappings(write):
    short = write("training: {optimizer: sgd, loss: cross_entropy, schedule: cosine, checkpoint: last}", "a.yaml")
    full = write(
        "name: a\ntraining: {optimizer: {name: sgd}, loss: {name: cross_entropy}, schedule: {name: cosine}, "
        "checkpoint: {keep: last}}",
        "b.yaml",
    )
    assert load_experiment(short) == load_experiment(full)


SHORT = {
    "model: mlp": "model: {name: mlp}",
    "data: digits": "data: {source: digits}",
    "data: {offline: digits, test: mnist}": "data: {offline: {source: digits}, test: {source: mnist}}",
    "runtime: all": "runtime: {devices: all}",
    "model: {name: cnn, blocks: [conv, mobile]}": "model: {name: cnn, blocks: [{pool: 2}, {kind: mobile, stride: 2}]}",
    **{
        f"training: {{{section}: {word}}}": f"training: {{{section}: {{{key}: {word}}}}}"
        for section, key, word in (
            ("optimizer", "name", "rmsprop"), ("loss", "name", "ldam"), ("schedule", "name", "one_cycle"),
            ("decode", "name", "argmin"), ("checkpoint", "keep", "last"), ("fine_tune", "unfreeze", "head"),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("short", SHORT)
def test_a_plain_word_stands_for_a_section_with_its_defaults(write, short):
    full = load_experiment(write("name: exp\n" + SHORT[short], "full.yaml"))
    assert load_experiment(write(short)) == full
    key, _, word = short.partition(": ")
    assert load_experiment(write("{}"), [f"{key}={word}"]) == full


def test_a_word_replaces_the_section_of_the_base(write):
    write("model: {name: mlp, units: [3]}\ntraining: {optimizer: {name: sgd, momentum: 0.9}}", "b.yaml")
    for experiment in (
        load_experiment(write("base: b.yaml\nmodel: mlp\ntraining: {optimizer: sgd}")),
        load_experiment(write("base: b.yaml"), ["model=mlp", "training.optimizer=sgd"]),
    ):
        assert (experiment.model, experiment.training.optimizer) == (Mlp(), Sgd())


def test_keys_are_added_to_words_of_the_base(write):
    write("model: mlp\ndata: digits\ntraining: {optimizer: sgd}", "b.yaml")
    own = "model: {units: [3]}\ndata: {split_seed: 3}\ntraining: {optimizer: {momentum: 0.5}}"
    changes = ["model.units=[3]", "data={split_seed: 3}", "training.optimizer.momentum=0.5"]
    for experiment in (load_experiment(write(f"base: b.yaml\n{own}")), load_experiment(write("base: b.yaml"), changes)):
        assert experiment.model == Mlp(units=[3]) and experiment.training.optimizer == Sgd(momentum=0.5)
        assert (experiment.data.source, experiment.data.split_seed) == ("digits", 3)


def test_a_mapping_without_a_name_is_the_default_with_these_keys(write):
    training = load_experiment(
        write("training: {optimizer: {learning_rate: 0.1}, loss: {label_smoothing: 0.1}}")
    ).training
    assert (training.optimizer, training.loss.name) == (Adam(learning_rate=0.1), "cross_entropy")


def test_names_in_a_mapping_of_ones_own_are_no_kinds(write):
    write("data: {source: npz, path: x, class_names: {name: a, kind: b, source: c}}", "b.yaml")
    own = "base: b.yaml\ndata: {class_names: {name: d}}"
    assert load_experiment(write(own)).data.class_names == {"name": "d", "kind": "b", "source": "c"}


def test_a_stand_in_has_a_short_form(write):
    assert load_experiment(write("data: {offline: rendered_scans}")).data.offline.source == "rendered_scans"


# Upstream experiments


def test_an_upstream_experiment_is_resolved_in_place(write):
    upstream = write("seed: 4\nmodel: {name: mlp}", "up.yaml")
    experiment = load_experiment(write("init: {experiment: up.yaml, layers: all}"))
    assert experiment.init.experiment == load_experiment(upstream)


def test_an_upstream_experiment_has_an_upstream_of_its_own(write):
    write("{}", "first.yaml")
    write("init: {experiment: first.yaml}", "second.yaml")
    assert load_experiment(write("init: {experiment: second.yaml}")).init.experiment.init.experiment.name == "first"


def test_a_problem_upstream_names_the_upstream_file_and_hides_no_other(write):
    upstream = write("training: {epochs: 0}", "up.yaml")
    path = write("seed: -1\ninit: {experiment: up.yaml}")
    assert sorted(problem_files(path)) == sorted([str(upstream), str(path)])


def test_set_reaches_the_upstream_experiment_or_is_refused(write):
    """It never puts another experiment, of nothing but defaults, in the upstream's place."""
    path = write("model: {name: mlp}", "up.yaml").with_name("exp.yaml")
    write("init: {experiment: up.yaml}")
    try:
        upstream = load_experiment(path, ["init.experiment.training.epochs=1"]).init.experiment
    except UserError:
        return
    assert (upstream.model.name, upstream.training.epochs) == ("mlp", 1)


def test_an_experiment_cannot_start_from_itself(write):
    with pytest.raises(UserError, match=r"init\.experiment: .*exp\.yaml -> exp\.yaml"):
        load_experiment(write("init: {experiment: exp.yaml}"))


def test_two_experiments_cannot_start_from_each_other(write):
    write("init: {experiment: exp.yaml}", "other.yaml")
    with pytest.raises(UserError, match=r"exp\.yaml -> other\.yaml -> exp\.yaml"):
        load_experiment(write("init: {experiment: other.yaml}"))


def test_a_missing_upstream_is_refused(write):
    assert problems(write("init: {experiment: nowhere.yaml}")).keys() == {"init.experiment"}


def test_an_upstream_written_out_is_reported_its_own_problems_only(write):
    found = problems(write("init: {experiment: {name: up, training: {epoch: 3}}}"))
    assert list(found) == ["init.experiment.training.epoch"]
    assert "did you mean 'epochs'?" in found["init.experiment.training.epoch"]


# Data files


def test_a_data_file_beside_the_yaml_is_made_absolute(write, tmp_path):
    write(b"", "sub/scans.npz")
    experiment = load_experiment(write("data: {source: npz, path: scans.npz}", "sub/exp.yaml"))
    assert experiment.data.path == str(tmp_path / "sub" / "scans.npz")


def test_a_data_file_in_the_data_folder_keeps_its_name(write, tmp_path, monkeypatch):
    write(b"", "elsewhere/scans.npz")
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "elsewhere"))
    assert load_experiment(write("data: {source: npz, path: scans.npz}")).data.path == "scans.npz"


# Other kinds


def test_another_source_keeps_how_images_are_split_and_preprocessed(tmp_path):
    base = (
        "data: {source: image_folder, path: p, class_names: {a: x, b: y}, split_seed: 3, preprocessing: {size: [8, 8]}}"
    )
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "own.yaml").write_text("base: base.yaml\ndata: {source: digits}\n")
    (tmp_path / "word.yaml").write_text("base: base.yaml\ndata: digits\n")
    files = [load_experiment(tmp_path / name).data for name in ("own.yaml", "word.yaml")]
    for data in (
        *files,
        *(load_experiment(tmp_path / "base.yaml", [f"{key}=digits"]).data for key in ("data.source", "data")),
    ):
        assert (data.source, data.path, data.class_names) == ("digits", None, None)
        assert (data.split_seed, data.preprocessing.size) == (3, [8, 8])


def test_another_source_drops_the_keys_that_only_the_old_one_has(tmp_path):
    (tmp_path / "base.yaml").write_text("data: {source: tiny_imagenet, first_classes: 50, test: 0.3}")
    data = load_experiment(tmp_path / "base.yaml", ["data.source=stl10", "data.fold=2"]).data
    assert (data.source, data.first_classes, data.fold, data.test) == ("stl10", None, 2, 0.3)


def test_a_kind_set_after_its_keys_does_not_drop_them(tmp_path):
    (tmp_path / "own.yaml").write_text("data: {source: digits}\n")
    data = load_experiment(tmp_path / "own.yaml", ["data.path=x.csv", "data.source=csv"]).data
    assert (data.source, data.path) == ("csv", "x.csv")


def test_a_file_of_weights_is_looked_for_beside_the_experiment(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "own.keras").touch()
    (folder / "imagenet").touch()
    path = folder / "exp.yaml"
    path.write_text("model: {name: resnet18, weights: own.keras}")
    assert load_experiment(path).model.weights == str(folder / "own.keras")
    path.write_text("model: {name: resnet50}\ndata: {preprocessing: {size: [32, 32], channels: 3}}")
    assert load_experiment(path, ["model.weights=imagenet"]).model.weights == "imagenet"


def test_fine_tune_has_a_short_form_that_keys_are_added_to(tmp_path):
    (tmp_path / "base.yaml").write_text("training: {fine_tune: head}")
    (tmp_path / "exp.yaml").write_text("base: base.yaml\ntraining: {fine_tune: {depth_decay: 0.5}}")
    found = load_experiment(tmp_path / "exp.yaml").training.fine_tune
    assert (found.unfreeze, found.depth_decay) == ("head", 0.5)
    assert load_experiment(tmp_path / "exp.yaml", ["training.fine_tune.unfreeze=2"]).training.fine_tune.unfreeze == 2
