"""What every section of an experiment has in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Section(BaseModel):
    """A strict part of an experiment: no unknown key, no silent conversion of types, never changed once built."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def named(value: Any, key: str = "name") -> Any:
    """Turn the short form `adam` into `{name: adam}`, and leave everything else as it is."""
    return {key: value} if isinstance(value, str) else value
