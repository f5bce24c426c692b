"""A study's table in Markdown, which is readable in a terminal too."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.studies.results import ACCURACIES, StudyResults, VariantResults
from kerasexp.studies.seed_statistics import SeedDifference, Spread

HEADINGS = (
    "variant", "train", "val", "test", "paper", "test minus paper", "macro F1",
    "parameters", "MFLOPs", "epochs", "seconds", "seeds",
)  # fmt: skip


def markdown(results: StudyResults) -> str:
    """Return the notes, the table of metrics, the differences from the first variant, and the failures."""
    notes = [note.text for note in results.notes]
    parts = [*notes, "", _table(*shown_table(results)), ""]
    parts += [f"- {sentence}" for sentence in difference_sentences(results)]
    parts += [f"- {o.variant}, seed {o.seed} FAILED: {o.cause}" for o in results.failed]
    return "\n".join(parts).strip() + "\n"


def shown_table(results: StudyResults) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of the table, without the columns that have no cell."""
    rows = [table_row(variant) for variant in results.variants]
    kept = [k for k in range(len(HEADINGS)) if any(row[k] for row in rows)]
    return [HEADINGS[k] for k in kept], [[row[k] for k in kept] for row in rows]


def table_row(variant: VariantResults) -> list[str]:
    """Return the cells of one variant, in the order of `HEADINGS`."""
    metrics = variant.metrics
    finished = sum(outcome.status == "finished" for outcome in variant.outcomes)
    difference = variant.difference_from_paper("test_accuracy")
    return [
        variant.name,
        *(with_spread(metrics.get(name)) for name in ACCURACIES),
        _reported(variant),
        "" if difference is None else f"{difference:+.4f}",
        with_spread(metrics.get("test_macro_f1")),
        "" if variant.parameters is None else f"{variant.parameters:,}",
        "" if variant.parameters is None else "–" if variant.flops is None else f"{variant.flops / 1e6:,.2f}",
        *(f"{metrics[name].mean:,.4g}" if name in metrics else "" for name in ("epochs", "train_seconds")),
        str(finished) if finished == len(variant.outcomes) else f"{finished} of {len(variant.outcomes)}",
    ]


def with_spread(found: Spread | None) -> str:
    """Return the mean, and the standard deviation if there are several seeds."""
    if found is None:
        return ""
    return f"{found.mean:.4f}" if found.sd is None else f"{found.mean:.4f} ± {found.sd:.4f}"


def difference_sentences(results: StudyResults) -> Iterator[str]:
    """Yield for each other variant its difference in test accuracy from the first, and the conclusion."""
    first = results.variants[0].name
    for variant in results.variants[1:]:
        found = variant.differences["test_accuracy"]
        if found is not None:
            yield f"{variant.name} against {first}: {_difference(found)}"


def _difference(found: SeedDifference) -> str:
    over = found.spread
    interval = "" if over.sd is None else f" (95 % interval {over.low:+.4f} to {over.high:+.4f})"
    return f"test accuracy {over.mean:+.4f}{interval}; {found.verdict} (p = {found.p_value:.2g})"


def _reported(variant: VariantResults) -> str:
    values = [variant.reported.get(name) for name in ACCURACIES]
    return " / ".join("–" if value is None else f"{value:g}" for value in values) if any(values) else ""


def _table(headings: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    lines = [
        "| " + " | ".join(name.ljust(width) for name, width in zip(headings, widths, strict=True)) + " |",
        "|" + "|".join(("-" * (width + 1)) + (":" if k else "-") for k, width in enumerate(widths)) + "|",
    ]
    for row in cells:
        shown = (row[k].rjust(width) if k else row[k].ljust(width) for k, width in enumerate(widths))
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)
