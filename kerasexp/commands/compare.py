"""`compare`: finished runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasexp.commands.options import Format, with_homes


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run directories, or folders of numbered runs: the newest is taken.",
            callback=with_homes,
        ),
    ],
    output: Annotated[Path, typer.Option(help="HTML file to write.", callback=with_homes)] = Path("comparison.html"),
    format: Annotated[Format, typer.Option(help="How to print the comparison.")] = Format.table,
):
    """Compare runs, and say which differences are significant.

    The others are compared with the first: metrics with intervals, McNemar's test, convergence, disagreements.

    Example: python -m kerasexp compare runs/part2_random runs/part2_pretrained
    """
    from kerasexp.comparison.compare import compare_runs, comparison_json, write_page
    from kerasexp.comparison.table import comparison_table
    from kerasexp.report.page_output import check_page_output

    check_page_output(output, "--output")
    comparison = compare_runs(runs)
    if format is Format.table:
        # The table needs a fraction of the time that the page takes.
        print("\n".join(comparison_table(comparison)), flush=True)
    write_page(comparison, output)
    print(output if format is Format.table else comparison_json(comparison, output))
