"""Causes of slow-downs, counted and not timed: traced graphs, operations of a step, opened files, written files."""

import os
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasexp.data import digest_cache as cache
from kerasexp.data import image_files
from kerasexp.data.source import source_from_arrays
from kerasexp.models import logits_model
from kerasexp.training import fit as fitting


def operations(model: keras.Model, data) -> int:
    """Return how many operations the graph of one training step has, the functions that it calls included."""

    @tf.function
    def step(images, labels):
        return model.train_step((images, labels))

    graph = step.get_concrete_function(*data).graph.as_graph_def()
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)


@pytest.mark.parametrize("epochs", [2, 4])
def test_each_graph_is_traced_at_most_twice_for_any_number_of_epochs(train, monkeypatch, epochs):
    # The Python code of a step runs only when it is traced: twice if the last batch is smaller than the others.
    traced = Counter()

    def counted(name: str):
        step = getattr(keras.Model, name)
        return lambda self, data: traced.update([name]) or step(self, data)

    for name in ("train_step", "test_step"):
        monkeypatch.setattr(keras.Model, name, counted(name))
    train(f"training.epochs={epochs}", "training.batch_size=7")
    assert 1 <= traced["train_step"] <= 2 and 1 <= traced["test_step"] <= 2, traced


def test_a_step_has_hardly_more_operations_than_bare_keras(train, monkeypatch):
    """Recording the gradients adds a fixed number of operations per layer, in branches that most steps skip."""
    models, original = [], fitting.training_model
    monkeypatch.setattr(fitting, "training_model", lambda *given: models.append(original(*given)) or models[-1])
    bare = logits_model(train("training.epochs=1").model)
    (ours,) = models
    bare.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    bare.optimizer.build(bare.trainable_variables)
    batch = tf.zeros((4, *ours.input_shape[1:]), tf.uint8), tf.zeros(4, tf.int64)
    layers = sum(bool(layer.trainable_variables) for layer in ours.layers)
    more = operations(ours, batch) - operations(bare, batch)
    print(f"{more} operations more than bare Keras, {layers} layers")
    assert 0 < more <= 40 + 60 * layers


@pytest.mark.parametrize(("settled", "second"), [(0, 10), (10**12, 70)], ids=["settled", "just written"])
def test_a_run_reads_each_image_once_and_a_second_one_none(cli, tiny_yaml, monkeypatch, settled, second):
    """It is opened once for decoding and digest; the second run trusts its time stamp unless that is too recent.

    The first bytes of a sample of the files, which tell the range of the values, are read in every run.
    """
    monkeypatch.setattr(cache, "SETTLED", settled)
    monkeypatch.setattr(image_files, "SAMPLE", 10)
    opened, listening = Counter(), [True]

    def note(event, arguments):
        if listening and event == "open" and str(arguments[0]).endswith(".png") and "images" in str(arguments[0]):
            opened[str(arguments[0])] += 1

    sys.addaudithook(note)  # cannot be taken out again
    try:
        totals = []
        for _ in range(2):
            opened.clear()
            assert cli("check", tiny_yaml).code == 0
            totals.append(opened.total())
        assert totals == [70, second]
    finally:
        listening.clear()


def test_no_array_is_copied_if_all_images_are_used():
    images = np.zeros((20, 8, 8, 1), np.uint8)
    source = source_from_arrays("here", {"train": (images, np.arange(20) % 2)}, None)
    assert np.shares_memory(source.splits["train"].array, images)


def test_an_epoch_writes_each_of_its_files_once(cli, tiny_yaml, monkeypatch):
    """History, gradients, checkpoint and state are written once per epoch, whatever the number of steps."""
    placed, replace = Counter(), os.replace

    def counting(source, target, **keywords):
        placed[Path(target).name] += 1
        replace(source, target, **keywords)

    monkeypatch.setattr(os, "replace", counting)
    assert cli("run", tiny_yaml, "--set", "training.epochs=4", "--set", "training.checkpoint=last").code == 0
    assert placed["history.csv"] == placed["gradients.csv"] == placed["model.keras"] == 4
    assert sum(times for name, times in placed.items() if name.endswith(".npz")) == 4
