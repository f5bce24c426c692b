"""The trained model, with metric losses (losses of the embedding) or without."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.config.loss_section import Loss, metric_losses
from kerasexp.losses import build_metric_losses
from kerasexp.models import logits_model, logits_tensors


def training_model(classifier: keras.Model, loss: Loss, classes: int) -> keras.Model:
    """Return the trained part of a classifier: its `logits_model`, or a `MetricLearner` if a loss needs the embedding."""
    return MetricLearner(classifier, loss, classes) if metric_losses(loss) else logits_model(classifier)


class MetricLearner(keras.Model):
    """A model from images to logits [n, classes] and the embedding [n, f], the input of the layer `logits`.

    The loss and metrics that it is compiled with are those of the logits. In training, the loss is the loss of the logits
    plus weight * metric loss for each metric loss, and each part is reported as a metric under its name. In validation it
    is the loss of the logits alone, so that val_loss is comparable with that of other runs: a metric loss of val would
    depend on its batches, and a center loss on centers that belong to the training.

    Its layers are those of the classifier. Its other variables, such as centers, are in no layer: they are saved with the
    state of the training and never with the classifier.

    Args:
        classifier: built, with a layer `logits`.
        loss: has at least one metric loss.
        classes: the number of classes.
    """

    def __init__(self, classifier: keras.Model, loss: Loss, classes: int):
        embedding, logits = logits_tensors(classifier)
        super().__init__(classifier.input, [logits, embedding], name=classifier.name)
        self.metric_losses = build_metric_losses(loss, classes, embedding.shape[-1])
        self.factors = {name: part.weight for name, part in metric_losses(loss).items()}
        self.of_logits = loss.name
        self.parts = {name: keras.metrics.Mean(name=name) for name in (loss.name, *self.metric_losses)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss, a scalar, for labels `y` int [n] and the two outputs."""
        logits, embedding = y_pred
        total = super().compute_loss(x, y, logits, sample_weight, training)
        if not training:
            return total
        values = {self.of_logits: total}
        for name, loss in self.metric_losses.items():
            values[name] = loss(y, embedding)
            total += self.factors[name] * values[name]
        for name, value in values.items():
            # With Keras's weights for the total, so that the parts also add up to it in the mean of an epoch.
            self.parts[name].update_state(value, sample_weight=ops.shape(embedding)[0])
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Update the metrics with the logits, and return all metrics."""
        return super().compute_metrics(x, y, y_pred[0], sample_weight)

    def test_step(self, data):
        """Validate on a batch; the parts of the training loss are not among the results."""
        return {name: value for name, value in super().test_step(data).items() if name not in self.parts}
