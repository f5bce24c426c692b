"""The plots of a run's page that show how far its probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from kerasexp.plots.reliability_diagram import plot_reliability
from kerasexp.plots.risk_coverage_curve import plot_risk_coverage
from kerasexp.report.html import Plot
from kerasexp.runs.reject_results import reject_sentence
from kerasexp.runs.results import PROBABILITIES, Results


def reliability(results: Results) -> Iterator[Plot]:
    """Yield the reliability diagram, if it was computed."""
    temperature = results.metrics["temperature"]
    if results.reliability is None:
        return
    before, after = results.reliability
    yield Plot(
        PROBABILITIES,
        "reliability",
        f"Reliability diagram: accuracy over confidence; calibrated probabilities lie on the diagonal. {_effect(temperature)}",
        f"Expected calibration error {before.error:.4f}, and {after.error:.4f} after temperature scaling.",
        lambda: plot_reliability(*((r.confidence, r.accuracy, r.low, r.high, r.counts) for r in (before, after))),
    )


def _effect(temperature: float) -> str:
    """Return a sentence on what a temperature does; it is 1 where val cannot tell it."""
    if temperature == 1:
        return "No temperature could be fitted on val, so that both are the same."
    return f"The temperature {temperature:.3f}, fitted on val, {'softens' if temperature > 1 else 'sharpens'} the probabilities."


def risk_coverage(results: Results) -> Iterator[Plot]:
    """Yield the plot of the error over the share of images answered, if it was computed."""
    curves = results.risk_coverage
    if not curves:
        return
    reject = results.metrics.get("reject", {})
    chosen = {
        name: (reject[name]["answered"], reject[name]["error"])
        for name in curves
        if name in reject and reject[name]["error"] is not None
    }
    area = ", ".join(f"{curve.area:.4f} on {name}" for name, curve in curves.items())
    of_reject = (
        reject_sentence(results.metrics) or "report.reject fits a threshold on val, below which an image is unknown."
    )
    yield Plot(
        PROBABILITIES,
        "risk_coverage",
        "Error among the images that are answered, if only those with the highest probability are; the mean over all shares is "
        f"{area}. {of_reject}",
        f"Error over the share of images answered; with all of them it is {curves['test'].error[-1]:.4f} on test.",
        lambda: plot_risk_coverage(
            {name: (curve.coverage, curve.error) for name, curve in curves.items()}, chosen, reject.get("allowed_error")
        ),
    )
