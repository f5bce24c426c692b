"""The fields of a form that a browser has sent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException, Request

# Notes have 2,000 characters, a page has a hundred runs, and a study may have many variants.
LARGEST_FORM = 200_000
Fields = dict[str, list[str]]


async def read_form(request: Request) -> Fields:
    """Return the fields of a form; FastAPI's own would need one more package."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "the form is too large")
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def first(fields: Fields, name: str, default: str = "") -> str:
    """Return the first value of a field, or a default where it is not sent."""
    return fields.get(name, [default])[0]


Form = Annotated[Fields, Depends(read_form)]
