"""By what the runs of a study and the trials of a search are carried out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kerasexp.config.base import Section


class Ray(Section):
    """A Ray cluster, and what each run has of it."""

    address: str = Field(
        "auto",
        min_length=1,
        description="auto: the cluster that this machine belongs to, which `ray start` began; local: a new one on this machine "
        "alone; or the head's HOST:PORT.",
    )
    cpus: float = Field(1, gt=0, description="Cores for each run; as many runs at once as the cluster has room for.")
    gpus: float = Field(0, ge=0, description="GPUs for each run, or the part of one.")


class ExecutionKeys(Section):
    """Where the runs of a study or a search are carried out; it changes no figure but for the rounding of sums."""

    executor: Literal["local", "ray"] = Field(
        "local",
        description="local: processes of this machine, `--jobs` at once; ray: a Ray cluster (pip install '.[ray]').",
    )
    ray: Ray = Field(Ray(), description="The cluster, where the executor is ray.")
