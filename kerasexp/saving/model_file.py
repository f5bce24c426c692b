"""Loading model.keras files, which may come from anyone: they are checked before Keras reads anything of them.

The size of the archive is limited. Its config.json is translated into a graph of allowed layers and plain values. Its
model.weights.h5 is copied and checked. A dry run builds the graph without memory. Only then does Keras build the graph
and load the weights from the checked copy: nothing unchecked reaches Keras.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasexp.errors import Problem, UserError
from kerasexp.saving.model_archive import CONFIG, METADATA, copied_weights, open_members, read_json
from kerasexp.saving.model_file_building import build, dry_run
from kerasexp.saving.model_file_graph import Graph, read_graph
from kerasexp.saving.model_file_outputs import with_label_probabilities, with_probabilities
from kerasexp.saving.model_file_refusal import Refused, refusing
from kerasexp.saving.weights_file import count_weights

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> keras.Model:
    """Load a model for inference, uncompiled.

    Raises:
        UserError: the file is damaged, is not a model of allowed layers, holds more than a model, or has weights that are
            not finite.
    """
    with _naming(path):
        return _load(path)[0]


def load_classifier(
    path: Path, class_names: Sequence[str], multi_label: bool = False
) -> tuple[keras.Model, str | None]:
    """Load a model whose outputs are the probabilities of the classes, or can be made so.

    With `multi_label` each output is a probability of its own.

    Returns:
        The model, and a sentence on what was added to its outputs; None if nothing was.

    Raises:
        UserError: as `load_model`, or its outputs are not known to be probabilities.
    """
    with _naming(path):
        if multi_label:
            return with_label_probabilities(*_load(path))
        return with_probabilities(*_load(path), class_names)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise UserError(Problem(str(refused), str(path))) from None


def _load(path: Path) -> tuple[keras.Model, Graph]:
    with open_members(path) as archive:
        read_json(archive, METADATA)
        graph = read_graph(read_json(archive, CONFIG))
        with copied_weights(archive) as weights:
            dry_run(graph, count_weights(weights))
            model = build(graph)
            with refusing("its weights do not fit its layers"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras warns of what it then raises
                model.load_weights(weights)
    _refuse_non_finite(model)
    return model, graph


def _refuse_non_finite(model: keras.Model) -> None:
    for weight in model.weights:
        values = np.asarray(weight)
        if values.dtype.kind not in "iub" and not np.isfinite(values.astype(np.float32, copy=False)).all():
            raise Refused(f"the weights {weight.path!r:.150} are not finite: they hold NaN or infinity")
