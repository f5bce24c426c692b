"""`evaluate`: a checkpoint on other data."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from kerasexp.commands.options import CheckpointPath, ClassNames, DataPath, Format


def evaluate(
    checkpoint: CheckpointPath,
    data: Annotated[str, typer.Option(metavar="SOURCE", help="Kind of source, such as mnist or image_folder.")],
    data_path: DataPath = None,
    overrides: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the source, such as data.range=[0, 16]."),
    ] = None,
    class_names: ClassNames = None,
    format: Annotated[Format, typer.Option(help="How to print the metrics.")] = Format.table,
):
    """Evaluate a saved checkpoint on other data.

    The source's test split is used, or all of it where it has none. Files of 16 bits are read with the range of the training.

    Example: python -m kerasexp evaluate checkpoints/part2_pretrained --data digits
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.evaluation.evaluate_checkpoint import evaluate_checkpoint, parse_source

    source = parse_source(data, data_path, overrides or ())
    import_tensorflow()
    print(evaluate_checkpoint(checkpoint, source, class_names or [], format.value))
