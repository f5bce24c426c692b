"""`evaluate`: checkpoints on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import CheckpointPaths, ClassNames, DataPath, Format, TrustCode, Tta


def evaluate(
    checkpoints: CheckpointPaths,
    data: Annotated[
        str, typer.Option(metavar="SOURCE", help="Kind of source, such as mnist, image_folder or my_source.py:load.")
    ],
    data_path: DataPath = None,
    overrides: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the source, such as data.range=[0, 16]."),
    ] = None,
    class_names: ClassNames = None,
    tta: Tta = False,
    format: Annotated[Format, typer.Option(help="How to print the metrics.")] = Format.table,
    trust_code: TrustCode = False,
):
    """Evaluate a saved checkpoint, or several that predict together, on other data.

    The source's test split is used, or all of it where it has no splits. Files of 16 bits are read with the range of the training.
    Of several checkpoints, and with --tta, the accuracy of each part is shown, and what is gained over the best single one.

    Example: python -m kerasexp evaluate checkpoints/part2_pretrained --data digits

    Example: python -m kerasexp evaluate runs/part2_random/1 runs/part2_random/2 --data mnist --tta
    """
    from kerasexp.config.code_keys import custom_parts
    from kerasexp.custom.trust import approve_parts
    from kerasexp.evaluation.custom_metrics import metrics_of_run
    from kerasexp.evaluation.evaluate_checkpoint import evaluate_checkpoints, parse_source
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    source, folders = parse_source(data, data_path, overrides or ()), [find_checkpoint(path) for path in checkpoints]
    # A function that the user names is the user's own where it is in the working folder.
    approve_parts(custom_parts(source, "data"), "--data", Path.cwd(), trust_code)
    for folder in folders:
        approve_checkpoint(folder, trust_code)
        if trust_code:
            approve_parts([("metrics", metric) for metric in metrics_of_run(folder)[0]], str(folder), None, trust_code)
    print(evaluate_checkpoints(checkpoints, source, class_names or [], format.value, tta))
