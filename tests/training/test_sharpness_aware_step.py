"""Sharpness-aware minimisation against the formula, and what its second pass leaves alone."""

import keras
import numpy as np
import pytest

from kerasexp.training import hooks
from kerasexp.training.sharpness_aware_step import sharpness_aware_step

RATE, RHO = 0.1, 0.5


def batch():
    generator = np.random.default_rng(0)
    return generator.normal(size=(16, 3)).astype(np.float32), generator.normal(size=(16, 1)).astype(np.float32)


def test_a_step_has_the_gradient_of_the_worst_weights_nearby():
    x, y = batch()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(RATE), "mse")
    hooks.replace_train_step(model, sharpness_aware_step(RHO))
    weights = model.get_weights()[0]

    def gradient(at):
        return 2 * x.T @ (x @ at - y) / len(x)

    first = gradient(weights)
    expected = weights - RATE * gradient(weights + RHO * first / np.linalg.norm(first))
    found = model.fit(x, y, batch_size=16, verbose=0).history["loss"]
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4)
    assert found == pytest.approx([float(np.mean((x @ weights - y) ** 2))], rel=1e-5), "of the weights before"


def trained(rho: float | None) -> keras.Model:
    """Train one step of a network with everything that a forward pass changes."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((3,)), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(RATE), "mse", metrics=["mae"])
    if rho is not None:
        hooks.replace_train_step(model, sharpness_aware_step(rho))
    model.fit(*batch(), batch_size=16, epochs=2, verbose=0)
    return model


def test_the_second_pass_has_the_same_dropout_and_leaves_statistics_alone():
    """At a distance of almost 0 both gradients are that of an ordinary step, if the same units are dropped."""
    plain, aware = trained(None), trained(1e-6)
    for one, other in zip(plain.get_weights(), aware.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)
    seeds = [[v.numpy() for v in model.non_trainable_variables if "seed" in v.path] for model in (plain, aware)]
    assert len(seeds[0]) == 1 and np.array_equal(*seeds)


def test_a_bad_distance_is_refused(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "training.sharpness_aware={rho: 0}")
    assert answer.code == 2 and "training.sharpness_aware.rho" in answer.err
