"""What is trained where losses of the embedding are added to the one of the logits."""

from __future__ import annotations

import keras
from keras import ops

from kerasexp.config.rules import metric_losses
from kerasexp.config.training import Loss
from kerasexp.losses import build_metric_losses
from kerasexp.models import learner


def learner_for(classifier: keras.Model, loss: Loss, classes: int) -> keras.Model:
    """Return what is trained of a classifier: its `learner`, or one that gives the embedding too where a loss needs it."""
    return MetricLearner(classifier, loss, classes) if metric_losses(loss) else learner(classifier)


class MetricLearner(keras.Model):
    """From images to logits [n, classes] and the embedding [n, f], which is what goes into the layer `logits`.

    The loss and the metrics that it is compiled with are those of the logits, and keep their plain names. In training the
    loss is theirs plus weight * metric loss for each that is added, and each part is told as a metric of its name. In
    validation it is that of the logits alone: a metric loss of all of val, or of whatever batches it comes in, would be a
    figure of these batches, and a center loss one of centers that belong to the training; so val_loss stays comparable with
    that of other runs.

    Its layers are the classifier's own. What it holds beside them, such as centers, is among its variables and not among the
    layers, so that it is saved with a training's state and never with the classifier.

    Args:
        classifier: built, with a layer `logits`.
        loss: adds a metric loss at least.
        classes: how many.
    """

    def __init__(self, classifier: keras.Model, loss: Loss, classes: int):
        logits = classifier.get_layer("logits")
        super().__init__(classifier.input, [logits.output, logits.input], name=classifier.name)
        self.metric_losses = build_metric_losses(loss, classes, logits.input.shape[-1])
        self.factors = {name: part.weight for name, part in metric_losses(loss).items()}
        self.of_logits = loss.name
        self.parts = {name: keras.metrics.Mean(name=name) for name in (loss.name, *self.metric_losses)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss of labels `y` int [n] and the two outputs, a scalar."""
        logits, embedding = y_pred
        total = super().compute_loss(x, y, logits, sample_weight, training)
        if not training:
            return total
        values = {self.of_logits: total}
        for name, loss in self.metric_losses.items():
            values[name] = loss(y, embedding)
            total += self.factors[name] * values[name]
        for name, value in values.items():
            # Weighted as Keras weighs the total, so that the parts add up to it in an epoch's mean as well.
            self.parts[name].update_state(value, sample_weight=ops.shape(embedding)[0])
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Update the metrics by the logits, and return all of them."""
        return super().compute_metrics(x, y, y_pred[0], sample_weight)

    def test_step(self, data):
        """Validate on a batch; the parts of the training's loss are none of its results."""
        return {name: value for name, value in super().test_step(data).items() if name not in self.parts}
