"""From a model and prepared data to a trained checkpoint."""
