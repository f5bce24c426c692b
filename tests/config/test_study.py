"""Studies: what `variants` and `seeds` make of an experiment."""

from pathlib import Path

import pytest

from kerasexp.config import Experiment, Study, load, load_experiment, resolved_yaml
from kerasexp.config.study_section import folder_of, quickened
from kerasexp.errors import UserError

BASE = "data: {source: digits}\nmodel: {name: mlp, units: [32]}\ntraining: {optimizer: adam, epochs: 4}\n"


@pytest.fixture
def study(tmp_path):
    """Return a function that loads a study of these variants and seeds."""

    def loaded(text: str, *overrides: str) -> Study:
        path = tmp_path / "study.yaml"
        path.write_text(BASE + text)
        return load(path, overrides)

    return loaded


def test_a_file_without_variants_and_seeds_is_one_experiment(study):
    assert isinstance(study(""), Experiment)


def test_variants_change_the_experiment_by_nested_and_by_dotted_keys(study):
    found = study(
        "variants:\n  plain: {}\n  cnn: {model: {name: cnn, blocks: [{filters: 4}]}}\n"
        "  low rate: {training.optimizer.learning_rate: 0.1, training: {epochs: 2}}\n"
    )
    assert list(found.variants) == ["plain", "cnn", "low rate"] and found.seeds == [0] and found.name == "study"
    assert [v.model.name for v in found.variants.values()] == ["mlp", "cnn", "mlp"]
    low = found.variants["low rate"].training
    assert (low.optimizer.name, low.optimizer.learning_rate, low.epochs) == ("adam", 0.1, 2)


def test_a_grid_is_all_combinations(study):
    found = study(
        "variants: {grid: {training.batch_size: [16, 64], model.units: [[8], [8, 8]], training.optimizer: [sgd]}}"
    )
    assert list(found.variants)[0] == "batch_size=16, units=[8], optimizer=sgd"
    assert [(v.training.batch_size, v.model.units) for v in found.variants.values()] == [
        (16, [8]), (16, [8, 8]), (64, [8]), (64, [8, 8]),
    ]  # fmt: skip


def test_keys_of_a_grid_that_end_alike_are_named_in_full(study):
    found = study("variants: {grid: {training.schedule.name: [step], training.optimizer.name: [sgd]}}")
    assert list(found.variants) == ["training.schedule.name=step, training.optimizer.name=sgd"]


def test_runs_have_all_variants_for_the_first_seed_before_the_next(study):
    runs = [(name, seed, e.seed) for name, seed, e in study("seeds: [3, 5]\nvariants: {a: {}, b: {}}").runs()]
    assert runs == [("a", 3, 3), ("b", 3, 3), ("a", 5, 5), ("b", 5, 5)]


def test_a_seed_is_that_of_the_upstream_experiment_too(study, tmp_path):
    (tmp_path / "up.yaml").write_text(BASE)
    for _, seed, experiment in study("seeds: [3, 5]\ninit: {experiment: up.yaml}").runs():
        assert experiment.seed == experiment.init.experiment.seed == seed


def test_seeds_alone_make_a_study_of_one_variant(study):
    assert list(study("seeds: [0, 1]").variants) == ["study"]


def test_what_is_reported_is_a_variants_own(study):
    found = study("reported: {test_accuracy: 0.5}\nvariants: {a: {}, b: {reported: {test_accuracy: 0.7}}}")
    assert [v.reported for v in found.variants.values()] == [{}, {"test_accuracy": 0.7}]


def test_overrides_come_last_and_may_change_the_study(study):
    text = "seeds: [0, 1]\nvariants: {a: {training: {epochs: 9}}, b: {}}"
    found = study(text, "training.epochs=1", "seeds=[7]", "variants.b.model.units=[5]")
    assert [v.training.epochs for v in found.variants.values()] == [1, 1]
    assert found.seeds == [7] and found.variants["b"].model.units == [5]


def test_a_resolved_study_loads_to_an_equal_one(study, tmp_path):
    variants = "variants: {a: {reported: {note: x}}, 'b c': {model: {name: cnn}}}"
    found = study(f"executor: ray\nray: {{cpus: 2}}\nseeds: [4, 1]\n{variants}")
    (tmp_path / "resolved.yaml").write_text(resolved_yaml(found))
    assert load(tmp_path / "resolved.yaml") == found


