"""The typed experiment: keys, defaults, loading, rules. Imports no other package of kerasexp, and no TensorFlow.

Each public name imports what is behind it when it is used first: `predict` needs one section, not the whole experiment.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasexp.config.experiment import Experiment, Init
    from kerasexp.config.search_section import Search
    from kerasexp.config.study_section import Study, load, resolved_yaml
    from kerasexp.config.yaml_loading import experiment_from, load_experiment

_MODULES = {
    "experiment": ("Experiment", "Init"),
    "search_section": ("Search",),
    "study_section": ("Study", "load", "resolved_yaml"),
    "yaml_loading": ("experiment_from", "load_experiment"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["Experiment", "Init", "Search", "Study", "experiment_from", "load", "load_experiment", "resolved_yaml"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kerasexp.config' has no attribute '{name}'")
    from importlib import import_module

    globals()[name] = value = getattr(import_module(f"kerasexp.config.{_MODULE_OF[name]}"), name)
    return value
