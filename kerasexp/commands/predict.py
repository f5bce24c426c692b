"""`predict`: the classes of image files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import CheckpointPath, ListFormat, TrustCode, with_homes


def predict(
    checkpoint: CheckpointPath,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE_OR_FOLDER...", help="Image files, folders or zip archives.", callback=with_homes),
    ],
    format: Annotated[ListFormat, typer.Option(help="How to print the predictions.")] = ListFormat.table,
    top: Annotated[int, typer.Option(min=1, help="How many classes to print for each image.")] = 3,
    trust_code: TrustCode = False,
):
    """Predict the classes of image files.

    Images of any size are preprocessed as in training, by the checkpoint's own record.

    Example: python -m kerasexp predict checkpoints/part1_scans my_scan.png --format json
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.evaluation.file_predictions import format_predictions, image_files, predict_files

    found = image_files(images)
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    approve_checkpoint(find_checkpoint(checkpoint), trust_code)
    import_tensorflow()
    print(format_predictions(predict_files(checkpoint, found, top), format.value), end="")
