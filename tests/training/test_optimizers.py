import keras
import pytest

from kerasexp.config.training_section import Training
from kerasexp.training.optimizers import build_optimizer
from kerasexp.training.schedules import SCHEDULES

STEPS = 100  # 10 epochs of 10


def rate(schedule, step):
    return float(schedule(step)) if callable(schedule) else schedule


def shape(**keys):
    return SCHEDULES[keys["name"]](Training(schedule=keys).schedule, 1.0, 10, 10)


def test_constant_is_a_plain_number_that_a_plateau_can_lower():
    assert shape(name="constant") == 1.0


def test_cosine_falls_from_its_peak_to_nothing():
    cosine = shape(name="cosine")
    assert [rate(cosine, s) for s in (0, 50, 100)] == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)


def test_warmup_rises_from_nothing_and_reaches_the_peak():
    cosine = shape(name="cosine", warmup=0.2)
    assert [rate(cosine, s) for s in (0, 10, 20, 100)] == pytest.approx([0.0, 0.5, 1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("name", ["constant", "step"])
def test_every_other_course_can_begin_with_a_warmup(name):
    warmed, plain = shape(name=name, warmup=0.2), shape(name=name)
    assert [rate(warmed, s) for s in (0, 5, 10, 20)] == pytest.approx([0, 0.25, 0.5, 1.0])
    assert [rate(warmed, s) for s in (20, 60, 99)] == pytest.approx([rate(plain, s) for s in (20, 60, 99)])


def test_one_cycle_peaks_where_the_section_says():
    cycle = shape(name="one_cycle", peak=0.3)
    rates = [rate(cycle, s) for s in range(STEPS + 1)]
    assert rates[0] == pytest.approx(1 / 25) and rates.index(max(rates)) == 30
    assert max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(1e-5, rel=0.1)


def test_step_drops_every_so_many_epochs():
    drops = shape(name="step", every=4, factor=0.1)
    assert [rate(drops, s) for s in (0, 39, 40, 80)] == pytest.approx([1, 1, 0.1, 0.01])


@pytest.mark.parametrize(
    ("keys", "kind", "set_to"),
    [
        ({"name": "adam", "beta_1": 0.7}, keras.optimizers.Adam, {"beta_1": 0.7, "beta_2": 0.999}),
        ({"name": "adamw"}, keras.optimizers.AdamW, {"weight_decay": 0.004}),
        ({"name": "sgd", "momentum": 0.9, "nesterov": True}, keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "rmsprop", "clip_norm": 1.0}, keras.optimizers.RMSprop, {"global_clipnorm": 1.0}),
        ({"name": "nadam", "beta_2": 0.99}, keras.optimizers.Nadam, {"beta_2": 0.99}),
        ({"name": "lamb"}, keras.optimizers.Lamb, {"beta_1": 0.9}),
        ({"name": "lion", "beta_2": 0.98}, keras.optimizers.Lion, {"beta_1": 0.9, "beta_2": 0.98}),
        ({"name": "adafactor", "clip_threshold": 2.0}, keras.optimizers.Adafactor, {"clip_threshold": 2.0}),
        (
            {"name": "muon", "weight_decay": 0.1, "adam_lr_ratio": 0.5},
            keras.optimizers.Muon,
            {"weight_decay": 0.1, "adam_weight_decay": 0.1, "adam_lr_ratio": 0.5, "exclude_layers": ["logits"]},
        ),
        ({"name": "adam", "ema": 0.99}, keras.optimizers.Adam, {"use_ema": True, "ema_momentum": 0.99}),
    ],
)
def test_optimizers_take_their_keys_and_keep_keras_defaults(keys, kind, set_to):
    optimizer = build_optimizer(Training(optimizer=keys), 10, [])
    assert type(optimizer) is kind
    assert {key: getattr(optimizer, key) for key in set_to} == set_to


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "lamb", "lion", "adafactor", "muon", "sgd", "rmsprop"])
def test_the_defaults_of_a_section_are_those_of_keras(name):
    optimizer = build_optimizer(Training(optimizer=name), 10, [])
    other = {"lion": {"learning_rate": 0.0003}, "muon": {"exclude_layers": ["logits"]}}.get(name, {})
    expected = type(optimizer)(**{"learning_rate": 0.001, "name": optimizer.name, **other}).get_config()
    assert optimizer.get_config() == expected


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "lamb", "lion", "adafactor", "muon", "sgd", "rmsprop"])
def test_weight_decay_spares_biases_and_normalisation(name):
    """As the recipes of timm do; a step without a gradient moves nothing else."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    assert decayed(model, name) == ["kernel"]


def test_weight_decay_goes_by_the_weights_and_not_by_the_names_of_layers():
    inputs = keras.Input((4, 6))
    scaled = keras.layers.RMSNormalization()(keras.layers.Dense(6, name="my_beta_bias")(inputs))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 3, name="attention")(scaled, scaled))
    assert decayed(model, "adamw") == ["kernel"] * 5


def decayed(model: keras.Model, name: str) -> list[str]:
    """Return the names of the weights that decay, by the variables that the optimizer is given in a training."""
    optimizer = build_optimizer(Training(optimizer={"name": name, "weight_decay": 0.1}), 1, model.trainable_variables)
    return [v.name for v in model.trainable_variables if optimizer._use_weight_decay(v.value)]
