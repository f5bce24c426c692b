"""Runs, studies and searches sent to MLflow and Weights & Biases, from the files that they leave."""
