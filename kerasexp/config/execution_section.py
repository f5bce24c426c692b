"""The executor of the runs of a study and the trials of a search."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kerasexp.config.section_base import Section


class Ray(Section):
    """A Ray cluster, and its resources for each run."""

    address: str = Field(
        "auto",
        min_length=1,
        description="auto: the cluster that this machine belongs to, started by `ray start`; local: a new one on this machine "
        "only; or HOST:PORT of the head.",
    )
    cpus: float = Field(1, gt=0, description="Cores for each run; as many runs at once as the cluster has cores for.")
    gpus: float = Field(0, ge=0, description="GPUs for each run, or the share of one.")


class ExecutionKeys(Section):
    """The executor of a study or a search; it changes no metric except by the rounding of sums."""

    executor: Literal["local", "ray"] = Field(
        "local",
        description="local: processes on this machine, `--jobs` at once; ray: a Ray cluster (pip install 'kerasexp[ray]').",
    )
    ray: Ray = Field(Ray(), description="The cluster, for executor: ray.")
