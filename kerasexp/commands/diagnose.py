"""`diagnose`: what is wrong with a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import ClassNames, DataPath, Format, Overrides, TrustCode, with_homes

Reference = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        metavar="CHECKPOINT",
        help="Assess the labels by this checkpoint instead of by cross-validation.",
        callback=with_homes,
    ),
]
LookOnly = Annotated[
    bool,
    typer.Option(
        "--look-only",
        help="Train nothing and write no page: counts, sizes, duplicates, files that cannot be read, in a moment.",
    ),
]


def diagnose(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Source such as mnist, folder, archive, CSV, or an experiment's YAML.",
            callback=with_homes,
        ),
    ],
    data_path: DataPath = None,
    reference: Reference = None,
    class_names: ClassNames = None,
    overrides: Overrides = None,
    output: Annotated[Path, typer.Option("--output", "--out", help="HTML file to write.", callback=with_homes)] = Path(
        "diagnosis.html"
    ),
    format: Annotated[Format, typer.Option(help="How to print the findings.")] = Format.table,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of samples and of cross-validated models.")] = 0,
    look_only: LookOnly = False,
    trust_code: TrustCode = False,
):
    """Find what is wrong with a dataset.

    Labels (ordinary, noisy, permuted, complementary, random), classes, duplicates, unusual images, and what to change. Files of
    16 bits have the range of values of the reference's training.

    Example: python -m kerasexp diagnose mnistTask3.zip
    """
    from kerasexp.console import QuietConsole, standard_console
    from kerasexp.custom.trust import approve
    from kerasexp.diagnosis.target import resolve_target
    from kerasexp.errors import Problem, UserError

    if look_only and (reference is not None or class_names):
        key = "--class-names" if reference is None else "--reference"
        raise UserError(Problem("assesses the labels, and --look-only leaves them out; remove one of the two", key=key))
    target = resolve_target(source, data_path, overrides or ())
    console = QuietConsole() if format is Format.json else standard_console()
    if target.from_file:
        approve(target.experiment, Path(source), trust_code)
    if look_only:
        from kerasexp.diagnosis.first_look import look

        print(look(target, format.value, seed, console))
        return
    from kerasexp.backend import import_tensorflow

    import_tensorflow()
    from kerasexp.diagnosis.diagnose import diagnose as diagnosed
    from kerasexp.saving.checkpoint import find_checkpoint
    from kerasexp.saving.checkpoint_code import approve_checkpoint

    if reference is not None:
        approve_checkpoint(find_checkpoint(reference), trust_code)
    print(diagnosed(target, reference, class_names or [], output, format.value, seed, console))
