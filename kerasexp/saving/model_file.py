"""Loading model.keras files, which may come from anyone: they are checked before Keras reads anything of them.

The size of the archive is limited. Its config.json is translated into a graph of allowed layers and plain values. Its
model.weights.h5 is copied and checked. A dry run builds the graph without memory. Only then Keras builds the graph and loads
the weights from the checked copy: nothing reaches Keras that was not checked.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from kerasexp.errors import Problem, UserError
from kerasexp.saving.model_archive import CONFIG, METADATA, copied_weights, open_members, read_json
from kerasexp.saving.model_building import build, dry_run
from kerasexp.saving.model_graph import read_graph
from kerasexp.saving.model_refusal import Refused, refusing
from kerasexp.saving.weights_file import count_weights

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> keras.Model:
    """Load a model for inference, uncompiled.

    Raises:
        UserError: the file is damaged, is not a functional model of allowed layers, or holds more than a model.
    """
    try:
        with open_members(path) as archive:
            read_json(archive, METADATA)
            graph = read_graph(read_json(archive, CONFIG))
            with copied_weights(archive) as weights:
                dry_run(graph, count_weights(weights))
                model = build(graph)
                with refusing("its weights do not fit its layers"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Keras warns of what it then raises
                    model.load_weights(weights)
        return model
    except Refused as refused:
        raise UserError(Problem(str(refused), str(path))) from None
