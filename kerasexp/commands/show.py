"""`show`: an experiment with every default."""

from __future__ import annotations

from kerasexp.commands.options import ExperimentFile, Overrides


def show(experiment: ExperimentFile, overrides: Overrides = None):
    """Print the experiment with every default.

    Bases and overrides are merged in, as `run` will see them.

    Example: python -m kerasexp show experiments/part1_scans.yaml
    """
    from kerasexp.config import load, resolved_yaml

    print(resolved_yaml(load(experiment, overrides or ())), end="")
