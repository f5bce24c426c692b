"""`export`: a checkpoint for programs without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import CheckpointPath, TrustCode, with_homes


def export(
    checkpoint: CheckpointPath,
    format: Annotated[str, typer.Option(metavar="FORMAT", help="tf_saved_model, litert or onnx.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder (tf_saved_model) or file to make; default: named after the checkpoint, here.",
            callback=with_homes,
        ),
    ] = None,
    images: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="IMAGE_OR_FOLDER",
            help="Images to compare it with the checkpoint on; default: digits.",
            callback=with_homes,
        ),
    ] = None,
    input: Annotated[
        str,
        typer.Option(metavar="INPUT", help="raw: images as files hold them; model: images preprocessed for the model."),
    ] = "raw",
    size: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Size of raw images for litert and onnx; default: that of the training images.",
        ),
    ] = None,
    trust_code: TrustCode = False,
):
    """Export a checkpoint for programs without Keras.

    The exported model preprocesses raw images itself. It is loaded again and compared with the checkpoint; it is kept only if
    the probabilities agree. The last line printed is its path.

    Example: python -m kerasexp export checkpoints/part1_scans --format litert --size 900x1200
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import Console
    from kerasexp.export.export_plan import ExportRequest, plan_export

    plan = plan_export(ExportRequest(checkpoint, format, output, images, input, size))
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    approve_checkpoint(plan.checkpoint, trust_code)
    import_tensorflow()
    from kerasexp.export.exporter import export as exported

    print(exported(plan, Console()))
