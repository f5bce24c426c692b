"""The templates of all pages, and the formats that they use. Light: no plot is drawn here."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"


@cache
def template_environment() -> Environment:
    """Return the environment in which all templates are rendered: what they insert is escaped, what is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rate": lambda value: "–" if value is None else f"{value:.4f}",
        "difference": lambda value: f"{value:+.4f}".replace("-", "−"),
        "count": lambda value: f"{value:,}",
        "seconds": lambda value: f"{value:,.1f} s",
        "setting": lambda value: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
        "anchor": lambda text: re.sub(r"\W+", "-", text.lower()),
    }
    return environment
