"""Trained models that predict images in files and in memory: `kerasexp.open_checkpoint` and `kerasexp.ensemble` give them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.api.image_predictions import ImagePredictions
from kerasexp.config.yaml_paths import with_home
from kerasexp.console import shown_path
from kerasexp.errors import Problem, UserError

if TYPE_CHECKING:
    import keras

    from kerasexp.evaluation.ensemble import Ensemble as LoadedEnsemble


class Predictor(ABC):
    """One checkpoint or several that predict images."""

    @property
    @abstractmethod
    def checkpoints(self) -> list[Path]:
        """The checkpoint folders."""

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of the probabilities.

        Raises:
            UserError: there is no checkpoint, or its classes cannot be read.
        """
        from kerasexp.saving.checkpoint import find_checkpoint, read_classes

        return read_classes(find_checkpoint(self.checkpoints[0]))[0]

    def predict(self, images: Any, *, tta: bool = False) -> ImagePredictions:
        """Predict the classes of images, which are preprocessed as in training.

        Args:
            images: paths of files, folders or zip archives; or one image or several as arrays [height, width] or
                [height, width, 1 or 3], of uint8, or of floats from 0 to 1; or Pillow's images. The sizes may differ. Where
                training had arrays of another range, all arrays have that range, floats too.
            tta: test-time augmentation: predict each image moved by a pixel or so, too, and mirrored if training did.

        Returns:
            The predictions in the order of the images, with calibrated probabilities. Files that cannot be read are left out,
            and listed on standard error.

        Raises:
            UserError: a file does not exist, an array is no image, or there is no checkpoint.
            RunError: none of the images can be read.

        Example:
            >>> run.predict(["a.png", "b.png"]).classes
            >>> run.predict(np.zeros((5, 28, 28), np.uint8)).probabilities
        """
        from dataclasses import replace

        from kerasexp.evaluation.file_predictions import image_scores
        from kerasexp.evaluation.images_in_memory import images_of

        ensemble = replace(self._loaded, tta=tta)
        images = list(images) if isinstance(images, Iterator) else images
        found = list(image_scores(ensemble, [images_of(images, member.value_range) for member in ensemble.members]))
        names = [name for portion, _ in found for name in portion]
        scores = np.concatenate(
            [scores for _, scores in found] or [np.zeros((0, len(ensemble.class_names)), np.float32)]
        )
        class_names = np.array(ensemble.class_names)
        return ImagePredictions(
            np.array(names, str),
            scores,
            class_names,
            thresholds=ensemble.thresholds,
            reject_threshold=ensemble.reject_threshold,
        )

    @cached_property
    def _loaded(self) -> LoadedEnsemble:
        from kerasexp.evaluation.ensemble import load_ensemble
        from kerasexp.saving.litert_graph import is_quicker

        return load_ensemble(self.checkpoints, by_litert=is_quicker())


class Classifier(Predictor):
    """A trained model in a checkpoint folder. `kerasexp.open_checkpoint` returns it; runs and searches are such models, too.

    Attributes:
        checkpoint: the folder.

    Example:
        >>> digits = kerasexp.open_checkpoint("part2_pretrained")
        >>> digits.predict("my_images").classes
    """

    checkpoint: Path

    def __init__(self, checkpoint: Path):
        self.checkpoint = checkpoint

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoint folder, in a list."""
        return [self.checkpoint]

    def model(self) -> keras.Model:
        """Load the Keras model, from uint8 images [n, height, width, channels] to probabilities [n, classes].

        Raises:
            UserError: there is no checkpoint, or it cannot be loaded.

        Example:
            >>> model = run.model()
            >>> model.summary()
        """
        from kerasexp.backend import import_tensorflow

        import_tensorflow()
        from kerasexp.saving.checkpoint import load_checkpoint

        return load_checkpoint(self.checkpoint).model

    def __repr__(self) -> str:
        return f"<Classifier of {len(self.class_names)} classes, {shown_path(self.checkpoint)}>"


class Ensemble(Predictor):
    """Several trained models that predict together. `kerasexp.ensemble` returns it.

    Its probabilities are the mean of those of its members, each calibrated by the temperature that was fitted on its val.

    Attributes:
        members: in the order given.
    """

    def __init__(self, members: Sequence[Classifier]):
        self.members = list(members)

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoint folders of the members."""
        return [member.checkpoint for member in self.members]

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self.members)} checkpoints with {len(self.class_names)} classes>"


def open_checkpoint(path: str | PathLike[str]) -> Classifier:
    """Open a checkpoint without its run. It may come from anyone: no code from it is run, and its memory use is limited.

    The model is loaded when it is used first. A checkpoint that needs code of its own asks for it to be trusted, as the
    commands do.

    Args:
        path: a checkpoint folder, a run directory, a `model.keras` with its files beside it, or the name of a shipped
            checkpoint such as `part1_scans`.

    Raises:
        UserError: there is no checkpoint, or its classes cannot be read.

    Example:
        >>> digits = kerasexp.open_checkpoint("part2_pretrained")
        >>> digits.class_names[:3], digits.predict("my_images").classes
    """
    from kerasexp.saving.checkpoint import find_checkpoint, read_classes

    folder = find_checkpoint(with_home(Path(path))).absolute()
    read_classes(folder)
    return Classifier(folder)


def ensemble(models: Sequence[Classifier | str | PathLike[str]]) -> Ensemble:
    """Let several trained models of the same classes predict together; their images may be preprocessed differently.

    Args:
        models: two or more runs, opened checkpoints, or what `open_checkpoint` takes.

    Raises:
        UserError: there are fewer than two, one is given twice, or their classes differ.

    Example:
        >>> together = kerasexp.ensemble([run, "runs/digits/2", "part2_pretrained"])
        >>> together.predict("my_images", tta=True).classes
    """
    if isinstance(models, str | PathLike | Predictor) or len(models) < 2:
        raise UserError(Problem("give two or more runs or checkpoints", key="models"))
    members = [model if isinstance(model, Classifier) else open_checkpoint(model) for model in models]
    from kerasexp.evaluation.ensemble import require_same_classes
    from kerasexp.saving.checkpoint import find_checkpoint

    folders = [find_checkpoint(member.checkpoint) for member in members]
    require_same_classes(folders, [shown_path(folder) for folder in folders])
    return Ensemble(members)
