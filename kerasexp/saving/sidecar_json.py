"""Small JSON files beside a model, which may come from anyone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kerasexp.errors import Problem, UserError

# Ten times the size for a thousand classes with long names.
MAX_SIDECAR = 2**20


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        UserError: it cannot be read, is too large, or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SIDECAR + 1)
        if len(text) > MAX_SIDECAR:
            raise UserError(Problem(f"is larger than {MAX_SIDECAR:,} bytes, the limit for this file", str(path)))
        # The name of a folder, and so of a class, may not be UTF-8; it was written unchanged.
        content = json.loads(text.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise UserError(Problem("is nested too deep", str(path))) from None
    except (OSError, ValueError) as error:
        raise UserError(Problem(f"cannot be read as JSON: {error}", str(path))) from None
    if not isinstance(content, dict):
        raise UserError(Problem("is not a JSON object", str(path)))
    return content
