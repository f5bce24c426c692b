"""`export`: a checkpoint, or an ensemble of several, for programs without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from kerasexp.commands.options import CheckpointPaths, DataPath, TrustCode, with_homes

if TYPE_CHECKING:
    from kerasexp.export.export_plan import ExportPlan

Input = Annotated[
    str,
    typer.Option(
        metavar="INPUT",
        help="raw: images as files hold them; a size such as 900x1200: raw images of this height and width, for litert and onnx; "
        "model: images preprocessed for the model.",
    ),
]
Images = Annotated[
    Optional[Path],  # noqa: UP045 (typer reads it)
    typer.Option(
        metavar="IMAGE_OR_FOLDER",
        help="Images to compare it with the checkpoint on; default: digits.",
        callback=with_homes,
    ),
]


def export(
    checkpoints: CheckpointPaths,
    format: Annotated[str, typer.Option(metavar="FORMAT", help="tf_saved_model, litert, onnx or hub_folder.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder (tf_saved_model, hub_folder) or file to make; default: named after the checkpoint, in the working folder.",
            callback=with_homes,
        ),
    ] = None,
    images: Images = None,
    input: Input = "raw",
    quantize: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="KIND", help="int8, float16 or dynamic: fewer bits, for litert and onnx."),
    ] = None,
    tolerance: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Most accuracy that --quantize may lose; default: 0.01."),
    ] = None,
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="SOURCE", help="Source of val for --quantize; default: that of the run."),
    ] = None,
    data_path: DataPath = None,
    trust_code: TrustCode = False,
):
    """Export a checkpoint for programs without Keras. Several become one model, the mean of their calibrated probabilities.

    The exported model preprocesses raw images itself, unless --input is model. It is loaded again and compared with the
    checkpoint; it is kept only if the probabilities agree. With --quantize, accuracy lost on val, size and latency are printed,
    and a loss above --tolerance is an error.
    The last line printed is the path.

    hub_folder is a folder to push to the Hugging Face Hub: the checkpoint with its card, and the model as Keras loads it there.

    Example: python -m kerasexp export checkpoints/part1_scans --format litert --input 900x1200
    """
    from kerasexp.backend import import_tensorflow
    from kerasexp.console import standard_console
    from kerasexp.export.export_plan import HUB_FOLDER, ExportRequest, plan_export
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    request = ExportRequest(checkpoints, format, output, images, input, quantize, tolerance, data, data_path)
    if format == HUB_FOLDER:
        for path in checkpoints:
            approve_checkpoint(find_checkpoint(path), trust_code)
        from kerasexp.export.hub_folder import export_hub_folder

        print(export_hub_folder(request, standard_console()))
        return
    plan = plan_export(request)
    _approve_data(plan, trust_code)
    for folder in plan.checkpoints:
        approve_checkpoint(folder, trust_code)
    import_tensorflow()
    from kerasexp.export.exporter import export as exported

    print(exported(plan, standard_console()))


def _approve_data(plan: ExportPlan, trust_code: bool) -> None:
    """Ask about the code of the source that quantization measures on."""
    from kerasexp.config import load_experiment
    from kerasexp.config.code_keys import custom_parts
    from kerasexp.custom.trust import approve_parts
    from kerasexp.saving.checkpoint import experiment_file

    if plan.data is not None:  # a function that the user names is the user's own where it is in the working folder
        approve_parts(custom_parts(plan.data, "data"), "--data", Path.cwd(), trust_code)
    elif plan.quantize is not None:
        file = experiment_file(plan.checkpoints[0])
        approve_parts(custom_parts(load_experiment(file).data, "data"), str(file), None, trust_code)
