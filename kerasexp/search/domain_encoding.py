"""The values of domains in keras-tuner's terms. It takes numbers and strings; any other choice is JSON there."""

from __future__ import annotations

import json
from typing import Any

from kerasexp.config.space_section import Domain


def options(domain: Domain) -> list[Any]:
    """Return the values of a choice in keras-tuner's terms: as they are if all are numbers or all strings, else as JSON."""
    kinds = {type(value) for value in domain.values}
    is_plain = len(kinds) == 1 and kinds <= {int, float, str}
    return list(domain.values) if is_plain else [json.dumps(value) for value in domain.values]


def encoded(domain: Domain, value: Any) -> Any:
    """Return keras-tuner's value for a value of a domain."""
    if domain.kind == "float" and domain.step is not None:
        # What its arithmetic makes of a step, such as 0.30000000000000004: conditions compare with that.
        return domain.low + round((value - domain.low) / domain.step) * domain.step
    return options(domain)[domain.values.index(value)] if domain.kind == "choice" else value


def again_encoded(domain: Domain, value: Any) -> Any:
    """Return keras-tuner's value for one of before a choice was widened, which may have been as it is and is JSON now."""
    known = domain.kind != "choice" or value in options(domain) or value not in domain.values
    return value if known else encoded(domain, value)


def decoded(domain: Domain, value: Any) -> Any:
    """Return the value of a domain for a value of keras-tuner's, whose numbers have errors of rounding."""
    return domain.values[options(domain).index(value)] if domain.kind == "choice" else domain.nearest(value)
