"""`predict`: the classes of image files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import (
    CheckpointPath,
    ListFormat,
    RejectThreshold,
    TrustCode,
    Tta,
    checkpoint_option,
    complete_checkpoint,
    with_homes,
)


def predict(
    checkpoint: CheckpointPath,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE_OR_FOLDER...", help="Image files, folders or zip archives.", callback=with_homes),
    ],
    others: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            "--with",
            metavar="CHECKPOINT",
            help="Another checkpoint that predicts together with the first; may be repeated.",
            callback=checkpoint_option,
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    tta: Tta = False,
    format: Annotated[ListFormat, typer.Option(help="How to print the predictions.")] = ListFormat.table,
    top: Annotated[int, typer.Option(min=1, help="How many classes to print for each image.")] = 3,
    threshold: RejectThreshold = None,
    trust_code: TrustCode = False,
):
    """Predict the classes of image files.

    Images of any size are preprocessed as in training, by the checkpoint's own record. Several checkpoints give the mean of their
    calibrated probabilities.

    Probabilities are calibrated by the temperature that was fitted on val.

    Example: python -m kerasexp predict checkpoints/part1_scans my_scan.png --format json

    Example: python -m kerasexp predict runs/a/1 new_images --with runs/a/2 --with runs/a/3 --tta
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.evaluation.file_predictions import format_predictions, image_files, predict_files

    found = image_files(images)
    from kerasexp.evaluation.ensemble import load_ensemble
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    checkpoints = [checkpoint, *(others or ())]
    for path in checkpoints:
        approve_checkpoint(find_checkpoint(path), trust_code)
    import_tensorflow()
    predictions = predict_files(load_ensemble(checkpoints, tta), found, top, threshold)
    print(format_predictions(predictions, format.value), end="")
