"""Image-classification experiments as YAML files, trained with Keras 3.

From Python:

    import kerasexp

    run = kerasexp.run({"data": "digits", "training": {"epochs": 3}})
    run.metrics["test"]["accuracy"], run.predict("my_scan.png")

Importing the package is quick: each public name imports what is behind it when it is used first.
"""

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# OpenCV reads once, when it is imported, how many pixels an image may have: as many as `MAX_PIXELS` of `data.source`.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

if TYPE_CHECKING:
    from kerasexp.api.classifier import Classifier, Ensemble, ensemble, open_checkpoint
    from kerasexp.api.image_predictions import ImagePredictions
    from kerasexp.api.launch_from_python import run, search
    from kerasexp.api.loaded_experiment import load
    from kerasexp.api.run_comparison import RunComparison, compare
    from kerasexp.api.run_result import Run, open_run
    from kerasexp.api.search_result import SearchResult
    from kerasexp.api.study_result import StudyResult
    from kerasexp.config import Experiment, Search, Study
    from kerasexp.errors import Interrupted, KerasexpError, RunError, UserError

_MODULES = {
    "kerasexp.api.classifier": ("Classifier", "Ensemble", "ensemble", "open_checkpoint"),
    "kerasexp.api.image_predictions": ("ImagePredictions",),
    "kerasexp.api.launch_from_python": ("run", "search"),
    "kerasexp.api.loaded_experiment": ("load",),
    "kerasexp.api.run_comparison": ("RunComparison", "compare"),
    "kerasexp.api.run_result": ("Run", "open_run"),
    "kerasexp.api.search_result": ("SearchResult",),
    "kerasexp.api.study_result": ("StudyResult",),
    "kerasexp.config": ("Experiment", "Search", "Study"),
    "kerasexp.errors": ("Interrupted", "KerasexpError", "RunError", "UserError"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Classifier",
    "Ensemble",
    "Experiment",
    "ImagePredictions",
    "Interrupted",
    "KerasexpError",
    "Run",
    "RunComparison",
    "RunError",
    "Search",
    "SearchResult",
    "Study",
    "StudyResult",
    "UserError",
    "compare",
    "ensemble",
    "load",
    "open_checkpoint",
    "open_run",
    "run",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kerasexp' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_MODULE_OF[name]), name)
    if name != "search":  # the package of this name can be called, too
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
