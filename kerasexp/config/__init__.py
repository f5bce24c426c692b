"""The typed experiment: keys, defaults, loading, rules. Imports no other package of kerasexp, and no TensorFlow."""

from kerasexp.config.experiment import Experiment, Init
from kerasexp.config.loading import experiment_from, load_experiment
from kerasexp.config.search import Search
from kerasexp.config.study import Study, load, resolved_yaml

__all__ = ["Experiment", "Init", "Search", "Study", "experiment_from", "load", "load_experiment", "resolved_yaml"]
