"""The section `runtime`: the devices of a training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kerasexp.config.section_base import Section


class Runtime(Section):
    """The devices of a training."""

    devices: Literal["auto", "all"] = Field(
        "auto",
        description="auto: one device, the first GPU or else the CPU; all: every GPU of this machine, each with its share of "
        "every batch.",
    )
