"""A study's table in Markdown, which reads well in a terminal too."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.studies.results import ACCURACIES, StudyResults, VariantResults
from kerasexp.studies.seed_statistics import SeedDifference, Spread

HEADINGS = (
    "variant", "train", "val", "test", "reported", "test less reported", "macro F1",
    "parameters", "MFLOPs", "epochs", "seconds", "seeds",
)  # fmt: skip


def markdown(results: StudyResults) -> str:
    """Return the table of figures, the differences from the first variant, what failed, and the notes."""
    parts = [*results.notes, "", _table(HEADINGS, [table_row(variant) for variant in results.variants]), ""]
    parts += [f"- {sentence}" for sentence in difference_sentences(results)]
    parts += [f"- {o.variant}, seed {o.seed} FAILED: {o.cause}" for o in results.failed]
    return "\n".join(parts).strip() + "\n"


def table_row(variant: VariantResults) -> list[str]:
    """Return one variant's cells, in the order of `HEADINGS`."""
    figures = variant.figures
    finished = sum(outcome.status == "finished" for outcome in variant.outcomes)
    off = variant.off_reported("test_accuracy")
    return [
        variant.name,
        *(with_spread(figures.get(name)) for name in ACCURACIES),
        _reported(variant),
        "" if off is None else f"{off:+.4f}",
        with_spread(figures.get("test_macro_f1")),
        "" if variant.parameters is None else f"{variant.parameters:,}",
        "" if variant.flops is None else f"{variant.flops / 1e6:,.2f}",
        *(f"{figures[name].mean:,.4g}" if name in figures else "" for name in ("epochs", "train_seconds")),
        str(finished) if finished == len(variant.outcomes) else f"{finished} of {len(variant.outcomes)}",
    ]


def with_spread(found: Spread | None) -> str:
    """Return the mean, and the standard deviation where there are several seeds."""
    if found is None:
        return ""
    return f"{found.mean:.4f}" if found.sd is None else f"{found.mean:.4f} ± {found.sd:.4f}"


def difference_sentences(results: StudyResults) -> Iterator[str]:
    """Yield for each other variant how far its test accuracy is from the first one's, and what may be concluded."""
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
    claims = [variant.reported.get(name) for name in ACCURACIES]
    return " / ".join("–" if claim is None else f"{claim:g}" for claim in claims) if any(claims) else ""


def _table(headings: tuple[str, ...], rows: list[list[str]]) -> str:
    """Return a Markdown table of aligned columns; those without a single cell are left out."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    kept = [k for k in range(len(headings)) if any(row[k] for row in cells)]
    widths = {k: max(len(headings[k]), *(len(row[k]) for row in cells)) for k in kept}
    lines = [
        "| " + " | ".join(headings[k].ljust(widths[k]) for k in kept) + " |",
        "|" + "|".join(("-" * (widths[k] + 1)) + (":" if k else "-") for k in kept) + "|",
    ]
    for row in cells:
        shown = (row[k].rjust(widths[k]) if k else row[k].ljust(widths[k]) for k in kept)
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)
