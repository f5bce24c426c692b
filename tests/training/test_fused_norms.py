"""Fused batch normalisation: the same results as Keras, and Keras's own layers in the saved model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.training.training_batch_norm import fuse_norms


def network(fused, **norm):
    """A small compiled network with batch normalisation of maps and of vectors."""
    keras.utils.set_random_seed(0)
    images = keras.Input((6, 6, 3))
    features = keras.layers.Conv2D(4, 3, use_bias=False)(images)
    features = keras.layers.BatchNormalization(momentum=0.9, name="norm", **norm)(features)
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(features))
    features = keras.layers.BatchNormalization(name="of_vectors")(features)
    model = keras.Model(images, keras.layers.Dense(2)(features))
    if fused:
        fuse_norms(model)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def trained(fused, **norm):
    generator = np.random.default_rng(0)
    model = network(fused, **norm)
    images = generator.normal(3.0, 2.0, (32, 6, 6, 3)).astype(np.float32)
    model.fit(images, generator.integers(0, 2, 32), batch_size=8, epochs=3, shuffle=False, verbose=0)
    return model, images


def is_fused(layer):
    return "call" in vars(layer)


@pytest.mark.parametrize("norm", [{}, {"epsilon": 0.1}, {"trainable": False}, {"dtype": "mixed_bfloat16"}], ids=str)
def test_training_gives_the_weights_and_averages_of_keras(norm):
    ours, images = trained(True, **norm)
    keras_own, _ = trained(False, **norm)
    assert is_fused(ours.get_layer("norm"))
    # Half precision has three digits, and the two computations round at different places.
    tolerance = 2e-2 if "dtype" in norm else 2e-5
    for mine, its in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.predict(images, verbose=0), keras_own.predict(images, verbose=0), atol=tolerance)


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    (once, _), (again, _) = trained(True), trained(True)
    for first, second in zip(once.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("fused", [True, False])
def test_a_training_step_contains_the_fused_operation_if_fused(fused):
    model, images = trained(fused)
    step = tf.function(lambda *batch: model.train_step(batch)).get_concrete_function(images, np.zeros(32, np.int64))
    kinds = {operation.type for operation in step.graph.get_operations()}
    assert ({"FusedBatchNormV3", "FusedBatchNormGradV3"} <= kinds) == fused


@pytest.mark.parametrize("norm", [{"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}], ids=str)
def test_layers_that_the_operation_does_not_fit_keep_keras_computation(norm):
    assert not is_fused(network(True, **norm).get_layer("norm"))
    assert not is_fused(network(True).get_layer("of_vectors"))


def test_the_saved_layer_is_that_of_keras(tmp_path):
    model, images = trained(True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not is_fused(loaded.get_layer("norm"))
    assert loaded.get_layer("norm").get_config() == network(False).get_layer("norm").get_config()
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
