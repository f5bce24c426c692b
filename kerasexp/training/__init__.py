"""Training: from a model and prepared data to a checkpoint."""
