"""Reading model.keras files, which may come from anyone: looked into before Keras sees anything of them.

The archive is bounded, its config.json is translated into a graph of known layers and plain values, model.weights.h5 is
looked through, and the graph is rehearsed without memory. Keras then builds that graph, and reads the weights from a copy
that was looked through: nothing reaches it that was not understood.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from kerasexp.errors import Problem, UserError
from kerasexp.saving.model_archive import CONFIG, METADATA, copied_weights, open_members, read_json
from kerasexp.saving.model_building import build, rehearse
from kerasexp.saving.model_graph import read_graph
from kerasexp.saving.refusal import Refused, refusing
from kerasexp.saving.weights_file import numbers_held

if TYPE_CHECKING:
    import keras


def load_model(path: Path) -> keras.Model:
    """Load a model for inference; what it was compiled with is not read.

    Raises:
        UserError: it is damaged, it is no functional model of ordinary layers, or it is more than a model.
    """
    try:
        with open_members(path) as archive:
            read_json(archive, METADATA)
            graph = read_graph(read_json(archive, CONFIG))
            with copied_weights(archive) as weights:
                rehearse(graph, numbers_held(weights))
                model = build(graph)
                with refusing("its weights do not fit its layers"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of what then stops it
                    model.load_weights(weights)
        return model
    except Refused as refused:
        raise UserError(Problem(str(refused), str(path))) from None
