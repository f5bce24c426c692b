"""The trained model: of the loss of the labels alone, or with losses added to it: of the embedding, and of teachers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasexp.config.distill_section import DISTILLATION, Distill
from kerasexp.config.loss_section import Loss, metric_losses
from kerasexp.data.evaluation_batch import evaluation_batch_size
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.pipeline import evaluation_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.stratified_sampling import stratified_sample
from kerasexp.losses import build_metric_losses
from kerasexp.losses.distillation import FeatureLoss, teacher_loss
from kerasexp.models import logits_model, logits_tensors
from kerasexp.training.teacher import Teacher

# Training images from which mean and deviation of a teacher's features are estimated, and the seed of their choice.
SAMPLE, SEED = 1000, 0


class Distillation(keras.layers.Layer):
    """The loss of a batch that teachers add.

    The teachers are in no layer of it: neither trained, nor counted, nor saved with the state of a training.

    Args:
        distill: its keys.
        teacher: loaded.
        train: the images that are learned from.
        seed: of the first weights of the map of features.
    """

    def __init__(self, distill: Distill, teacher: Teacher, train: Split, seed: int):
        super().__init__(name=DISTILLATION, dtype="float32")
        self.weight, self.temperature = distill.weight, distill.temperature
        if distill.features:
            model = teacher.feature_model()
            self.taught = lambda images: model(images, training=False)
            sample = train.images[stratified_sample(train.labels, SAMPLE, SEED)]
            features = _computed(model, sample)
            self.loss = FeatureLoss(features.mean(0), features.std(0), seed)
        else:
            self.taught = lambda images: teacher.probabilities(images, distill.temperature)
            self.loss = teacher_loss(distill.temperature, teacher.multi_label)
        self.of_features = distill.features

    def build(self, embedding_shape):
        if self.of_features:
            self.loss.build(None, embedding_shape)

    def call(self, images, logits, embedding):
        """Return the loss, a scalar."""
        return self.loss(ops.stop_gradient(self.taught(images)), embedding if self.of_features else logits)


def _computed(model: keras.Model, images: np.ndarray | LazyImages) -> np.ndarray:
    batches = evaluation_batches(images, None, evaluation_batch_size(images.shape[1:]))
    return np.concatenate([np.asarray(model(batch, training=False), np.float32) for batch in batches])


def training_model(
    classifier: keras.Model, loss: Loss, classes: int, distillation: Distillation | None = None
) -> keras.Model:
    """Return the trained part of a classifier: its `logits_model`, or a `SumOfLosses` if losses are added to that of the labels."""
    if metric_losses(loss) or distillation is not None:
        return SumOfLosses(classifier, loss, classes, distillation)
    return logits_model(classifier)


class SumOfLosses(keras.Model):
    """A model from images to logits [n, classes] and the embedding [n, f], the input of the layer `logits`.

    The loss and metrics that it is compiled with are those of the logits. In training, the loss is the loss of the logits
    plus weight * metric loss for each metric loss; with teachers, it is (1 - weight) times that, plus weight times the loss
    of the distillation. Each part is reported as a metric under its name. In validation the loss is that of the logits alone,
    so that val_loss is comparable with that of other runs: a metric loss of val would depend on its batches, and a center loss
    on centers that belong to the training.

    Its layers are those of the classifier. Its other variables, such as centers, are in no layer: they are saved with the
    state of the training and never with the classifier.

    Args:
        classifier: built, with a layer `logits`.
        loss: of the labels, with its metric losses.
        classes: the number of classes.
        distillation: the loss of the teachers; None without them.
    """

    def __init__(self, classifier: keras.Model, loss: Loss, classes: int, distillation: Distillation | None = None):
        embedding, logits = logits_tensors(classifier)
        super().__init__(classifier.input, [logits, embedding], name=classifier.name)
        self.metric_losses = build_metric_losses(loss, classes, embedding.shape[-1])
        self.factors = {name: part.weight for name, part in metric_losses(loss).items()}
        # In a dictionary, as the metric losses are: Keras counts a layer that is an attribute among those of the network.
        self.teaching = {} if distillation is None else {DISTILLATION: distillation}
        if distillation is not None:
            distillation.build(embedding.shape)
        self.of_logits = loss.name
        self.parts = {name: keras.metrics.Mean(name=name) for name in (loss.name, *self.metric_losses, *self.teaching)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss, a scalar, for images `x`, labels `y` [n] or [n, classes], and the two outputs."""
        logits, embedding = y_pred
        total = super().compute_loss(x, y, logits, sample_weight, training)
        if not training:
            return total
        values = {self.of_logits: total}
        for name, loss in self.metric_losses.items():
            values[name] = loss(y, embedding)
            total += self.factors[name] * values[name]
        for name, teach in self.teaching.items():
            values[name] = teach(x, logits, embedding)
            total = (1 - teach.weight) * total + teach.weight * values[name]
        devices = tf.distribute.get_strategy().num_replicas_in_sync  # Keras divides the loss of each by their number
        for name, value in values.items():
            # With Keras's weights for the total, so that the parts also add up to it in the mean of an epoch.
            self.parts[name].update_state(value * devices, sample_weight=ops.shape(embedding)[0])
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Update the metrics with the logits, and return all metrics."""
        return super().compute_metrics(x, y, y_pred[0], sample_weight)

    def test_step(self, data):
        """Validate on a batch; the parts of the training loss are not among the results."""
        return {name: value for name, value in super().test_step(data).items() if name not in self.parts}
