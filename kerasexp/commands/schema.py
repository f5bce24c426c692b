"""`schema`: the JSON Schema of an experiment."""

from __future__ import annotations


def schema():
    """Print the JSON Schema of an experiment.

    Editors use it for completion and hints.

    Example: python -m kerasexp schema > experiments/schema.json
    """
    import json

    from kerasexp.config.schema import experiment_schema

    print(json.dumps(experiment_schema(), indent=1))
