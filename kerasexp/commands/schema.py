"""`schema`: every key of an experiment, for editors and for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SchemaFormat(StrEnum):
    json = "json"
    markdown = "markdown"


def schema(
    format: Annotated[
        SchemaFormat, typer.Option(help="json: JSON Schema, for editors; markdown: a reference to read.")
    ] = SchemaFormat.json,
):
    """Print the JSON Schema of an experiment.

    Editors use it for completion and hints.

    Example: python -m kerasexp schema > experiments/schema.json
    """
    import json

    if format is SchemaFormat.markdown:
        from kerasexp.config.reference import experiment_reference

        print(experiment_reference(), end="")
    else:
        from kerasexp.config.schema import experiment_schema

        print(json.dumps(experiment_schema(), indent=1))
