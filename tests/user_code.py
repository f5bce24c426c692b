"""A user's own code, in a folder outside the project, and an experiment that names all of it."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "my_net.py": """
import keras
from blocks import down


def build(images, *, width: int = 8, depth: int = 2):
    x = keras.layers.Rescaling(1 / 255)(images)
    for number in range(depth):
        x = down(x, width, f"block_{number + 1}")
    return keras.layers.Dropout(0.1)(keras.layers.GlobalAveragePooling2D()(x))
""",
    "blocks.py": """
import keras


def down(x, width, name):
    return keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu", name=f"{name}_conv")(x)
""",
    # Neither the layer nor the operation is one that a checkpoint without code may hold.
    "scaled.py": """
import keras


class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


def build(images, *, width: int = 4):
    x = keras.ops.cast(images, "float32") / 255
    x = keras.layers.Conv2D(width, 3, strides=2, activation="relu")(x)
    return Scale()(keras.layers.GlobalAveragePooling2D()(x))
""",
    "my_loss.py": """
import keras
from keras import ops


def poly(labels, logits, *, epsilon: float = 1.0):
    loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return loss + epsilon * (1 - ops.exp(-loss))


class Squared(keras.losses.Loss):
    def __init__(self, scale: float = 1.0):
        super().__init__(name="squared")
        self.scale = scale

    def call(self, labels, logits):
        wanted = ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
        return self.scale * ops.mean((ops.softmax(logits) - wanted) ** 2, axis=-1)
""",
    "my_source.py": """
import numpy as np


def load(*, count: int = 120, seed: int = 0):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (count, 12, 12, 1), np.uint8)
    labels = np.arange(count) % 2
    images[labels == 0, 6] += 150
    images[labels == 1, :, 6] += 150
    return images, np.where(labels, "up", "across")
""",
    "my_changes.py": """
import keras
import tensorflow as tf


def brighten(images, seeds, *, by: float = 20.0):
    def one(seed):
        return tf.random.stateless_uniform((1, 1, 1), seed, -by, by)

    return images + tf.map_fn(one, seeds, fn_output_signature=tf.float32)


def move(share: float = 0.1):
    return keras.layers.RandomTranslation(share, share)
""",
    "my_metric.py": """
def kappa(predictions, *, scale: float = 1.0):
    from sklearn.metrics import cohen_kappa_score

    return scale * cohen_kappa_score(predictions.y_true, predictions.y_pred)
""",
    "my_callback.py": """
import keras


class Count(keras.callbacks.Callback):
    saved_attributes = ("epochs",)

    def __init__(self, file: str = "epochs.txt"):
        super().__init__()
        self.file, self.epochs = file, []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        with open(self.file, "w") as file:
            file.write(" ".join(map(str, self.epochs)))
""",
    "own.yaml": """
data:
  source: {name: my_source.py:load, count: 120}
  preprocessing: {size: [12, 12]}
  augmentation: {shift: 0.05, layers: [my_changes.py:brighten, {name: my_changes.py:move, share: 0.1}]}
model: {name: my_net.py:build, width: 6}
training:
  epochs: 3
  batch_size: 20
  optimizer: {learning_rate: 0.01}
  loss: {name: my_loss.py:poly, epsilon: 0.5}
  callbacks: [my_callback.py:Count]
metrics: [{name: my_metric.py:kappa, scale: 1}]
report: {plots: false}
""",
}


def write_code(folder: Path, **changes: str) -> Path:
    """Write the files, some of them with another text, and return the experiment."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (FILES | {name.replace("__", "."): text for name, text in changes.items()}).items():
        (folder / name).write_text(text.lstrip("\n"))
    return folder / "own.yaml"
