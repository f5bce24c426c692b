"""`kerasexp.Classifier`: a trained model that predicts images in files and in memory, and what opens one."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasexp.api.image_predictions import ImagePredictions
from kerasexp.config.yaml_paths import with_home
from kerasexp.console import shown_path

if TYPE_CHECKING:
    import keras

    from kerasexp.saving.checkpoint import Checkpoint


class Classifier:
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
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of the probabilities.

        Raises:
            UserError: there is no checkpoint, or its classes cannot be read.
        """
        from kerasexp.saving.checkpoint import find_checkpoint, read_classes

        return read_classes(find_checkpoint(self.checkpoint))[0]

    def model(self) -> keras.Model:
        """Load the Keras model, from uint8 images [n, height, width, channels] to probabilities [n, classes].

        Raises:
            UserError: there is no checkpoint, or it cannot be loaded.

        Example:
            >>> model = run.model()
            >>> model.summary()
        """
        return self._load().model

    def predict(self, images: Any) -> ImagePredictions:
        """Predict the classes of images, which are preprocessed as in training.

        Args:
            images: paths of files, folders or zip archives; or one image or several as arrays [height, width] or
                [height, width, 1 or 3], of uint8, or of floats from 0 to 1; or Pillow's images. The sizes may differ.

        Returns:
            The predictions in the order of the images. Files that cannot be read are left out, and listed on standard error.

        Raises:
            UserError: a file does not exist, an array is no image, or there is no checkpoint.
            RunError: none of the images can be read.

        Example:
            >>> run.predict(["a.png", "b.png"]).classes
            >>> run.predict(np.zeros((5, 28, 28), np.uint8)).probabilities
        """
        from kerasexp.backend import import_tensorflow

        import_tensorflow()
        from kerasexp.evaluation.file_predictions import image_scores
        from kerasexp.evaluation.images_in_memory import images_of

        loaded = self._loaded
        found = list(image_scores(loaded, images_of(images, loaded.value_range)))
        names = [name for portion, _ in found for name in portion]
        scores = np.concatenate([scores for _, scores in found] or [np.zeros((0, len(loaded.class_names)), np.float32)])
        class_names = np.array(loaded.class_names)
        return ImagePredictions(np.array(names, str), scores, class_names, thresholds=loaded.thresholds)

    @cached_property
    def _loaded(self) -> Checkpoint:
        return self._load()

    def _load(self) -> Checkpoint:
        from kerasexp.backend import import_tensorflow

        import_tensorflow()
        from kerasexp.saving.checkpoint import load_checkpoint

        return load_checkpoint(self.checkpoint)

    def __repr__(self) -> str:
        return f"<Classifier of {len(self.class_names)} classes, {shown_path(self.checkpoint)}>"


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