def test_a_quick_study_has_fewer_seeds_and_images_and_knows_it(study):
    found = quickened(study("seeds: [0, 1, 2]\nvariants: {a: {}, b: {data: {labels: {at_most: 100}}}}"))
    assert found.quick and found.seeds == [0, 1]
    assert [v.data.labels.at_most for v in found.variants.values()] == [6000, 100]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "variants: {a: {training: {epoch: 3}}, b: {}}",
            "training.epoch: in variant 'a': unknown key 'epoch'; did you",
        ),
        ("variants: {a: {seed: 3}}", "is the same for all variants"),
        ("variants: {'a b': {}, a/b: {}}", "would share the folder a_b"),
        ("variants: {a: {}, plots: {}}", "'plots' would share the folder of the study's plots"),
        ("variants: {grid: {training.epochs: 3}}", "variants.grid.training.epochs: got 3; a list of values is needed"),
        ("variants: {grid: {training.epochs: [3]}, a: {}}", "is beside named variants"),
        ("variants: {a: 3}", "variants.a"),
        ("variants: []", "variants"),
        ("seeds: [1, 1]", "seed 1 is given twice"),
        ("seeds: [-1]", "seeds.0"),
        ("seeds: []", "seeds"),
        ("seeds: 3", "seeds"),
        ("variants: {'': {}}", "is not a name of a variant"),
        ("variants: {grid: {seed: [1, 2]}}", "is the same for all variants"),
        (f"seeds: {list(range(600))}\nvariants: {{a: {{}}, b: {{}}}}", "more than 1,000 runs"),
    ],
)
def test_what_is_wrong_with_a_study_is_reported(study, text, message):
    with pytest.raises(UserError) as raised:
        study(text)
    assert message in str(raised.value)


def test_what_is_wrong_with_all_variants_is_reported_once(study):
    with pytest.raises(UserError) as raised:
        study("variants: {a: {}, b: {}}", "training.epoch=3")
    assert len(raised.value.problems) == 1 and "in variant" not in str(raised.value)


def test_one_experiment_is_not_taken_from_a_study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("seeds: [0, 1]\n")
    with pytest.raises(UserError, match="seeds: is a study of several runs"):
        load_experiment(path)
    (tmp_path / "on_top.yaml").write_text("init: {experiment: study.yaml}\n")
    with pytest.raises(UserError, match="is a study of several runs"):
        load(tmp_path / "on_top.yaml")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("784-192-10", "784-192-10"), ("lr=0.1, a/b", "lr=0.1_a_b"), ("..", "_"), ("数字", "_"), (".hidden", "hidden")],
)
def test_a_variants_folder(name, folder):
    assert folder_of(name) == folder
    assert Path(folder).name == folder


@pytest.mark.parametrize(
    "grid",
    [
        "{training.optimizer.learning_rate: [0.1, 0.01], training.optimizer.name: [sgd, rmsprop]}",
        "{training.optimizer.learning_rate: [0.1, 0.01], training.optimizer: [sgd, rmsprop]}",
    ],
)
def test_keys_before_the_kind_that_they_belong_to_count(study, grid):
    found = [variant.training.optimizer for variant in study(f"variants: {{grid: {grid}}}\n").variants.values()]
    assert [(each.learning_rate, each.name) for each in found] == [
        (0.1, "sgd"), (0.1, "rmsprop"), (0.01, "sgd"), (0.01, "rmsprop")
    ]  # fmt: skip


def test_mappings_of_other_keys_with_one_value_are_variants_of_their_own(study):
    found = study("variants: {grid: {data.augmentation: [{rotation: 10}, {shear: 10}]}}\n").variants
    assert list(found) == ["augmentation=rotation 10", "augmentation=shear 10"]
    assert [variant.data.augmentation.shear for variant in found.values()] == [0, 10]
    with pytest.raises(UserError, match="variants.grid: has the combination 'epochs=3' twice"):
        study("variants: {grid: {training.epochs: [3, 3]}}\n")


def test_an_inherited_study_can_be_switched_off(study):
    assert isinstance(study("seeds: [0, 1]\nvariants: {a: {}}\n", "seeds=null", "variants=null"), Experiment)
    assert isinstance(study("seeds: null\nvariants: null\n"), Experiment)


def test_one_experiment_may_have_no_seeds(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(BASE + "seeds: null\n")
    assert load_experiment(path).training.epochs == 4
