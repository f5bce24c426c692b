"""`predict`: the classes of image files."""

from __future__ import annotations

import sys
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

Others = Annotated[
    Optional[list[Path]],  # noqa: UP045 (typer reads it)
    typer.Option(
        "--with",
        metavar="CHECKPOINT",
        help="Another checkpoint that predicts together with the first; may be repeated.",
        callback=checkpoint_option,
        autocompletion=complete_checkpoint,
    ),
]
Page = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        metavar="FILE",
        help="HTML file to write: each image with its likeliest classes and what the network looks at; mistakes first where the "
        "folders have the names of classes.",
        callback=with_homes,
    ),
]


def predict(
    checkpoint: CheckpointPath,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE_OR_FOLDER...", help="Image files, folders or zip archives.", callback=with_homes),
    ],
    others: Others = None,
    tta: Tta = False,
    format: Annotated[ListFormat, typer.Option(help="How to print the predictions.")] = ListFormat.table,
    top: Annotated[int, typer.Option(min=1, help="How many classes to print for each image.")] = 3,
    threshold: RejectThreshold = None,
    page: Page = None,
    trust_code: TrustCode = False,
):
    """Predict the classes of image files.

    Images of any size are preprocessed as in training, by the checkpoint's own record. The probabilities are calibrated by the
    temperature that was fitted on val; several checkpoints give their mean.

    Example: python -m kerasexp predict checkpoints/part1_scans my_scan.png --format json

    Example: python -m kerasexp predict runs/a/1 new_images --page answers.html

    Example: python -m kerasexp predict runs/a/1 new_images --with runs/a/2 --with runs/a/3 --tta
    """
    from kerasexp.evaluation.file_predictions import format_predictions, image_files, predict_files
    from kerasexp.report.page_output import check_page_output

    if page is not None:
        check_page_output(page, "--page")
    found = image_files(images)
    from kerasexp.evaluation.ensemble import load_ensemble
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint
    from kerasexp.saving.litert_graph import is_quicker

    checkpoints = [checkpoint, *(others or ())]
    for path in checkpoints:
        approve_checkpoint(find_checkpoint(path), trust_code)
    # The page shows what a network looks at, which takes its layers.
    ensemble = load_ensemble(checkpoints, tta, by_litert=page is None and is_quicker(len(found)))
    predictions = predict_files(ensemble, found, top, threshold)
    print(format_predictions(predictions, format.value), end="")
    if page is not None:
        from kerasexp.serving.predictions_page import write_predictions_page

        write_predictions_page(page, ensemble, found, predictions)
        print(f"page: {page}", file=sys.stderr)
