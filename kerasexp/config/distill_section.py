"""The section `training.distill`: what a network learns from other networks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kerasexp.config.section_base import Section

# The name of its loss among those that a training adds to the loss of the labels.
DISTILLATION = "distillation"
Name = Annotated[str, Field(min_length=1)]


class Distill(Section):
    """Learn from the predictions or the features of other networks, the teachers (Hinton et al. 2015).

    They see the same images as the network that is trained, with the same augmentation (Beyer et al., CVPR 2022).
    """

    checkpoint: Name | Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(
        description="The teacher: a checkpoint, a run directory, or the name of a shipped checkpoint; or a list, the mean of whose "
        "probabilities teaches. It needs the same preprocessing; with model.resize it may enlarge its images itself."
    )
    temperature: float = Field(
        3.0,
        gt=0,
        le=100,
        description="Temperature of both networks' probabilities in the loss; above 1, unlikely classes count more.",
    )
    weight: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Share of the teacher: the loss is weight * temperature^2 * KL(teacher, network) + (1 - weight) * loss of the "
        "labels; val_loss is that of the labels alone.",
    )
    features: bool = Field(
        False,
        description="Learn the teacher's features, the input of its layer `logits`, through a linear map, in place of its "
        "probabilities (Romero et al., ICLR 2015); its classes may be others. The loss is 1 for features that are not explained "
        "at all, 0 for the same ones.",
    )

    @property
    def checkpoints(self) -> list[str]:
        """The teachers, one or several."""
        return [self.checkpoint] if isinstance(self.checkpoint, str) else self.checkpoint
