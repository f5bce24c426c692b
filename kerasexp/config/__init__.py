"""The typed experiment: keys, defaults, loading, rules. Imports no other package of kerasexp, and no TensorFlow."""

from kerasexp.config.experiment import Experiment, Init
from kerasexp.config.search_section import Search
from kerasexp.config.study_section import Study, load, resolved_yaml
from kerasexp.config.yaml_loading import experiment_from, load_experiment

__all__ = ["Experiment", "Init", "Search", "Study", "experiment_from", "load", "load_experiment", "resolved_yaml"]
