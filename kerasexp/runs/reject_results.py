"""What a run says of `report.reject`: metrics and a sentence."""

from __future__ import annotations

from typing import Any

from kerasexp.evaluation.predictions import Predictions
from kerasexp.evaluation.risk_coverage import answered_text, rejection_metrics


def reject_metrics(val: Predictions, test: Predictions, allowed: float, threshold: float | None) -> dict[str, Any]:
    """Return what is answered at the threshold that was fitted on val for an allowed error; None if there is none."""
    found = {"allowed_error": allowed, "threshold": threshold}
    if threshold is None:
        return found
    return found | {"val": rejection_metrics(val, threshold), "test": rejection_metrics(test, threshold)}


def reject_sentence(metrics: dict[str, Any]) -> str:
    """Return a sentence on the share answered and the error on it; "" if it was not measured."""
    if (reject := metrics.get("reject")) is None:
        return ""
    allowed = f"{reject['allowed_error']:g}"
    if reject["threshold"] is None:
        return (
            f"Reject: no threshold has an error of at most {allowed} on val: its most confident predictions are wrong more "
            "often. Every image gets a class."
        )
    if reject["threshold"] == 0:
        return f"Reject: every image gets a class, as the error on val is at most {allowed} then. {_splits(reject)}."
    threshold = f"{reject['threshold']:.4f}, fitted on val for an error of {allowed}"
    return f"Reject: below a probability of {threshold}, an image is unknown. {_splits(reject)}."


def _splits(reject: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {answered_text(reject[name])}" for name in ("val", "test"))
