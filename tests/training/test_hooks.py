"""The hooks into Keras: what each does, and the order in which a training installs them."""

import os
import signal
from collections.abc import Callable

import keras
import numpy as np
import pytest

from kerasexp.errors import Interrupted
from kerasexp.runs.directory import RunDirectory
from kerasexp.training import fit, hooks
from kerasexp.training.training_state import TrainingState


def test_a_training_installs_its_hooks_in_the_stated_order(train, monkeypatch):
    """The training is stopped within an epoch and resumed, so that it skips steps; it claims to have several devices."""
    events: list[str] = []

    def record(owner: object, name: str, call: Callable | None = None) -> None:
        original = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, **keys: events.append(name) or (call or original)(*given, **keys)
        )

    on_batch_end = TrainingState.on_train_batch_end

    def stopping(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        on_batch_end(self, batch, logs)

    run = RunDirectory.create("tiny", None)
    changes = ("training.epochs=2", "training.fine_tune.depth_decay=0.5", "model.head.dropout=0")
    with monkeypatch.context() as patches:
        patches.setattr(TrainingState, "on_train_batch_end", stopping)
        with pytest.raises(Interrupted):
            train(*changes, run=run)
    for name in ("replace_call", "scale_learning_rates", "wrap_apply", "skip_steps"):
        record(hooks, name)
    record(hooks, "sum_gradients", lambda optimizer: None)
    record(keras.Model, "compile")
    record(keras.Model, "make_train_function")
    monkeypatch.setattr(fit, "train_as_one_device", lambda model, optimizer: hooks.sum_gradients(optimizer))
    record(keras.optimizers.Optimizer, "build")
    train(*changes, run=run)
    assert list(dict.fromkeys(events)) == [
        "replace_call", "build", "compile", "scale_learning_rates", "wrap_apply", "sum_gradients", "make_train_function",
        "skip_steps",
    ]  # fmt: skip


def test_wrapped_apply_receives_the_gradients_summed_over_devices(monkeypatch):
    class TwoEqualDevices:
        @staticmethod
        def all_reduce(operation, gradients):
            return [2 * gradient for gradient in gradients]

    weight = keras.Variable(np.ones(3, np.float32))
    optimizer, observed = keras.optimizers.SGD(0.1, global_clipnorm=1e6), []
    optimizer.build([weight])
    hooks.wrap_apply(optimizer, lambda apply: lambda *given: (observed.append(np.asarray(given[0][0])), apply(*given)))
    hooks.sum_gradients(optimizer)
    with monkeypatch.context() as patches:
        patches.setattr(hooks.tf.distribute, "get_replica_context", TwoEqualDevices)
        optimizer.apply([keras.ops.convert_to_tensor(np.array([1, 2, 3], np.float32))], [weight])
    np.testing.assert_array_equal(observed, [[2, 4, 6]])
    np.testing.assert_allclose(weight.numpy(), [0.8, 0.6, 0.4])
